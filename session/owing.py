"""Calls that we owe: who is to be called back, when, how often, and how the debt ends. Used by `session.machine`.

A caller who waited and left, or whom we lost, is owed a call (漏接回拨). It is made when an agent is free for it, again
at other hours where it was in vain, and the debt ends by contact, by the citizen's own return, or at its bound.
"""

from __future__ import annotations

from dataclasses import replace

from session.calling import ContactJudged
from session.effects import ClearTimer, Effect, Owe, SetTimer, Settle
from session.ending import close, ended, letting_go
from session.events import Event
from session.ids import LegId
from session.number import SCHEME
from session.rules import Rules
from session.state import (
    HELD_NOWHERE,
    CloseReason,
    Debt,
    DebtEnd,
    Leg,
    LegState,
    Medium,
    Party,
    Phase,
    Redeemed,
    Session,
)
from session.step import Step
from session.timers import ANNOUNCE, ASSIGNEE, CALLBACK, CONTACT, IDLE, MEDIA, RETRY
from session.waiting import no_call_awaited, stop_waiting, wait

_HOTLINE_UTC_S = 8 * 3600
"""Asia/Shanghai has kept to UTC+8, without summer time, since 1991."""
_DAY_S = 24 * 3600


def is_owed(session: Session, left_at: float, rules: Rules) -> bool:
    """Whether a caller who left then had waited long enough, and can be called."""
    return session.waited_s(left_at) > rules.missed_after_s and can_be_called(session, rules)


def can_be_called(session: Session, rules: Rules) -> bool:
    """Whether we can call, and have a number of theirs to call."""
    return bool(rules.callback_pauses_s) and _reached_by(session, rules) is not None


def held(session: Session, event: Event, rules: Rules) -> Step:
    """A place that was kept stands in line without the citizen: when its turn comes they are called."""
    leg = _reached_by(session, rules)
    if leg is None:
        return session, ()
    return promised(_to_be_called(session, leg), event, rules)


def owe(session: Session, event: Event, rules: Rules, *, tried: bool = False, not_before: float = 0.0) -> Step:
    """A call is owed, or owed still; their own return cancels it. `tried`: one was made in vain.

    `not_before` is when people are there again; the time to pay it begins then.
    """
    debt = session.debt or _new_debt(event, rules, not_before)
    if tried:
        debt = replace(debt, attempts=debt.attempts + 1)
    if event.at >= debt.due_at or (tried and debt.attempts >= len(rules.callback_pauses_s)):
        return close(replace(session, debt=debt), event, CloseReason.UNREACHED)
    owed = replace(
        stop_waiting(session, event.at),
        phase=Phase.CALLBACK_PENDING,
        offer=None,
        prefer=session.assignee or session.prefer,
        assignee=None,
        assignee_kind=None,
        legs=ended(session.legs),
        debt=debt,
    )
    timers = tuple(ClearTimer(name) for name in (ANNOUNCE, MEDIA, ASSIGNEE, IDLE, *((CONTACT,) if tried else ())))
    _, promise = promised(session, event, rules, not_before)
    forgotten = (*timers, *no_call_awaited(session))
    return owed, (*letting_go(session), *forgotten, *promise, *_next_attempt(owed, debt, event, rules))


def promised(session: Session, event: Event, rules: Rules, not_before: float = 0.0) -> Step:
    """A call is to be made by its deadline, whatever becomes of the session until then."""
    if session.debt is not None:
        return session, ()
    debt = _new_debt(event, rules, not_before)
    return replace(session, debt=debt), (Owe(debt.due_at), SetTimer(CALLBACK, debt.due_at - event.at))


def _new_debt(event: Event, rules: Rules, not_before: float) -> Debt:
    return Debt(event.at, max(event.at, not_before) + rules.callback_s, not_before=not_before)


def settled(session: Session, event: Event, end: DebtEnd) -> Step:
    """The call is owed no more; nothing where none was."""
    if session.debt is None:
        return session, ()
    redeemed = Redeemed(event.at, session.debt.due_at, end)
    return replace(session, debt=None, redeemed=redeemed), (Settle(end), ClearTimer(CALLBACK), ClearTimer(RETRY))


def talked(session: Session, event: Event, rules: Rules) -> Step:
    """Both have been on the line for so long that it was no machine."""
    both = session.voice_leg(Party.CITIZEN) is not None and session.voice_leg(Party.ASSIGNEE) is not None
    return settled(session, event, DebtEnd.KEPT) if both else (session, ())


def judged(session: Session, event: Event, rules: Rules) -> Step:
    """Whoever was on the line knows best. A machine is hung up on, and the citizen owed the call still."""
    assert isinstance(event, ContactJudged)
    if session.debt is None or session.assignee != event.by or session.voice_leg(Party.CITIZEN) is None:
        return session, ()
    if not event.reached:
        return owe(session, event, rules, tried=True)
    kept, paid = settled(session, event, DebtEnd.KEPT)
    return kept, (*paid, ClearTimer(CONTACT))


def call_back(session: Session, event: Event, rules: Rules) -> Step:
    """The next attempt is due: the session stands in line again, for an agent who is there when it is made."""
    leg = _reached_by(session, rules)
    return (session, ()) if leg is None else wait(_to_be_called(session, leg), event)


def too_late(session: Session, event: Event, rules: Rules) -> Step:
    """The call that was owed could not be made in time. Who is here by another channel waits on."""
    if session.debt is None:
        return session, ()
    if any(leg is not session.dial for leg in session.live_legs(Party.CITIZEN)):
        return settled(session, event, DebtEnd.UNREACHED)
    return close(session, event, CloseReason.UNREACHED)


def lapsed(session: Session, event: Event, rules: Rules) -> Step:
    """It was not made in time; whoever may yet come by a link, or has been answered otherwise, loses nothing else."""
    return settled(session, event, DebtEnd.UNREACHED)


def being_kept(session: Session, event: Event, rules: Rules) -> Step:
    """It is due while the call is made: what comes of that decides."""
    return session, (SetTimer(CALLBACK, rules.dial_ring_s),) if session.debt is not None else ()


def planned(session: Session, leg: Leg) -> Session:
    """The session with a call to the citizen that is to be made; it weighs as one that is up (law 4)."""
    return session.with_leg(replace(leg, state=LegState.PLANNED))


def _to_be_called(session: Session, leg: Leg) -> Session:
    made = LegId(f"dial-{session.id}-{session.version + 1}")
    return planned(session, replace(leg, id=made, owner=HELD_NOWHERE))


def _next_attempt(owed: Session, debt: Debt, event: Event, rules: Rules) -> tuple[Effect, ...]:
    """Its timer; none where we cannot call, or where it would come after the deadline."""
    pauses = rules.callback_pauses_s
    if debt.attempts >= len(pauses) or _reached_by(owed, rules) is None:
        return ()
    at = max(event.at + pauses[debt.attempts], debt.not_before)
    if debt.attempts:
        at = _decent(at, rules)
    return (SetTimer(RETRY, at - event.at),) if at < debt.due_at else ()


def _decent(at: float, rules: Rules) -> float:
    """That time, or the next at which people may be called. Whoever called just now is awake; later nobody need be."""
    time_of_day_s = (at + _HOTLINE_UTC_S) % _DAY_S
    if time_of_day_s < rules.callback_from_s:
        return at + rules.callback_from_s - time_of_day_s
    if time_of_day_s >= rules.callback_until_s:
        return at + _DAY_S + rules.callback_from_s - time_of_day_s
    return at


def _reached_by(session: Session, rules: Rules) -> Leg | None:
    """The citizen's call whose number may be called: the network vouched for it, or claims are believed."""
    return next(
        (
            leg
            for leg in reversed(session.legs)
            if leg.party is Party.CITIZEN
            and leg.medium is Medium.VOICE
            and (leg.asserted or rules.callback_claims)
            and leg.address is not None
            and leg.address.scheme == SCHEME
            and leg.address.identifier.startswith("+")
        ),
        None,
    )
