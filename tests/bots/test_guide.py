"""What the guide decides, as scripts of events and the acts that are expected."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bots.contract import Act, Finish, HandOver, Part, Say, View
from bots.guide import NAME, decide
from bots.phrases import CHINESE, ENGLISH
from bots.watch import Watch
from rulebook.hours import BusinessHours
from session import events as ev
from session.ids import LegId, MessageId, SessionId
from session.ports import Entry, Place
from session.state import AssigneeKind
from tests.session import script as words
from tests.session.script import CHAT, GUIDE, OPENED_BY_CHAT, OPENED_OUT_OF_HOURS, START, accept, chat, offer, wrote
from tests.session.stories import stamped

NEVER, ALWAYS = BusinessHours(), BusinessHours.parse(["mon-sun 00:00-24:00"])
DRIVING = (OPENED_OUT_OF_HOURS, chat(), offer(1, GUIDE), accept(1, GUIDE))
WAITING = (OPENED_BY_CHAT, chat())


def said(text: str = "…") -> ev.TextSent:
    return ev.TextSent(by=NAME, kind=AssigneeKind.BOT, message=MessageId("b"), text=text)


def told(position: int) -> ev.PlaceAnnounced:
    return ev.PlaceAnnounced(leg=CHAT, position=position, estimate_s=None)


def watch(events: Sequence[ev.Event], every_s: float = 1.0) -> Watch:
    entries = [Entry(SessionId("01A"), index, event) for index, event in enumerate(stamped(events, every_s), 1)]
    begun = Watch.begin(NAME, entries)
    assert begun is not None
    return begun


def acts(*events: ev.Event, hours: BusinessHours = NEVER, every_s: float = 1.0) -> Sequence[Act]:
    """What the guide does at the last event."""
    seen = watch(events, every_s)
    assert seen.part is not None
    last = stamped(events, every_s)[-1]
    entry = Entry(SessionId("01A"), len(events), last)
    return decide(View(seen.part, seen.session, seen.memory, last.at, entry), hours)


def later(*events: ev.Event, after_s: float, place: Place | None = None, speaking: bool = False) -> Sequence[Act]:
    """What the guide does when so much time has passed since the last event."""
    seen = watch(events)
    assert seen.part is Part.COMPANION
    now = START + len(events) - 1 + after_s
    return decide(View(seen.part, seen.session, seen.memory, now, None, place, speaking), NEVER)


def place(position: int, estimate_s: float | None = None) -> Place:
    return Place(position, 9, estimate_s)


# --- it drives


def test_out_of_hours_it_greets_and_says_when_people_answer() -> None:
    hours = BusinessHours.parse(["mon-fri 08:30-08:31"])
    (greeting,) = acts(*DRIVING, hours=hours)
    assert isinstance(greeting, Say)
    assert "机器人" in greeting.text
    assert "周一至周五 8:30–8:31" in greeting.text
    assert "人工" in greeting.text
    assert acts(*DRIVING, hours=ALWAYS) == (Say(CHINESE.open),)


def test_it_speaks_the_citizens_language() -> None:
    english = (replace(OPENED_OUT_OF_HOURS, language="en-GB"), *DRIVING[1:])
    assert acts(*english, hours=ALWAYS) == (Say(ENGLISH.open),)


def test_it_hands_over_at_the_word() -> None:
    assert acts(*DRIVING, said(), wrote("人工")) == (Say(CHINESE.handing_over), HandOver())


def test_it_says_once_that_words_are_kept_and_then_lets_people_write() -> None:
    base = (*DRIVING, said())
    assert acts(*base, wrote("路灯坏了")) == (Say(CHINESE.noted),)
    assert acts(*base, wrote("一"), said(), wrote("二", "m7")) == ()
    assert acts(*base, wrote("一"), said(), wrote("二", "m7"), every_s=70) == (Say(CHINESE.noted),)


def test_it_finishes_at_a_goodbye() -> None:
    assert acts(*DRIVING, said(), wrote("谢谢，再见")) == (Say(CHINESE.farewell), Finish())


def test_its_own_words_do_not_move_it() -> None:
    assert acts(*DRIVING, said()) == ()


# --- it keeps company


def test_who_is_answered_soon_needs_no_company() -> None:
    assert acts(*WAITING) == ()
    assert later(*WAITING, after_s=4) == ()


def test_who_waits_is_told_that_words_are_kept_and_their_place() -> None:
    assert later(*WAITING, after_s=5) == (Say(CHINESE.company),)
    assert "保留" in CHINESE.company
    assert "机器人" in CHINESE.company
    at = place(3, 130.0)
    assert later(*WAITING, after_s=5, place=at) == (Say(CHINESE.company), Say("您目前排在第3位。预计还需约2分钟。", at))


@pytest.mark.parametrize(
    ("estimate_s", "end"), [(None, "位。"), (10.0, "预计很快为您接通。"), (90.0, "预计还需约2分钟。")]
)
def test_an_estimate_is_said_where_there_is_one(estimate_s: float | None, end: str) -> None:
    assert CHINESE.placed(place(3, estimate_s)).endswith(end)


@pytest.mark.parametrize(
    ("before", "now", "after_s", "says"),
    [
        (9, 9, 59, False),
        (9, 9, 60, True),
        (9, 8, 59, False),
        (9, 6, 14, False),
        (9, 6, 15, True),
        (3, 2, 59, False),
        (2, 1, 15, True),
        (30, 24, 59, False),
        (30, 20, 15, True),
    ],
)
def test_the_place_is_said_when_it_changed_by_much_or_after_a_minute(
    before: int, now: int, after_s: float, says: bool
) -> None:
    script = (*WAITING, said(), told(before))
    assert bool(later(*script, after_s=after_s, place=place(now))) is says


def test_it_does_not_speak_over_itself() -> None:
    assert later(*WAITING, after_s=5, speaking=True) == ()


def test_while_waiting_the_citizens_words_are_not_answered() -> None:
    assert acts(*WAITING, wrote("人工")) == ()
    assert acts(*WAITING, wrote("路灯坏了")) == ()


def test_it_hands_over_who_still_stands_in_the_bots_line() -> None:
    assert acts(OPENED_OUT_OF_HOURS, chat(), wrote("人工")) == (HandOver(),)
    assert later(OPENED_OUT_OF_HOURS, chat(), after_s=999, place=place(1)) == ()


@pytest.mark.parametrize(
    "script",
    [
        (*WAITING, offer(1), accept(1)),
        (*WAITING, offer(1), accept(1), ev.ContactFinished(by=words.WANG)),
        (*WAITING, offer(1), accept(1), ev.SessionParked(by=words.WANG)),
        (OPENED_OUT_OF_HOURS, chat(), offer(1, GUIDE)),
        (*WAITING, ev.LegAway(leg=CHAT)),
        (*WAITING, words.call(LegId("c"))),
        (words.OPENED_BY_CALL, words.call()),
    ],
)
def test_it_is_silent_once_a_human_has_it_or_nobody_reads(script: Sequence[ev.Event]) -> None:
    assert watch(script).part is None


def test_each_wait_begins_anew() -> None:
    script = (*WAITING, said(), told(3), offer(1), accept(1), ev.SessionParked(by=words.WANG), wrote())
    assert watch(script).memory.told is None
    assert later(*script, after_s=5) == (Say(CHINESE.company),)


def test_an_offer_to_an_agent_does_not_end_the_wait() -> None:
    assert watch((*WAITING, said(), told(3), offer(1))).memory.told is not None
