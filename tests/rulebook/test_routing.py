"""Routing rules: the first that holds decides, and one that cannot be read says where and why."""

from datetime import datetime
from importlib import resources
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.hours import CITY
from rulebook.routing import Routing, within
from session.address import Address
from session.ids import LegId
from session.ports import Contact
from session.state import Demand, Medium, Skill

NOON = datetime(2026, 3, 2, 12, tzinfo=CITY).timestamp()


def _routing(*rules: dict[str, Any]) -> Routing:
    queues = [{"name": name, "title": name} for name in ("general", "english", "law", "rest", "night", "day")]
    skills = [{"name": name, "title": name} for name in ("english", "law")]
    return read("routing", Routing, msgspec.json.encode({"queues": queues, "skills": skills, "rules": rules}))


def _contact(medium: Medium = Medium.CHAT, number: str = "12345", language: str = "zh") -> Contact:
    return Contact(LegId("leg"), "some", medium, Address("web", "v"), number, language=language)


def _at(hour: int, minute: int = 0) -> float:
    return datetime(2026, 3, 2, hour, minute, tzinfo=CITY).timestamp()


def test_the_first_rule_that_holds_decides() -> None:
    asked = {"english": 3, "law": 1}
    routing = _routing(
        {"language": "en", "medium": "voice", "queue": "english", "priority": 60, "skills": asked},
        {"number": "12348", "queue": "law"},
        {"queue": "rest", "bot_queue": "bots"},
    )
    english = routing.route(_contact(Medium.VOICE, language="en"), NOON, closed=False)
    assert english.demand == Demand("english", 60, (Skill("english", 3), Skill("law", 1)))
    assert english.bot_queue == ""
    assert routing.route(_contact(language="en"), NOON, closed=False).demand.queue == "rest"
    assert routing.route(_contact(Medium.VOICE, "12348", "zh"), NOON, closed=False).demand.queue == "law"
    assert routing.route(_contact(), NOON, closed=False).bot_queue == "bots"


def test_without_a_rule_a_human_is_reached() -> None:
    for rules in ([], [{"number": "110", "queue": "law"}]):
        route = _routing(*rules).route(_contact(), NOON, closed=True)
        assert (route.demand, route.bot_queue) == (Demand("general"), "")


@pytest.mark.parametrize(
    ("hour", "minute", "holds"),
    [(21, 59, False), (22, 0, True), (23, 59, True), (0, 0, True), (6, 59, True), (7, 0, False), (12, 0, False)],
)
def test_hours_go_over_midnight(hour: int, minute: int, holds: bool) -> None:
    routing = _routing({"hours": [22, 7], "queue": "night"})
    assert (routing.route(_contact(), _at(hour, minute), closed=False).demand.queue == "night") is holds


@given(st.integers(0, 23), st.integers(0, 24), st.integers(0, 23))
def test_hours_and_their_rest_make_a_day(start: int, end: int, hour: int) -> None:
    """What lies in [a, b) does not lie in [b, a), and the other way round."""
    if start in (end, end % 24):
        return
    assert within((start, end), hour) is not within((end % 24, start), hour)


def test_a_rule_may_ask_whether_people_answer() -> None:
    routing = _routing({"closed": True, "queue": "night"}, {"closed": False, "queue": "day"})
    assert routing.route(_contact(), NOON, closed=True).demand.queue == "night"
    assert routing.route(_contact(), NOON, closed=False).demand.queue == "day"


def test_what_we_ship_can_be_read() -> None:
    body = resources.files("rulebook").joinpath("defaults", "routing.json").read_bytes()
    shipped = read("routing", Routing, body)
    assert shipped.route(_contact(Medium.VOICE), NOON, closed=True).bot_queue == "", "a call is never a bot's"


@pytest.mark.parametrize(
    "rule",
    [
        {"queues": "typo", "queue": "law"},
        {"number": "12345"},
        {"queue": 7},
        {"queue": ""},
        {"queue": "has space"},
        {"queue": "x" * 65},
        {"queue": "nobodys"},
        {"queue": "law", "bot_queue": ""},
        {"queue": "law", "bot_queue": 1},
        {"queue": "law", "medium": "smoke"},
        {"queue": "law", "priority": "high"},
        {"queue": "law", "priority": True},
        {"queue": "law", "priority": 1.5},
        {"queue": "law", "priority": 10**15},
        {"queue": "law", "skills": ["english"]},
        {"queue": "law", "skills": {"english": "good"}},
        {"queue": "law", "skills": {"english": 0}},
        {"queue": "law", "skills": {"english": 11}},
        {"queue": "law", "skills": {"nobodys": 1}},
        {"queue": "law", "hours": 9},
        {"queue": "law", "hours": [9]},
        {"queue": "law", "hours": [24, 7]},
        {"queue": "law", "hours": ["09:00", "17:00"]},
        {"queue": "law", "number": 12345},
        {"queue": "law", "closed": "yes"},
    ],
)
def test_a_bad_rule_is_named(rule: dict[str, Any]) -> None:
    with pytest.raises(DocumentMalformed) as bad:
        _routing({"queue": "general"}, rule)
    assert bad.value.at.startswith("$.rules[1]") or "rule 2" in bad.value.fault
    assert not bad.value.retryable


@pytest.mark.parametrize("text", ["{", "[]", "3", "\0", '{"queues": []}', '{"rules": []}', "[" * 100_000])
def test_what_is_no_list_of_rules_is_refused(text: str) -> None:
    """Also one without the queue of those whom no rule is for."""
    with pytest.raises(DocumentMalformed):
        read("routing", Routing, text)
