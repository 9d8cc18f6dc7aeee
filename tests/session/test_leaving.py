"""A citizen who goes: the place, the assignee and the wait are kept until they are back, or their time is over."""

from dataclasses import replace

import pytest

from session import events as ev
from session.audio import Announcement
from session.effects import (
    ClearTimer,
    CloseLeg,
    Effect,
    EndSession,
    Enqueue,
    LetCitizenGo,
    PauseOffers,
    Play,
    Release,
    ResumeOffers,
    Ring,
    SendLink,
    SetTimer,
    Withdraw,
    Wrap,
)
from session.ids import MessageId
from session.machine import advance, begin, replay
from session.rules import Rules
from session.state import CloseReason, Failure, LegEnd, LegState, Medium, Party, Phase, Session
from session.switch import Purpose
from tests.session.script import (
    AGENT_CALL,
    AGENT_CALL_2,
    CALL,
    CALL_AGAIN,
    CHAT,
    NODE,
    OPENED_BY_CALL,
    SESSION,
    START,
    WANG,
    accept,
    call,
    chat,
    hangs_up,
    offer,
    telephone,
    timer,
)
from tests.session.stories import stamped

VOICE = Medium.VOICE
RULES = Rules(call_grace_s=60.0, chat_grace_s=120.0, kept_place_s=1800.0, reconnect_s=20.0, callback_pauses_s=())
"""Of a hotline that cannot call; what becomes of a kept place where it can is test_calling.py's."""
WAITING = (OPENED_BY_CALL, call())
TALKING = (*WAITING, offer(1, medium=VOICE), accept(1), telephone())
KEPT = (*WAITING, ev.PlaceKept(leg=CALL))
SENT = ev.LinkSent(purpose=Purpose.SWITCH, channel="sms", link="3.0")
FAILED = ev.LinkFailed(purpose=Purpose.SWITCH, reason="nowhere", link="3.0")
DROP = hangs_up(reason=LegEnd.LOST)


def after(*script: ev.Event) -> tuple[Session, tuple[Effect, ...]]:
    """The session after a script, and the effects of its last event."""
    *before, last = stamped(script)
    opened = before[0]
    assert isinstance(opened, ev.SessionOpened)
    session = begin(SESSION, opened)
    for event in before:
        session, _ = advance(session, event, RULES)
    return advance(session, last, RULES)


@pytest.mark.parametrize("gone", [hangs_up(), DROP])
def test_who_leaves_the_line_by_telephone_keeps_the_place_for_a_moment(gone: ev.Event) -> None:
    session, effects = after(*WAITING, gone)
    assert (session.phase, session.medium) == (Phase.QUEUED, VOICE)
    assert effects == (PauseOffers(), ClearTimer("announce"), SetTimer("grace:call", 60.0))
    session, effects = after(*WAITING, gone, call(CALL_AGAIN))
    assert effects[:2] == (ClearTimer("grace:call"), ResumeOffers())
    assert not any(isinstance(effect, Enqueue | Withdraw) for effect in effects), "the place was touched"
    assert session.waited_s(START + 10) == 9.0
    assert [leg.state for leg in session.legs] == [LegState.ENDED, LegState.LIVE]


def test_who_stays_away_from_the_line_has_left_it() -> None:
    session, effects = after(*WAITING, hangs_up(), timer("grace:call"))
    assert session.close_reason is CloseReason.ABANDONED
    assert effects == (Withdraw(), EndSession(CloseReason.ABANDONED))


def test_a_call_that_is_away_is_not_ended_by_being_told_so_again() -> None:
    session, effects = after(*WAITING, hangs_up(), hangs_up(reason=LegEnd.NODE_LOST))
    assert (session.phase, effects) == (Phase.QUEUED, ())


def test_a_dropped_call_keeps_its_agent_until_it_is_dialled_again() -> None:
    session, effects = after(*TALKING, DROP)
    assert (session.phase, session.assignee, session.medium) == (Phase.ACTIVE, WANG, VOICE)
    waits = (SetTimer("grace:call", 60.0), SetTimer("dropped", 15.0))
    assert effects == (CloseLeg(AGENT_CALL, LegEnd.LOST), ClearTimer("media"), *waits)
    again = (*TALKING, DROP, hangs_up(AGENT_CALL, LegEnd.CLOSED), call(CALL_AGAIN))
    session, effects = after(*again)
    ring = Ring(CALL_AGAIN, WANG, 1, START + 7 + 20.0)
    assert effects == (ClearTimer("grace:call"), Play(CALL_AGAIN, ()), ring, SetTimer("media", 20.0))
    session, _ = after(*again, telephone(AGENT_CALL_2))
    assert session.phase is Phase.ACTIVE
    assert {leg.id for leg in session.live_legs(Party.ASSIGNEE)} == {AGENT_CALL_2}


def test_who_dials_again_before_we_know_that_the_call_has_dropped_is_back_with_their_agent() -> None:
    """The end of the old call was told late: the agent's telephone is let go of it, and rung for the new one."""
    session, effects = after(*TALKING, call(CALL_AGAIN), DROP)
    ring = Ring(CALL_AGAIN, WANG, 1, START + 6 + 20.0)
    assert effects == (CloseLeg(AGENT_CALL, LegEnd.LOST), Play(CALL_AGAIN, ()), ring, SetTimer("media", 20.0))
    assert (session.phase, session.assignee, session.medium) == (Phase.ACTIVE, WANG, VOICE)


def test_of_two_calls_the_second_ends_and_the_first_goes_on() -> None:
    session, effects = after(*TALKING, call(CALL_AGAIN), hangs_up(CALL_AGAIN))
    assert effects == ()
    assert {leg.id for leg in session.live_legs(Party.ASSIGNEE)} == {AGENT_CALL}


def test_an_agent_who_hangs_up_on_two_calls_has_ended_both() -> None:
    session, effects = after(*TALKING, call(CALL_AGAIN), hangs_up(AGENT_CALL))
    assert session.phase is Phase.WRAPPING
    assert {effect.leg for effect in effects if isinstance(effect, CloseLeg)} == {CALL, CALL_AGAIN}
    session, effects = after(*TALKING, chat(), call(CALL_AGAIN), hangs_up(AGENT_CALL))
    assert (session.phase, session.medium) == (Phase.ACTIVE, Medium.CHAT)
    assert {effect.leg for effect in effects if isinstance(effect, CloseLeg)} == {CALL, CALL_AGAIN}


def test_an_agent_who_does_not_pick_up_again_loses_the_call_to_another() -> None:
    session, effects = after(*TALKING, DROP, call(CALL_AGAIN), timer("media"))
    assert (session.phase, session.prefer) == (Phase.QUEUED, WANG)
    assert Release(WANG) in effects
    assert PauseOffers() not in effects


def test_a_dropped_call_that_nobody_dials_again_is_written_up() -> None:
    session, effects = after(*TALKING, DROP, timer("dropped"))
    assert (session.phase, session.assignee) == (Phase.WRAPPING, WANG)
    assert Wrap(WANG) in effects
    assert LetCitizenGo() not in effects, "they may dial again"
    again, effects = after(*TALKING, DROP, timer("dropped"), timer("grace:call"))
    assert (again.phase, effects) == (Phase.WRAPPING, (LetCitizenGo(),))
    assert after(*TALKING, DROP, timer("dropped"), timer("grace:call"), timer("wrap"))[0].phase is Phase.CLOSED
    short, effects = after(*TALKING, DROP, timer("grace:call"))
    assert (short.phase, LetCitizenGo() in effects) == (Phase.WRAPPING, True), "where the grace is the shorter"


WRITTEN = ev.WrapFinished(by=WANG, kind="advice", note="说到一半断了")


@pytest.mark.parametrize("until", [(), (WRITTEN,), (timer("wrap"),)], ids=["writes", "has written", "out of time"])
def test_who_dials_again_later_comes_before_all_others_to_who_wrote_it_up(until: tuple[ev.Event, ...]) -> None:
    dropped = (*TALKING, DROP, hangs_up(reason=LegEnd.NODE_LOST), timer("dropped"), *until)
    before, effects = after(*dropped)
    assert not until or (before.phase, before.assignee, effects[0]) == (Phase.PARKED, None, Release(WANG))
    session, effects = after(*dropped, call(CALL_AGAIN))
    assert (session.phase, session.dropped_call) == (Phase.QUEUED, None)
    place = next(effect for effect in effects if isinstance(effect, Enqueue))
    assert (place.prefer, place.accrued_s) == (WANG, before.accrued_wait_s)
    assert before.accrued_wait_s > 0
    assert ClearTimer("grace:call") in effects
    assert PauseOffers() not in effects
    assert until or Release(WANG) in effects


def test_who_does_not_dial_again_is_served_all_the_same() -> None:
    session, effects = after(*TALKING, DROP, timer("dropped"), WRITTEN, hangs_up(reason=LegEnd.NODE_LOST))
    assert (session.phase, effects) == (Phase.PARKED, ()), "told once more that it is over"
    session, _ = after(*TALKING, DROP, timer("dropped"), WRITTEN, timer("grace:call"))
    assert (session.phase, session.close_reason) == (Phase.CLOSED, CloseReason.COMPLETED)


def test_an_agent_who_writes_with_a_citizen_whose_call_dropped_is_kept_by_the_chat() -> None:
    assert after(*TALKING, DROP, chat(), timer("dropped"))[0].phase is Phase.ACTIVE


def test_who_hangs_up_on_an_agent_is_done() -> None:
    session, _ = after(*TALKING, hangs_up())
    assert session.phase is Phase.WRAPPING


def test_the_place_is_kept_by_a_key_and_the_caller_told_once_the_link_is_out() -> None:
    session, effects = after(*KEPT)
    assert session.kept
    assert effects == (SendLink(Purpose.SWITCH),)
    assert after(*KEPT, ev.PlaceKept(leg=CALL))[1] == (SendLink(Purpose.SWITCH),), "asked again, sent again"
    assert after(*KEPT, SENT)[1] == (Play(CALL, (Announcement("place_kept"),)),)
    session, effects = after(*KEPT, SENT, hangs_up())
    assert effects[-1] == SetTimer("grace:call", 1800.0)


def test_a_link_that_could_not_be_sent_leaves_the_caller_where_they_were() -> None:
    session, effects = after(*KEPT, FAILED)
    assert not session.kept
    assert effects == (Play(CALL, (Announcement("link_failed"),)),)
    session, effects = after(*KEPT, hangs_up(), FAILED)
    assert session.kept, "who has hung up on a promise is not forgotten"
    assert effects == ()


def test_a_text_that_does_not_arrive_is_a_link_that_was_not_sent() -> None:
    lost = ev.MessageFailed(message=MessageId(f"{SESSION}-switch-3.0"), channel="sms", reason=Failure.UNDELIVERED)
    session, effects = after(*KEPT, SENT, lost)
    assert (session.kept, effects) == (False, (Play(CALL, (Announcement("link_failed"),)),))
    other = replace(lost, message=MessageId("m1"))
    assert after(*KEPT, SENT, other)[1] == ()


def test_in_the_chat_they_stand_where_they_stood() -> None:
    session, effects = after(*KEPT, SENT, hangs_up(), chat())
    assert (session.phase, session.medium) == (Phase.QUEUED, Medium.CHAT)
    enqueue = next(effect for effect in effects if isinstance(effect, Enqueue))
    assert (enqueue.medium, enqueue.accrued_s) == (Medium.CHAT, 4.0)
    assert session.waited_s(START + 15) == 14.0
    assert PauseOffers() not in effects
    session, effects = after(*KEPT, SENT, hangs_up(), chat(), ev.LegAway(leg=CHAT))
    assert effects == (SetTimer("grace:chat", 1800.0),)


def test_a_chat_beside_a_running_call_takes_over_when_the_call_is_hung_up() -> None:
    session, effects = after(*KEPT, SENT, chat(), hangs_up())
    assert (session.phase, session.medium) == (Phase.QUEUED, Medium.CHAT)
    assert PauseOffers() not in effects


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ((*KEPT, SENT, hangs_up()), "grace:call"),
        ((*KEPT, SENT, hangs_up(), chat(), ev.LegAway(leg=CHAT)), "grace:chat"),
        ((*KEPT, hangs_up(reason=LegEnd.NODE_LOST)), "grace:call"),
    ],
)
def test_a_kept_place_that_nobody_comes_back_to_is_owed(script: tuple[ev.Event, ...], name: str) -> None:
    session, effects = after(*script, timer(name))
    assert session.phase is Phase.CALLBACK_PENDING
    assert SetTimer("callback", RULES.callback_s) in effects


def test_who_ends_the_chat_themselves_is_owed_nothing() -> None:
    session, _ = after(*KEPT, SENT, hangs_up(), chat(), hangs_up(CHAT))
    assert session.close_reason is CloseReason.ABANDONED


def test_once_answered_the_chat_has_no_longer_than_any_other() -> None:
    waiting = (*KEPT, SENT, hangs_up(), chat(), ev.LegAway(leg=CHAT))
    session, effects = after(*waiting, offer(1), accept(1))
    assert not session.kept
    assert effects[-1] == SetTimer("grace:chat", 120.0)


def test_only_the_agent_who_has_the_call_asks_for_a_picture() -> None:
    assert after(*TALKING, ev.PictureRequested(by=WANG))[1] == (SendLink(Purpose.PICTURE),)
    assert after(*WAITING, ev.PictureRequested(by=WANG))[1] == ()


def test_a_page_for_pictures_changes_neither_medium_nor_agent() -> None:
    before, _ = after(*TALKING, ev.PictureRequested(by=WANG))
    session, effects = after(*TALKING, ev.PictureRequested(by=WANG), chat())
    assert effects == ()
    assert (session.phase, session.medium, session.assignee) == (Phase.ACTIVE, VOICE, before.assignee)


@pytest.mark.parametrize(
    ("latitude", "longitude", "accuracy_m"),
    [(90.1, 0.0, None), (0.0, -180.1, None), (float("nan"), 0.0, None), (0.0, 0.0, -1.0), (0.0, 0.0, float("inf"))],
)
def test_what_is_no_place_on_earth_is_refused(latitude: float, longitude: float, accuracy_m: float | None) -> None:
    with pytest.raises(ValueError, match="no "):
        ev.LocationReceived(
            leg=CHAT, message=MessageId("m1"), latitude=latitude, longitude=longitude, accuracy_m=accuracy_m
        )


def test_a_chat_that_joins_in_the_grace_does_not_end_it() -> None:
    session, _ = after(*TALKING, DROP, chat())
    assert session.dropped_call is not None
    session, effects = after(*TALKING, DROP, chat(), call(CALL_AGAIN))
    assert any(isinstance(effect, Ring) for effect in effects)


def test_a_log_from_before_is_read_as_it_was() -> None:
    session = replay(SESSION, stamped(WAITING))
    assert (session.kept, session.granted) == (False, 0)
    assert session.legs[0].owner == NODE
