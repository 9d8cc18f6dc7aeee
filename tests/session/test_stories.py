"""Scripts of events, and the effects that are expected of each."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from session import events as ev
from session.audio import Announcement
from session.effects import (
    AnnouncePlace,
    ClearTimer,
    CloseLeg,
    Deliver,
    Effect,
    EndSession,
    Enqueue,
    Join,
    LetCitizenGo,
    Owe,
    PauseOffers,
    Play,
    Release,
    Ring,
    SetTimer,
    Settle,
    StopRinging,
    Withdraw,
    Wrap,
)
from session.ids import LegId, MessageId, RecordingId
from session.machine import advance, begin
from session.rules import Rules
from session.state import AssigneeKind, CloseReason, DebtEnd, Demand, LegEnd, LegState, Medium, Party, Phase, Session
from tests.session.script import (
    AGENT_CALL,
    AGENT_CALL_2,
    CALL,
    CHAT,
    GUIDE,
    LI,
    OPENED_BY_CALL,
    OPENED_BY_CHAT,
    OPENED_OUT_OF_HOURS,
    OTHER_NODE,
    SESSION,
    START,
    WANG,
    accept,
    call,
    chat,
    expire,
    hangs_up,
    offer,
    said,
    telephone,
    timer,
    wrote,
)
from tests.session.stories import stamped

RULES = Rules()
GENERAL = Demand("general")
CALLS = Demand("general", 10)
VOICE = Medium.VOICE


def after(*events: ev.Event, every_s: float = 1.0) -> tuple[Session, tuple[Effect, ...]]:
    """The session after a script, and the effects of its last event."""
    log = stamped(events, every_s)
    assert isinstance(log[0], ev.SessionOpened)
    session, effects = advance(begin(SESSION, log[0]), log[0], RULES)
    for event in log[1:]:
        session, effects = advance(session, event, RULES)
    return session, effects


def test_a_caller_is_welcomed_and_stands_in_line() -> None:
    session, effects = after(OPENED_BY_CALL, call())
    assert (session.phase, session.waiting_since) == (Phase.QUEUED, START + 1)
    assert effects == (
        Enqueue(CALLS, VOICE, 0.0),
        ClearTimer("idle"),
        Play(CALL, (Announcement("welcome"), Announcement("recording_notice"))),
        SetTimer("announce", 12.0),
    )


def test_the_place_is_said_at_pauses_that_grow() -> None:
    script: list[ev.Event] = [OPENED_BY_CALL, call()]
    for pause_s in (30.0, 45.0, 60.0, 60.0):
        script.append(timer("announce"))
        assert after(*script)[1] == (AnnouncePlace(CALL), SetTimer("announce", pause_s))


def test_an_answered_call() -> None:
    script: list[ev.Event] = [OPENED_BY_CALL, call(), offer(1, medium=VOICE)]
    session, effects = after(*script)
    assert (session.phase, effects) == (Phase.OFFERED, (Ring(CALL, WANG, 1, START + 20),))
    session, effects = after(*script, accept(1))
    assert (session.phase, session.assignee, session.accrued_wait_s) == (Phase.ACTIVE, WANG, 2.0)
    assert effects == (ClearTimer("announce"), SetTimer("media", 10.0))
    session, effects = after(*script, accept(1), telephone())
    assert effects == (Join(CALL, AGENT_CALL, RecordingId(f"{SESSION}-5")), ClearTimer("media"))
    assert session.recorded
    session, effects = after(*script, accept(1), telephone(), hangs_up())
    assert session.phase is Phase.WRAPPING
    assert effects[:3] == (CloseLeg(AGENT_CALL, LegEnd.CLOSED), Wrap(WANG), LetCitizenGo())
    assert SetTimer("wrap", 30.0) in effects
    session, effects = after(*script, accept(1), telephone(), hangs_up(), ev.WrapFinished(by=WANG))
    assert (session.phase, session.close_reason) == (Phase.CLOSED, CloseReason.COMPLETED)
    assert effects == (Release(WANG), EndSession(CloseReason.COMPLETED))


def test_the_agent_hangs_up_first() -> None:
    session, effects = after(
        OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), telephone(), hangs_up(AGENT_CALL)
    )
    assert session.phase is Phase.WRAPPING
    assert CloseLeg(CALL, LegEnd.CLOSED) in effects


def test_a_caller_who_leaves_while_it_rings() -> None:
    script = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), hangs_up())
    session, effects = after(*script)
    assert session.phase is Phase.QUEUED
    assert effects == (
        PauseOffers(),
        StopRinging(CALL, WANG, 1),
        ClearTimer("announce"),
        SetTimer("grace:call", 60.0),
    )
    session, effects = after(*script, timer("grace:call"))
    assert (session.phase, session.close_reason) == (Phase.CLOSED, CloseReason.ABANDONED)
    assert effects == (Withdraw(), EndSession(CloseReason.ABANDONED))


def test_answer_and_hang_up_race_to_exactly_one_end() -> None:
    """Law 10: whichever is first in the log has it, and the other finds the session as that left it."""
    base = (OPENED_BY_CALL, call(), offer(1, medium=VOICE))
    session, effects = after(*base, hangs_up(), accept(1))
    assert (session.phase, session.assignee, effects) == (Phase.QUEUED, None, ())
    session, effects = after(*base, hangs_up(), timer("grace:call"), accept(1))
    assert (session.close_reason, session.assignee, effects) == (CloseReason.ABANDONED, None, ())
    session, _ = after(*base, accept(1), hangs_up())
    assert (session.phase, session.assignee) == (Phase.WRAPPING, WANG)


def test_nobody_picks_up_and_the_next_one_does() -> None:
    script: list[ev.Event] = [OPENED_BY_CALL, call(), offer(1, medium=VOICE), expire(1)]
    session, effects = after(*script)
    assert (session.phase, session.waited_s(START + 3)) == (Phase.QUEUED, 2.0)
    assert effects == (StopRinging(CALL, WANG, 1),)
    session, effects = after(*script, offer(2, LI, VOICE), accept(2, LI))
    assert (session.phase, session.assignee, session.accrued_wait_s) == (Phase.ACTIVE, LI, 4.0)


@pytest.mark.parametrize(
    "answer",
    [expire(1), accept(1), ev.OfferDeclined(token=1, assignee=WANG, reason="desk")],
)
def test_an_old_token_counts_for_nothing(answer: ev.Event) -> None:
    script = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), expire(1), offer(2, LI, VOICE))
    assert replace(after(*script, answer)[0], version=0) == replace(after(*script)[0], version=0)


def test_a_call_that_never_comes_up_goes_back_in_line() -> None:
    session, effects = after(OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), timer("media"))
    assert (session.phase, session.prefer, session.assignee) == (Phase.QUEUED, WANG, None)
    assert effects[:2] == (Release(WANG), Enqueue(CALLS, VOICE, 2.0, WANG))
    assert Play(CALL, ()) in effects


def test_an_agents_call_that_breaks_goes_back_in_line_with_the_wait() -> None:
    session, effects = after(
        OPENED_BY_CALL,
        call(),
        offer(1, medium=VOICE),
        accept(1),
        telephone(),
        hangs_up(AGENT_CALL, LegEnd.LOST),
        every_s=5,
    )
    assert session.waited_s(session.waiting_since or 0) == 10.0
    assert effects[:2] == (Release(WANG), Enqueue(CALLS, VOICE, 10.0, WANG))


@pytest.mark.parametrize("before", [(), (telephone(),)])
def test_a_second_telephone_or_a_late_one_is_hung_up(before: Sequence[ev.Event]) -> None:
    answered = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1))
    late = telephone(AGENT_CALL_2)
    script = (*answered, telephone(), late) if before else (*answered, timer("media"), late)
    session, effects = after(*script)
    assert effects == (CloseLeg(AGENT_CALL_2, LegEnd.CLOSED),)
    assert AGENT_CALL_2 not in {leg.id for leg in session.live_legs(Party.ASSIGNEE)}


def test_a_leg_that_is_said_twice_is_one() -> None:
    script = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), telephone())
    assert after(*script, telephone())[1] == ()
    assert len(after(*script, telephone(), call())[0].legs) == 2


def test_a_chat_that_is_cut_keeps_its_place_for_its_grace() -> None:
    script = (OPENED_BY_CHAT, chat(), ev.LegAway(leg=CHAT))
    session, effects = after(*script)
    assert (session.phase, effects) == (Phase.QUEUED, (SetTimer("grace:chat", 120.0),))
    session, effects = after(*script, ev.LegBack(leg=CHAT, owner=OTHER_NODE))
    leg = session.leg(CHAT)
    assert leg is not None
    assert (leg.state, leg.owner, effects) == (LegState.LIVE, OTHER_NODE, (ClearTimer("grace:chat"),))
    session, effects = after(*script, timer("grace:chat"))
    assert (session.close_reason, effects) == (CloseReason.ABANDONED, (Withdraw(), EndSession(CloseReason.ABANDONED)))
    assert after(*script, ev.LegBack(leg=CHAT, owner=OTHER_NODE), timer("grace:chat"))[0].phase is Phase.QUEUED


def test_what_the_agent_writes_goes_to_the_citizens_text_legs() -> None:
    script = (OPENED_BY_CHAT, chat(), chat(LegId("chat-2")), offer(1), accept(1))
    _, effects = after(*script, said())
    assert effects == (
        Deliver(CHAT, MessageId("m2")),
        Deliver(LegId("chat-2"), MessageId("m2")),
        SetTimer("idle", RULES.chat_idle_s),
    )
    _, effects = after(OPENED_BY_CHAT, chat(), said(by=GUIDE))
    assert effects == (Deliver(CHAT, MessageId("m2")),)


def test_a_lost_node_leaves_a_debt_that_the_citizens_return_pays() -> None:
    script = (OPENED_BY_CALL, call(), hangs_up(reason=LegEnd.NODE_LOST))
    session, effects = after(*script)
    assert (session.phase, session.accrued_wait_s) == (Phase.CALLBACK_PENDING, 1.0)
    assert effects[0] == Withdraw()
    assert effects[-3:] == (
        Owe(session.opened_at + 2 + RULES.callback_s),
        SetTimer("callback", RULES.callback_s),
        SetTimer("retry", RULES.callback_pauses_s[0]),
    )
    session, effects = after(*script, call(LegId("call-2"), OTHER_NODE))
    assert session.phase is Phase.QUEUED
    assert effects[:4] == (
        ClearTimer("park"),
        Settle(DebtEnd.RETURNED),
        ClearTimer("callback"),
        ClearTimer("retry"),
    )
    assert effects[4] == Enqueue(CALLS, VOICE, 1.0)
    session, effects = after(*script, timer("callback"))
    assert session.close_reason is CloseReason.UNREACHED
    assert effects == (Settle(DebtEnd.UNREACHED), EndSession(CloseReason.UNREACHED))


def test_a_call_lost_while_it_is_answered_is_owed_by_the_same_agent_first() -> None:
    script = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), telephone(), hangs_up(reason=LegEnd.NODE_LOST))
    session, effects = after(*script)
    assert (session.phase, session.prefer) == (Phase.CALLBACK_PENDING, WANG)
    assert effects[:2] == (Release(WANG), CloseLeg(AGENT_CALL, LegEnd.CLOSED))


@pytest.mark.parametrize("lost", [(hangs_up(reason=LegEnd.NODE_LOST),), ()])
def test_an_agents_telephone_is_not_the_citizens_return(lost: Sequence[ev.Event]) -> None:
    """It comes up just after the citizen's node was lost, or the session parked."""
    script = (
        (OPENED_BY_CALL, call(), *lost)
        if lost
        else (OPENED_BY_CHAT, chat(), offer(1), accept(1), ev.SessionParked(by=WANG))
    )
    session, effects = after(*script, telephone())
    assert session.phase is after(*script)[0].phase
    assert effects == (CloseLeg(AGENT_CALL, LegEnd.CLOSED),)


def test_out_of_hours_a_bot_answers_and_lets_go_at_a_word() -> None:
    assert after(OPENED_OUT_OF_HOURS, chat())[1][0] == Enqueue(Demand("bots"), Medium.CHAT, 0.0)
    script = (OPENED_OUT_OF_HOURS, chat(), offer(1, GUIDE), accept(1, GUIDE))
    session, effects = after(*script)
    assert (session.phase, session.assignee_kind) == (Phase.BOT, AssigneeKind.BOT)
    session, effects = after(*script, ev.HumanRequested(by=GUIDE), every_s=2)
    assert (session.phase, session.bot_queue, session.assignee) == (Phase.QUEUED, "", None)
    assert effects == (Release(GUIDE), Enqueue(GENERAL, Medium.CHAT, 4.0), ClearTimer("idle"))


def test_a_call_is_no_bots() -> None:
    """It can hear nothing and say nothing: whoever calls stands in the humans' line, and hears music there."""
    waiting = (OPENED_OUT_OF_HOURS, chat())
    for before in ((), (offer(1, GUIDE),), (offer(1, GUIDE), accept(1, GUIDE))):
        session, effects = after(*waiting, *before, call())
        assert (session.phase, session.bot_queue, session.medium) == (Phase.QUEUED, "", VOICE)
        assert Enqueue(GENERAL, VOICE, session.accrued_wait_s) in effects
        assert effects[-2:] == (Play(CALL, ()), SetTimer("announce", 12.0))


@pytest.mark.parametrize("offered", [(), (offer(1, GUIDE),)])
def test_a_human_may_be_asked_for_before_the_bot_has_come(offered: Sequence[ev.Event]) -> None:
    session, effects = after(OPENED_OUT_OF_HOURS, chat(), *offered, ev.HumanRequested())
    assert (session.phase, session.offer, session.bot_queue) == (Phase.QUEUED, None, "")
    assert effects[:2] == (Withdraw(), Enqueue(GENERAL, Medium.CHAT, 1.0 + len(offered)))
    assert after(OPENED_BY_CHAT, chat(), ev.HumanRequested())[1] == ()


def test_no_offer_may_slip_in_while_a_human_is_asked_for() -> None:
    """Else the bot's accept would follow the withdrawal in the log, and the session be nobody's (law 10)."""
    assert ev.HumanRequested.vital


def test_a_parked_session_charges_nobody_and_comes_back_to_its_agent() -> None:
    script = (OPENED_BY_CHAT, chat(), offer(1), accept(1), ev.SessionParked(by=WANG))
    session, effects = after(*script)
    assert (session.phase, session.assignee, session.prefer) == (Phase.PARKED, None, WANG)
    assert effects[0] == Release(WANG)
    assert effects[-1] == SetTimer("park", RULES.park_s)
    back = (ClearTimer("park"), Enqueue(GENERAL, Medium.CHAT, 2.0, WANG), ClearTimer("idle"))
    assert after(*script, wrote())[1] == back
    assert after(*script, ev.SessionResumed(by=WANG))[1] == back
    assert after(*script, ev.SessionResumed(by=LI))[0].prefer == LI
    assert after(*script, timer("park"))[0].close_reason is CloseReason.EXPIRED


def test_only_its_assignee_parks_finishes_or_wraps() -> None:
    base = (OPENED_BY_CHAT, chat(), offer(1), accept(1))
    for act in (ev.SessionParked(by=LI), ev.ContactFinished(by=LI)):
        assert after(*base, act)[0].phase is Phase.ACTIVE
    assert after(*base, ev.ContactFinished(by=WANG), ev.WrapFinished(by=LI))[0].phase is Phase.WRAPPING
    calling = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), telephone(), ev.SessionParked(by=WANG))
    assert after(*calling)[0].phase is Phase.ACTIVE


def test_wrap_up_ends_by_hand_or_by_time_or_by_the_citizens_word() -> None:
    base = (OPENED_BY_CHAT, chat(), offer(1), accept(1), ev.ContactFinished(by=WANG))
    assert after(*base)[1][0] == CloseLeg(CHAT, LegEnd.CLOSED)
    _, effects = after(*base, ev.WrapExtended(by=WANG, for_s=90.0))
    assert effects == (SetTimer("wrap", 90.0),)
    assert after(*base, ev.WrapExtended(by=LI, for_s=90.0))[1] == ()
    for end in (timer("wrap"), ev.WrapFinished(by=WANG)):
        session, effects = after(*base, end)
        assert (session.close_reason, effects[0]) == (CloseReason.COMPLETED, Release(WANG))
    session, effects = after(*base, wrote())
    assert (session.phase, session.prefer) == (Phase.QUEUED, WANG)
    assert effects[:3] == (ClearTimer("wrap"), Release(WANG), Enqueue(GENERAL, Medium.CHAT, 2.0, WANG))


def test_a_chat_waits_for_its_agents_desk_and_then_goes_back_in_line() -> None:
    base = (OPENED_BY_CHAT, chat(), offer(1), accept(1), ev.AssigneeAway(assignee=WANG))
    assert after(*base)[1] == (SetTimer("assignee", 60.0),)
    assert after(*base, ev.AssigneeBack(assignee=WANG))[1] == (ClearTimer("assignee"),)
    session, effects = after(*base, timer("assignee"))
    assert (session.phase, effects[:2]) == (Phase.QUEUED, (Release(WANG), Enqueue(GENERAL, Medium.CHAT, 2.0, WANG)))


def test_a_softphones_call_needs_no_desk() -> None:
    script = (OPENED_BY_CALL, call(), offer(1, medium=VOICE), accept(1), telephone(), ev.AssigneeAway(assignee=WANG))
    assert after(*script)[1] == ()


def test_a_waiting_chat_that_becomes_a_call_keeps_its_wait() -> None:
    session, effects = after(OPENED_BY_CHAT, chat(), offer(1), call())
    assert (session.phase, session.offer) == (Phase.QUEUED, None)
    assert effects[:2] == (Withdraw(), Enqueue(GENERAL, VOICE, 2.0))
    assert Play(CALL, ()) in effects


def test_a_call_that_goes_on_as_a_chat_has_a_deadline() -> None:
    """Law 7: nothing else would ever end it if both fall silent."""
    script = (OPENED_BY_CALL, call(), chat(), offer(1, medium=VOICE), accept(1), telephone(), hangs_up())
    session, effects = after(*script)
    assert session.phase is Phase.ACTIVE
    assert effects == (CloseLeg(AGENT_CALL, LegEnd.CLOSED), ClearTimer("media"), SetTimer("idle", RULES.chat_idle_s))
    assert after(*script, ev.SessionParked(by=WANG))[0].live_legs(Party.ASSIGNEE) == ()
    assert after(*script, timer("idle"))[0].phase is Phase.WRAPPING


def test_a_citizen_who_comes_back_before_the_write_up_is_done_is_served_again() -> None:
    """On another page, and its first word with it: both came in one commit, behind the end that nobody had absorbed."""
    other = LegId("chat-2")
    base = (OPENED_BY_CHAT, chat(), offer(1), accept(1), ev.ContactFinished(by=WANG))
    session, effects = after(*base, chat(other, OTHER_NODE))
    assert (session.phase, session.prefer, session.medium) == (Phase.QUEUED, WANG, Medium.CHAT)
    assert effects[:2] == (ClearTimer("wrap"), Release(WANG))
    session, _ = after(*base, chat(other, OTHER_NODE), wrote(leg=other))
    assert [leg.id for leg in session.live_legs(Party.CITIZEN)] == [other]
    assert after(*base, telephone())[1] == (CloseLeg(AGENT_CALL, LegEnd.CLOSED),)
    assert after(*base, wrote(leg=LegId("nobody's")))[0].phase is Phase.WRAPPING
