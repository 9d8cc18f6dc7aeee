"""Callers whom nobody can take now: what they hear, and what becomes of each way that they may choose."""

from dataclasses import replace

from session import events as ev
from session.audio import Announcement
from session.detouring import GOODBYE, HOTLINE
from session.effects import (
    ClearTimer,
    CloseLeg,
    Effect,
    EndSession,
    Enqueue,
    LetGo,
    OfferWays,
    Owe,
    Play,
    Ring,
    SendLink,
    SetTimer,
    Settle,
    TakeMessage,
    Withdraw,
)
from session.ids import LegId, RecordingId
from session.machine import advance, begin
from session.rules import Rules
from session.state import CloseReason, DebtEnd, Demand, LegEnd, LegState, Medium, Party, Phase, Session
from session.switch import Purpose
from session.ways import Patience, Way
from tests.session.script import (
    CALL,
    CALL_AGAIN,
    CHAT,
    CLOSED,
    FULL,
    OPENED_BY_CALL,
    SESSION,
    START,
    TALKING,
    TOO_OFTEN,
    UNBROUGHT,
    WANG,
    accept,
    attempt,
    call,
    chat,
    claimed,
    hangs_up,
    kept_out,
    offer,
    presses,
    sent,
    spoke,
    timer,
)
from tests.session.stories import stamped

RULES = Rules()
CALLS = Demand("general", 10)
SHUT = (OPENED_BY_CALL, kept_out(CLOSED))
PROMISED = LetGo(CALL, (Announcement("callback_promised"), GOODBYE))


def after(*events: ev.Event, rules: Rules = RULES) -> tuple[Session, tuple[Effect, ...]]:
    """The session after a script, one event a second, and the effects of its last event."""
    log = stamped(events)
    assert isinstance(log[0], ev.SessionOpened)
    session, effects = advance(begin(SESSION, log[0]), log[0], rules)
    for event in log[1:]:
        session, effects = advance(session, event, rules)
    return session, effects


def test_out_of_hours_nobody_stands_in_line_and_the_ways_are_said() -> None:
    session, effects = after(*SHUT)
    assert (session.phase, session.waiting_since) == (Phase.CHOOSING, None)
    said = OfferWays(CALL, (HOTLINE, Announcement("out_of_hours")), tuple(Way))
    assert effects == (said, SetTimer("choice", RULES.choice_s))


def test_a_call_back_out_of_hours_is_due_from_when_people_are_there() -> None:
    opens_at = CLOSED.opens_at or 0.0
    session, effects = after(*SHUT, presses("2"))
    assert (session.phase, session.debt and session.debt.not_before) == (Phase.CALLBACK_PENDING, opens_at)
    assert effects[0] == PROMISED
    assert Owe(opens_at + RULES.callback_s) in effects
    assert SetTimer("retry", opens_at - (START + 2)) in effects
    assert not [one for one in effects if isinstance(one, CloseLeg)], "who hears goodbye is not cut off"
    again, effects = after(*SHUT, presses("2"), timer("retry"))
    assert (again.phase, again.dial and again.dial.id) == (Phase.QUEUED, attempt(4))


def test_nobody_is_offered_a_call_who_could_not_be_called() -> None:
    for script, rules in (((OPENED_BY_CALL, claimed(CLOSED)), RULES), (SHUT, replace(RULES, callback_pauses_s=()))):
        offered = after(*script, rules=rules)[1][0]
        assert isinstance(offered, OfferWays)
        assert offered.ways == (Way.LINK, Way.MESSAGE)
        session, effects = after(*script, presses("2"), rules=rules)
        assert (session.phase, effects) == (Phase.CHOOSING, ())


def test_where_there_is_no_way_the_caller_is_told_and_let_go() -> None:
    session, effects = after(OPENED_BY_CALL, kept_out(replace(CLOSED, ways=())))
    assert effects[0] == LetGo(CALL, (HOTLINE, Announcement("out_of_hours"), GOODBYE))
    session, effects = after(OPENED_BY_CALL, kept_out(replace(CLOSED, ways=())), hangs_up())
    assert session.close_reason is CloseReason.UNSERVED


def test_a_voice_message_is_asked_for_and_waits_in_line_for_an_agent() -> None:
    recording = RecordingId(f"{SESSION}-3")
    session, effects = after(*SHUT, presses("3"))
    deadline = SetTimer("choice", RULES.message_s + RULES.choice_s)
    assert effects == (TakeMessage(CALL, recording, RULES.message_s), deadline)
    session, effects = after(*SHUT, presses("3"), spoke())
    assert (session.phase, session.medium, session.message) == (Phase.QUEUED, Medium.MESSAGE, RecordingId("01J0-4"))
    assert effects[0] == LetGo(CALL, (Announcement("message_taken"), GOODBYE))
    assert Enqueue(CALLS, Medium.MESSAGE, 0.0) in effects
    session, effects = after(*SHUT, presses("3"), spoke(), hangs_up(), offer(1, medium=Medium.MESSAGE), accept(1))
    assert (session.phase, session.assignee) == (Phase.ACTIVE, WANG)
    assert not [one for one in effects if isinstance(one, Ring)]
    assert SetTimer("idle", RULES.chat_idle_s) in effects


def test_whoever_says_nothing_is_asked_again() -> None:
    session, effects = after(*SHUT, presses("3"), spoke(0.0))
    assert session.phase is Phase.CHOOSING
    assert effects[0] == OfferWays(CALL, (Announcement("message_empty"),), tuple(Way))


def test_a_message_is_never_lost_by_a_call_that_comes_after_it() -> None:
    waits = (*SHUT, presses("3"), spoke(), hangs_up())
    session, effects = after(*waits, kept_out(CLOSED, CALL_AGAIN))
    assert session.phase is Phase.CHOOSING
    assert effects[0] == Withdraw()
    session, effects = after(*waits, kept_out(CLOSED, CALL_AGAIN), hangs_up(CALL_AGAIN))
    assert (session.phase, session.medium) == (Phase.QUEUED, Medium.MESSAGE)
    late = (*SHUT, presses("3"), kept_out(CLOSED, CALL_AGAIN), spoke())
    session, effects = after(*late)
    assert (session.phase, session.message) == (Phase.CHOOSING, RecordingId("01J0-4")), "who calls again is still there"
    assert not [one for one in effects if isinstance(one, Enqueue)]
    session, _ = after(*late, hangs_up(CALL_AGAIN))
    assert (session.phase, session.medium) == (Phase.QUEUED, Medium.MESSAGE)
    by_day = (*waits, call(CALL_AGAIN))
    assert after(*by_day)[0].medium is Medium.VOICE
    unreachable = after(*by_day, hangs_up(CALL_AGAIN, LegEnd.CLOSED), rules=replace(RULES, callback_pauses_s=()))[0]
    assert (unreachable.phase, unreachable.medium) == (Phase.QUEUED, Medium.MESSAGE)


def test_a_link_lets_the_caller_go_and_brings_them_back() -> None:
    session, effects = after(*SHUT, presses("1"))
    assert effects == (SendLink(Purpose.SWITCH), SetTimer("choice", RULES.choice_s))
    session, effects = after(*SHUT, presses("1"), sent())
    assert session.phase is Phase.PARKED
    assert effects[0] == LetGo(CALL, (Announcement("link_sent"), GOODBYE))
    assert SetTimer("park", RULES.link_s) in effects
    session, _ = after(*SHUT, presses("1"), sent(), hangs_up(), chat())
    assert (session.phase, session.medium, session.kept) == (Phase.QUEUED, Medium.CHAT, False)
    assert after(*SHUT, presses("1"), hangs_up())[0].phase is Phase.PARKED, "gone before the text was sent"
    assert after(*SHUT, presses("1"), sent(), timer("park"))[0].close_reason is CloseReason.EXPIRED


def test_a_link_that_fails_is_told_or_owed() -> None:
    failed = ev.LinkFailed(purpose=Purpose.SWITCH, reason="nowhere", link="3.0")
    _, effects = after(*SHUT, presses("1"), failed)
    assert effects[0] == OfferWays(CALL, (Announcement("way_failed"),), tuple(Way))
    for fault in (failed, UNBROUGHT):
        session, _ = after(*SHUT, presses("1"), hangs_up(), fault)
        assert session.phase is Phase.CALLBACK_PENDING
    assert after(*SHUT, presses("1"), replace(failed, purpose=Purpose.PICTURE))[1] == ()


def test_the_ways_are_said_twice_then_goodbye_then_the_line_is_cut() -> None:
    _, effects = after(*SHUT, timer("choice"))
    assert effects[0] == OfferWays(CALL, (Announcement("out_of_hours"),), tuple(Way))
    _, effects = after(*SHUT, *[timer("choice")] * 2)
    assert effects[0] == LetGo(CALL, (GOODBYE,))
    session, effects = after(*SHUT, *[timer("choice")] * 3)
    assert session.close_reason is CloseReason.UNSERVED
    assert effects[0] == CloseLeg(CALL, LegEnd.CLOSED)
    assert effects[-1] == EndSession(CloseReason.UNSERVED)


def test_a_full_line_owes_whoever_chooses_nothing() -> None:
    session, effects = after(OPENED_BY_CALL, kept_out(FULL), hangs_up())
    assert session.phase is Phase.CALLBACK_PENDING
    assert SetTimer("retry", RULES.callback_pauses_s[0]) in effects
    shut = after(*SHUT, hangs_up())[0]
    assert shut.close_reason is CloseReason.UNSERVED


def test_whoever_stands_in_line_keeps_the_place_though_it_is_full_or_closed_now() -> None:
    waiting = (OPENED_BY_CALL, call(), hangs_up())
    for detour in (FULL, CLOSED):
        session, _ = after(*waiting, kept_out(detour, CALL_AGAIN))
        assert (session.phase, session.detour) == (Phase.QUEUED, None)


def test_who_is_owed_a_call_and_calls_is_owed_it_still_where_nothing_is_chosen() -> None:
    owed = (OPENED_BY_CALL, kept_out(FULL), hangs_up())
    session, effects = after(*owed, kept_out(FULL, CALL_AGAIN))
    assert (session.phase, session.debt is not None) == (Phase.CHOOSING, True)
    assert ClearTimer("retry") in effects, "nobody calls a number that is on the line"
    session, effects = after(*owed, kept_out(FULL, CALL_AGAIN), hangs_up(CALL_AGAIN))
    assert session.phase is Phase.CALLBACK_PENDING
    assert any(isinstance(one, SetTimer) and one.name == "retry" for one in effects)
    assert after(*owed, kept_out(FULL, CALL_AGAIN), call(LegId("third-try")))[0].debt is None


def test_a_number_that_calls_over_and_over_disturbs_no_call_of_its_own() -> None:
    told = LetGo(CALL_AGAIN, (Announcement("too_often"), GOODBYE))
    for script in ((OPENED_BY_CALL, call()), TALKING, (OPENED_BY_CALL, kept_out(TOO_OFTEN))):
        session, effects = after(*script, kept_out(TOO_OFTEN, CALL_AGAIN))
        assert effects == (told,)
        assert session.phase is after(*script)[0].phase
        assert [leg.id for leg in session.live_legs(Party.CITIZEN)] == [CALL]
    first, effects = after(OPENED_BY_CALL, kept_out(TOO_OFTEN))
    assert first.phase is Phase.CHOOSING
    assert effects[0] == OfferWays(CALL, (HOTLINE, Announcement("too_often")), (Way.MESSAGE,))


def test_what_was_set_aside_goes_on_and_the_call_is_told() -> None:
    script = (*SHUT, presses("1"), sent(), hangs_up())
    session, effects = after(*script, kept_out(CLOSED, CALL_AGAIN))
    assert session.phase is Phase.PARKED
    assert effects == (LetGo(CALL_AGAIN, (Announcement("out_of_hours"), GOODBYE)),)
    chatting = (replace(OPENED_BY_CALL, bot_queue="bots"), chat())
    session, effects = after(*chatting, kept_out(CLOSED, CALL_AGAIN))
    assert ([leg.id for leg in session.live_legs(Party.CITIZEN)], session.medium) == ([CHAT], Medium.CHAT)
    assert effects == (LetGo(CALL_AGAIN, (Announcement("out_of_hours"), GOODBYE)),)


def test_too_long_in_one_line_is_another_line_with_the_same_wait() -> None:
    patience = Patience(300.0, "night", (Way.CALL_BACK,))
    script = (OPENED_BY_CALL, replace(call(), patience=patience))
    assert SetTimer("patience", 300.0) in after(*script)[1]
    session, effects = after(*script, timer("patience"))
    assert (session.phase, session.demand) == (Phase.QUEUED, Demand("night", 10))
    assert effects[:2] == (Withdraw(), Enqueue(Demand("night", 10), Medium.VOICE, 1.0))
    assert effects[-1] == SetTimer("patience", 300.0)
    assert after(*script, offer(1, medium=Medium.VOICE), accept(1), timer("patience"))[1] == ()


def test_whoever_went_on_by_a_link_may_still_open_it_when_the_call_that_was_owed_is_overdue() -> None:
    owed = (OPENED_BY_CALL, kept_out(FULL), hangs_up())
    went_on = (*owed, kept_out(CLOSED, CALL_AGAIN), presses("1", CALL_AGAIN), sent())
    assert after(*went_on, hangs_up(CALL_AGAIN))[0].debt is not None
    session, effects = after(*went_on, hangs_up(CALL_AGAIN), timer("callback"))
    assert (session.phase, session.debt) == (Phase.PARKED, None)
    assert Settle(DebtEnd.UNREACHED) in effects
    assert after(*went_on, hangs_up(CALL_AGAIN), timer("callback"), chat())[0].phase is Phase.QUEUED


def test_too_long_in_line_offers_the_ways_and_keeps_the_place() -> None:
    script = (OPENED_BY_CALL, replace(call(), patience=Patience(300.0, "", tuple(Way))), timer("patience"))
    session, effects = after(*script)
    assert session.phase is Phase.QUEUED
    assert effects == (OfferWays(CALL, (Announcement("all_busy"),), tuple(Way)),)
    session, effects = after(*script, presses("2"))
    assert (session.phase, session.kept) == (Phase.QUEUED, True)
    assert effects == (PROMISED, SetTimer("announce", RULES.announce_s[-1]))
    session, effects = after(*script, presses("2"), hangs_up())
    assert (session.phase, session.dial is not None) == (Phase.QUEUED, True), "called when the turn comes"
    session, effects = after(*script, offer(1, medium=Medium.VOICE), presses("3"))
    assert session.phase is Phase.CHOOSING
    assert effects[0] == Withdraw()
    assert isinstance(effects[-2], TakeMessage)
    assert session.accrued_wait_s > 0


def test_keys_mean_nothing_where_nothing_was_offered() -> None:
    for digit in "123":
        assert after(OPENED_BY_CALL, call(), presses(digit))[1] == ()
    assert after(*SHUT, presses("9"))[1] == ()
    assert after(*SHUT, presses("2", LegId("another")))[1] == ()


def test_a_call_by_day_after_one_by_night_is_welcomed_in_line() -> None:
    session, effects = after(*SHUT, call(CALL_AGAIN))
    assert session.phase is Phase.QUEUED
    assert CloseLeg(CALL, LegEnd.CLOSED) in effects
    assert Play(CALL_AGAIN, ()) in effects
    assert [leg.id for leg in session.legs if leg.state is not LegState.ENDED] == [CALL_AGAIN]
