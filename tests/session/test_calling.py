"""The gateway calls the citizen: debts that are called back, and chats that become calls."""

from dataclasses import replace

import pytest

from session import events as ev
from session.address import Address
from session.effects import (
    ClearTimer,
    CloseLeg,
    Dial,
    EndSession,
    Enqueue,
    Join,
    Play,
    Raise,
    Release,
    Ring,
    SetTimer,
    Settle,
    StopRinging,
)
from session.ids import LegId, RecordingId
from session.machine import advance, begin
from session.rules import Rules
from session.state import CloseReason, DebtEnd, DialFailure, LegEnd, LegState, Medium, Party, Phase, Session
from session.step import Step
from tests.session.script import (
    AGENT_CALL,
    ASKED,
    CALL,
    CHAT,
    GUIDE,
    LI,
    LOST,
    NODE,
    OPENED_BY_CALL,
    OPENED_BY_CHAT,
    OTHER_NODE,
    SESSION,
    START,
    WANG,
    accept,
    attempt,
    call,
    chat,
    dialled,
    hangs_up,
    no_room,
    offer,
    rings_page,
    room,
    telephone,
    timer,
    wants_call,
)
from tests.session.stories import STORIES, stamped

RULES = Rules()
VOICE = Medium.VOICE
HOUR_S = 3600.0
MIDNIGHT = 1_789_920_000.0
"""Of a day, by the hotline's clock."""
WRITING = (OPENED_BY_CHAT, chat(), offer(1), accept(1))


def after(*events: ev.Event, rules: Rules = RULES, every_s: float = 1.0, start: float = START) -> Step:
    """The session after a script, and the effects of its last event."""
    log = stamped(events, every_s, start)
    opened = log[0]
    assert isinstance(opened, ev.SessionOpened)
    step: Step = (begin(SESSION, opened), ())
    for event in log:
        step = advance(step[0], event, rules)
    return step


def states(session: Session, party: Party = Party.CITIZEN) -> list[LegState]:
    return [leg.state for leg in session.legs if leg.party is party]


# --- who is owed a call


def missed(wait_s: float, rules: Rules = RULES, **changes: object) -> Step:
    """Somebody waits so long, hangs up, and does not dial again."""
    opened = call()
    came = replace(opened, leg=replace(opened.leg, **changes))  # type: ignore[arg-type]  # whatever a test says
    step: Step = (begin(SESSION, replace(OPENED_BY_CALL, at=START)), ())
    gone = START + wait_s
    log = ((START, OPENED_BY_CALL), (START, came), (gone, hangs_up()), (gone + rules.call_grace_s, timer("grace:call")))
    for at, event in log:
        step = advance(step[0], replace(event, at=at), rules)
    return step


def test_a_caller_who_waited_long_enough_and_left_is_owed_a_call() -> None:
    session, effects = missed(16)
    assert session.phase is Phase.CALLBACK_PENDING
    assert session.debt is not None
    assert SetTimer("callback", RULES.callback_s) in effects
    assert effects[-1] == SetTimer("retry", RULES.callback_pauses_s[0])


def test_one_who_left_at_once_is_not() -> None:
    assert missed(15)[0].close_reason is CloseReason.ABANDONED


@pytest.mark.parametrize(
    "changes",
    [
        {"asserted": False},
        {"address": Address("sip", "8001")},
        {"address": Address("anonymous", "call-1")},
        {"address": Address("tel", "110")},
        {"address": None},
    ],
)
def test_whom_the_network_does_not_vouch_for_is_never_called(changes: dict[str, object]) -> None:
    """A stranger's number can be written into From by anybody: we would ring whom they choose."""
    assert missed(16, RULES, **changes)[0].close_reason is CloseReason.ABANDONED
    opened = call()
    came = replace(opened, leg=replace(opened.leg, **changes))  # type: ignore[arg-type]  # the table above
    session, effects = after(OPENED_BY_CALL, came, hangs_up(reason=LegEnd.NODE_LOST))
    assert session.phase is Phase.CALLBACK_PENDING, "we lost them: their return is waited for all the same"
    assert not [one for one in effects if isinstance(one, SetTimer) and one.name == "retry"]


def test_claims_are_called_where_the_rules_believe_them() -> None:
    believing = replace(RULES, callback_claims=True)
    assert missed(16, believing, asserted=False)[0].phase is Phase.CALLBACK_PENDING


def test_where_we_cannot_call_nobody_is_owed_for_having_left() -> None:
    mute = replace(RULES, callback_pauses_s=())
    assert missed(16, mute)[0].close_reason is CloseReason.ABANDONED
    session, effects = after(*LOST, rules=mute)
    assert session.phase is Phase.CALLBACK_PENDING
    assert effects[-1] == SetTimer("callback", RULES.callback_s)


# --- the attempt


def test_when_it_is_due_it_stands_in_the_line_of_calls_with_its_wait() -> None:
    session, effects = after(*LOST, timer("retry"))
    assert (session.phase, states(session)) == (Phase.QUEUED, [LegState.ENDED, LegState.PLANNED])
    assert effects[0] == Enqueue(OPENED_BY_CALL.demand, VOICE, 1.0)
    assert session.voice_leg(Party.CITIZEN) is None, "nobody is there to hear music"


def test_the_agents_telephone_comes_first_and_the_citizens_second() -> None:
    script = (*LOST, timer("retry"), offer(1, medium=VOICE))
    assert after(*script)[1] == (Ring(attempt(4), WANG, 1, START + 20),)
    session, effects = after(*script, accept(1))
    assert not [one for one in effects if isinstance(one, Dial)]
    session, effects = after(*script, accept(1), telephone(owner=OTHER_NODE))
    assert effects[0] == Dial(attempt(4), WANG, RULES.dial_ring_s)
    assert (session.dial and session.dial.state) is LegState.CALLING
    assert (session.dial and session.dial.owner) == OTHER_NODE, "the node that holds the agent's end makes the call"
    session, effects = after(*script, accept(1), telephone(), dialled(attempt(4)))
    assert effects[:2] == (Join(attempt(4), AGENT_CALL, RecordingId(f"{SESSION}-8")), ClearTimer("media"))
    assert session.recorded


JUDGED = ev.ContactJudged(by=WANG, reached=True)
CALLED_BACK = (*LOST, timer("retry"), offer(1, medium=VOICE), accept(1), telephone(), dialled(attempt(4)))


def test_that_somebody_picked_up_is_not_contact_yet() -> None:
    """An answering machine picks up too: the promise is kept once both were on the line for a while."""
    session, effects = after(*CALLED_BACK)
    assert session.debt is not None
    assert effects[-1] == SetTimer("contact", RULES.contact_after_s)
    session, effects = after(*CALLED_BACK, timer("contact"))
    assert (session.debt, effects[0]) == (None, Settle(DebtEnd.KEPT))


@pytest.mark.parametrize("end", [hangs_up(attempt(4)), hangs_up(AGENT_CALL), ev.ContactFinished(by=WANG)])
def test_a_call_that_was_over_at_once_is_an_attempt_in_vain(end: ev.Event) -> None:
    session, effects = after(*CALLED_BACK, end)
    assert (session.phase, session.debt and session.debt.attempts) == (Phase.CALLBACK_PENDING, 1)
    assert ClearTimer("contact") in effects


def test_the_agent_knows_best_whether_it_was_a_person() -> None:
    session, effects = after(*CALLED_BACK, ev.ContactJudged(by=WANG, reached=True))
    assert (session.debt, effects[0]) == (None, Settle(DebtEnd.KEPT))
    assert after(*CALLED_BACK, ev.ContactJudged(by=WANG, reached=True), hangs_up(attempt(4)))[0].phase is Phase.WRAPPING
    session, effects = after(*CALLED_BACK, ev.ContactJudged(by=WANG, reached=False))
    assert (session.phase, session.debt and session.debt.attempts) == (Phase.CALLBACK_PENDING, 1)
    assert CloseLeg(attempt(4), LegEnd.CLOSED) in effects, "nobody talks to a machine any longer"


def test_only_whose_call_it_is_judges_it_and_only_while_it_runs() -> None:
    for script in ((*CALLED_BACK, ev.ContactJudged(by=LI, reached=False)), (*CALLED_BACK[:-1], JUDGED)):
        session, effects = after(*script)
        assert (session.debt is not None, session.phase, effects) == (True, Phase.ACTIVE, ())


def test_a_failed_attempt_is_not_contact() -> None:
    """The agent is free for the next one at once, and the debt stands."""
    script = (*LOST, timer("retry"), offer(1, medium=VOICE), accept(1), telephone())
    session, effects = after(*script, ev.DialFailed(leg=attempt(4), reason=DialFailure.NO_ANSWER))
    assert (session.phase, session.assignee, session.prefer) == (Phase.CALLBACK_PENDING, None, WANG)
    assert session.debt is not None
    assert session.debt.attempts == 1
    assert effects[:2] == (Release(WANG), CloseLeg(attempt(4), LegEnd.CLOSED))
    assert not [one for one in effects if isinstance(one, Settle)]


@pytest.mark.parametrize(
    "end", [hangs_up(AGENT_CALL), ev.ContactFinished(by=WANG), timer("dial"), hangs_up(AGENT_CALL, LegEnd.NODE_LOST)]
)
def test_however_an_attempt_ends_before_the_citizen_answers_the_debt_stands(end: ev.Event) -> None:
    session, effects = after(*LOST, timer("retry"), offer(1, medium=VOICE), accept(1), telephone(), end)
    assert session.phase is Phase.CALLBACK_PENDING
    assert CloseLeg(attempt(4), LegEnd.CLOSED) in effects


def test_the_bound_of_attempts_closes_it_as_unreached() -> None:
    script = STORIES["called back in vain, four times"]
    session, _ = after(*script)
    assert session.close_reason is CloseReason.UNREACHED
    assert session.debt is not None
    assert session.debt.attempts == 4
    failed = next(index for index, event in reversed([*enumerate(script)]) if isinstance(event, ev.DialFailed))
    effects = after(*script[: failed + 1])[1]
    assert effects[-2:] == (Settle(DebtEnd.UNREACHED), EndSession(CloseReason.UNREACHED))


def test_later_attempts_come_at_other_hours_when_people_are_awake() -> None:
    """Lost at 19:00: at once, at 20:01, and then not at midnight but at eight in the morning."""
    pauses = replace(RULES, callback_pauses_s=(60.0, HOUR_S, 4 * HOUR_S))
    script = STORIES["called back in vain, four times"]
    due: list[float] = []
    log = stamped(script[:19], start=MIDNIGHT + 19 * HOUR_S)
    session = begin(SESSION, log[0])  # type: ignore[arg-type]
    for event in log:
        session, effects = advance(session, event, pauses)
        due += [
            (event.at + one.after_s - MIDNIGHT) / HOUR_S
            for one in effects
            if isinstance(one, SetTimer) and one.name == "retry"
        ]
    assert [round(one, 1) for one in due] == [19.0, 20.0, 24 + 8.0]


def test_an_attempt_that_would_come_after_the_deadline_is_not_made() -> None:
    short = replace(RULES, callback_s=1800.0)
    script = (*LOST, timer("retry"), offer(1, medium=VOICE), accept(1), telephone())
    _, effects = after(*script, ev.DialFailed(leg=attempt(4), reason=DialFailure.BUSY), rules=short)
    assert not [one for one in effects if isinstance(one, SetTimer) and one.name == "retry"]
    session, _ = after(*script, ev.DialFailed(leg=attempt(4), reason=DialFailure.BUSY), timer("callback"), rules=short)
    assert session.close_reason is CloseReason.UNREACHED


# --- a place that was kept


def test_a_kept_place_comes_to_its_turn_without_the_citizen_and_they_are_called() -> None:
    kept = (OPENED_BY_CALL, call(), ev.PlaceKept(leg=CALL), hangs_up())
    session, effects = after(*kept)
    assert (session.phase, states(session)) == (Phase.QUEUED, [LegState.ENDED, LegState.PLANNED])
    assert not [one for one in effects if isinstance(one, Enqueue)], "it has never left its place"
    assert session.debt is not None
    _, effects = after(*kept, offer(1, medium=VOICE))
    assert effects == (Ring(attempt(4), WANG, 1, START + 20),)
    session, effects = after(*kept, chat())
    assert (session.medium, session.debt) == (Medium.CHAT, None), "who goes on in writing is not called"
    session, effects = after(*kept[:3], offer(1, medium=VOICE), hangs_up())
    assert StopRinging(CALL, WANG, 1) in effects


# --- their own return


def test_their_own_call_cancels_the_debt_and_keeps_their_place() -> None:
    back = call(LegId("call-2"))
    session, effects = after(*LOST, timer("retry"), back)
    assert (session.phase, session.debt, states(session)[1:]) == (
        Phase.QUEUED,
        None,
        [LegState.ENDED, LegState.LIVE],
    )
    assert Settle(DebtEnd.RETURNED) in effects
    assert Play(back.leg.id, ()) in effects
    session, effects = after(*LOST, timer("retry"), offer(1, medium=VOICE), back)
    assert StopRinging(attempt(4), WANG, 1) in effects
    assert session.phase is Phase.QUEUED


def test_they_call_while_we_call_them() -> None:
    """What we dial is given up, and the same agent is rung for the call that is there."""
    script = (*LOST, timer("retry"), offer(1, medium=VOICE), accept(1), telephone())
    session, effects = after(*script, call(LegId("call-2")))
    assert (session.phase, session.prefer, session.debt) == (Phase.QUEUED, WANG, None)
    assert CloseLeg(attempt(4), LegEnd.CLOSED) in effects
    assert CloseLeg(AGENT_CALL, LegEnd.CLOSED) in effects
    late, effects = advance(session, dialled(attempt(4)), RULES)
    assert (late.legs, effects) == (session.legs, ()), "who answers the call that was given up is not joined"


# --- a chat becomes a call


def test_the_same_agent_calls_once_they_have_room_for_it() -> None:
    session, effects = after(*WRITING, wants_call())
    assert effects == (Raise(WANG, VOICE), SetTimer("dial", RULES.slot_wait_s))
    assert (session.phase, session.assignee, session.medium) == (Phase.ACTIVE, WANG, VOICE)
    assert after(*WRITING, wants_call(), no_room())[1] == (SetTimer("slot", RULES.slot_retry_s),)
    assert after(*WRITING, wants_call(), no_room(), timer("slot"))[1] == (Raise(WANG, VOICE),)
    _, effects = after(*WRITING, wants_call(), room(1))
    assert effects[0] == Ring(ASKED, WANG, 1, START + 20)
    session, effects = after(*WRITING, wants_call(), room(1), telephone(), dialled(ASKED))
    assert isinstance(effects[0], Join)
    assert (session.assignee, session.leg(CHAT) and session.leg(CHAT).state) == (WANG, LegState.LIVE)  # type: ignore[union-attr]


@pytest.mark.parametrize("reason", DialFailure)
def test_a_call_that_fails_leaves_the_chat_as_it_was(reason: DialFailure) -> None:
    script = (*WRITING, wants_call(), room(1), telephone())
    session, effects = after(*script, ev.DialFailed(leg=ASKED, reason=reason))
    assert (session.phase, session.assignee, session.medium) == (Phase.ACTIVE, WANG, Medium.CHAT)
    assert CloseLeg(AGENT_CALL, LegEnd.CLOSED) in effects
    assert SetTimer("idle", RULES.chat_idle_s) in effects


@pytest.mark.parametrize("end", [hangs_up(AGENT_CALL), hangs_up(ASKED)])
def test_when_the_call_is_over_the_chat_goes_on(end: ev.Event) -> None:
    session, _ = after(*WRITING, wants_call(), room(1), telephone(), dialled(ASKED), end)
    assert (session.phase, session.assignee, session.medium) == (Phase.ACTIVE, WANG, Medium.CHAT)


def test_whoever_would_rather_not_wait_for_their_agent_gets_another() -> None:
    session, effects = after(*WRITING, wants_call(None), no_room(), wants_call(None, anyone=True))
    assert (session.phase, session.prefer, session.assignee) == (Phase.QUEUED, None, None)
    assert effects[0] == Release(WANG)
    assert Enqueue(OPENED_BY_CHAT.demand, VOICE, 2.0) in effects


def test_only_the_agent_who_has_it_may_ask() -> None:
    assert after(*WRITING, wants_call(LI))[1] == ()


# --- their page rings


def test_a_page_rings_at_the_node_that_has_it_and_the_chat_stays() -> None:
    session, effects = after(*WRITING, rings_page())
    assert (session.dial and session.dial.owner, session.medium) == (OTHER_NODE, VOICE)
    assert effects == (Raise(WANG, VOICE), SetTimer("dial", RULES.slot_wait_s)), "one charge, raised"
    _, effects = after(*WRITING, rings_page(), room(1))
    assert effects[0] == Ring(ASKED, WANG, 1, START + 20), "the agent's telephone is the first"
    session, effects = after(*WRITING, rings_page(), room(1), telephone(owner=OTHER_NODE))
    assert effects[0] == Dial(ASKED, WANG, RULES.dial_ring_s)
    session, effects = after(*WRITING, rings_page(), room(1), telephone(owner=OTHER_NODE), dialled(ASKED, OTHER_NODE))
    assert isinstance(effects[0], Join)
    assert states(session) == [LegState.LIVE, LegState.LIVE]


def test_a_page_rings_for_nobody_but_the_agent_who_wanted_it() -> None:
    """Handed on before it rang: whoever takes the chat may ask anew."""
    session, effects = after(*WRITING, rings_page(), no_room(), ev.SessionTransferred(by=WANG, to=LI))
    assert (session.phase, session.dial, session.medium) == (Phase.QUEUED, None, Medium.CHAT)
    assert CloseLeg(ASKED, LegEnd.CLOSED) in effects
    assert {"dial", "slot"} <= {one.name for one in effects if isinstance(one, ClearTimer)}


@pytest.mark.parametrize(
    "before",
    [
        (OPENED_BY_CHAT, chat()),
        (OPENED_BY_CHAT, chat(), offer(1)),
        (*WRITING, ev.SessionParked(by=WANG)),
        (replace(OPENED_BY_CHAT, bot_queue="bots"), chat(), offer(1, GUIDE), accept(1, GUIDE)),
    ],
    ids=["in line", "offered", "parked", "with a bot"],
)
def test_no_page_rings_where_no_agent_has_the_session(before: tuple[ev.Event, ...]) -> None:
    was, _ = after(*before)
    session, effects = after(*before, rings_page())
    assert (replace(session, version=was.version), effects) == (was, ())


def test_a_citizen_in_line_keeps_their_place_for_the_call() -> None:
    session, effects = after(OPENED_BY_CHAT, chat(), wants_call(None))
    assert effects[1] == Enqueue(OPENED_BY_CHAT.demand, VOICE, 1.0)
    assert session.debt is not None, "a call that was asked for is a promise"
    session, _ = after(OPENED_BY_CHAT, chat(), wants_call(None), hangs_up(CHAT, LegEnd.LEFT))
    assert session.phase is Phase.QUEUED, "they need not stay on the page for it"


def test_a_citizen_who_calls_their_agent_is_put_through() -> None:
    session, effects = after(*WRITING, call())
    assert effects == (Play(CALL, ()), Raise(WANG, VOICE), SetTimer("dial", RULES.slot_wait_s))
    _, effects = after(*WRITING, call(), room(1))
    assert effects[0] == Ring(CALL, WANG, 1, START + 20)
    session, effects = after(*WRITING, call(), room(1), telephone(owner=NODE))
    assert isinstance(effects[0], Join)
    session, effects = after(*WRITING, call(), timer("dial"))
    assert (session.phase, session.prefer) == (Phase.QUEUED, WANG)
