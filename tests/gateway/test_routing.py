"""Routing rules: the first that holds decides, and one that cannot be read says which and why."""

from datetime import datetime
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.hours import CITY
from gateway.routing import BadRoutingRule, Hours, Routing, RoutingUnreadable, read_routing
from session.address import Address
from session.ids import LegId
from session.ports import Contact
from session.state import Demand, Medium, Skill

NOON = datetime(2026, 3, 2, 12, tzinfo=CITY).timestamp()


def _contact(medium: Medium = Medium.CHAT, number: str = "12345", language: str = "zh") -> Contact:
    return Contact(LegId("leg"), "some", medium, Address("web", "v"), number, language=language)


def _at(hour: int, minute: int = 0) -> float:
    return datetime(2026, 3, 2, hour, minute, tzinfo=CITY).timestamp()


def test_the_first_rule_that_holds_decides() -> None:
    routing = read_routing("""
        [[rule]]
        language = "en"
        medium = "voice"
        queue = "english"
        priority = 60
        skills = { english = 3, law = 1 }

        [[rule]]
        number = "12348"
        queue = "law"

        [[rule]]
        queue = "rest"
        bot_queue = "bots"
    """)
    english = routing.route(_contact(Medium.VOICE, language="en"), NOON, closed=False)
    assert english.demand == Demand("english", 60, (Skill("english", 3), Skill("law", 1)))
    assert english.bot_queue == ""
    assert routing.route(_contact(language="en"), NOON, closed=False).demand.queue == "rest"
    assert routing.route(_contact(Medium.VOICE, "12348", "zh"), NOON, closed=False).demand.queue == "law"
    assert routing.route(_contact(), NOON, closed=False).bot_queue == "bots"
    assert routing.queues == ("english", "law", "rest", "general")


def test_without_a_rule_a_human_is_reached() -> None:
    for text in ("", '[[rule]]\nnumber = "110"\nqueue = "police"'):
        route = read_routing(text).route(_contact(), NOON, closed=True)
        assert (route.demand, route.bot_queue) == (Demand("general"), "")
    assert Routing(()).queues == ("general",)


@pytest.mark.parametrize(
    ("hour", "minute", "holds"),
    [(21, 59, False), (22, 0, True), (23, 59, True), (0, 0, True), (6, 59, True), (7, 0, False), (12, 0, False)],
)
def test_hours_go_over_midnight(hour: int, minute: int, holds: bool) -> None:
    routing = read_routing('[[rule]]\nhours = [22, 7]\nqueue = "night"')
    assert (routing.route(_contact(), _at(hour, minute), closed=False).demand.queue == "night") is holds


@given(st.integers(0, 23), st.integers(0, 24), st.integers(0, 23))
def test_hours_and_their_rest_make_a_day(start: int, end: int, hour: int) -> None:
    """What lies in [a, b) does not lie in [b, a), and the other way round."""
    if start in (end, end % 24):
        return
    assert Hours(start, end).holds(hour) is not Hours(end % 24, start).holds(hour)


def test_a_rule_may_ask_whether_people_answer() -> None:
    routing = read_routing('[[rule]]\nclosed = true\nqueue = "night"\n[[rule]]\nclosed = false\nqueue = "day"')
    assert routing.route(_contact(), NOON, closed=True).demand.queue == "night"
    assert routing.route(_contact(), NOON, closed=False).demand.queue == "day"


def test_what_we_ship_can_be_read() -> None:
    shipped = read_routing(resources.files("gateway").joinpath("routing.toml").read_text(encoding="utf-8"))
    assert "general" in shipped.queues
    assert shipped.route(_contact(Medium.VOICE), NOON, closed=True).bot_queue == "", "a call is never a bot's"


@pytest.mark.parametrize(
    "rule",
    [
        'queues = "typo"\nqueue = "q"',
        'number = "12345"',
        "queue = 7",
        'queue = ""',
        'queue = "has space"',
        'queue = "' + "x" * 65 + '"',
        'queue = "q"\nbot_queue = ""',
        'queue = "q"\nbot_queue = 1',
        'queue = "q"\nmedium = "smoke"',
        'queue = "q"\npriority = "high"',
        'queue = "q"\npriority = true',
        'queue = "q"\npriority = 1.5',
        'queue = "q"\npriority = 1000000000000000000000',
        'queue = "q"\nskills = ["english"]',
        'queue = "q"\nskills = { english = "good" }',
        'queue = "q"\nskills = { english = 0 }',
        'queue = "q"\nskills = { english = 11 }',
        'queue = "q"\nskills = { "two words" = 1 }',
        'queue = "q"\nhours = 9',
        'queue = "q"\nhours = [9]',
        'queue = "q"\nhours = [24, 7]',
        'queue = "q"\nhours = ["09:00", "17:00"]',
        'queue = "q"\nnumber = 12345',
        'queue = "q"\nclosed = "yes"',
    ],
)
def test_a_bad_rule_is_named(rule: str) -> None:
    with pytest.raises(BadRoutingRule) as bad:
        read_routing(f'[[rule]]\nqueue = "good"\n[[rule]]\n{rule}')
    assert bad.value.index == 1
    assert str(bad.value).startswith("routing rule 2: ")
    assert not bad.value.retryable


@pytest.mark.parametrize("text", ["[[rule", "rule = 3", "rule = [1, 2]", '[rule]\nqueue = "q"', "[[rules]]", "\0"])
def test_what_is_no_list_of_rules_is_refused(text: str) -> None:
    """Also a slip in the heading, which would silently leave no rule in force."""
    with pytest.raises(RoutingUnreadable):
        read_routing(text)
