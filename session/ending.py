"""The ways in which a session, or a contact with the citizen, ends. Used by `session.machine`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from session.effects import (
    ClearTimer,
    CloseLeg,
    Effect,
    EndSession,
    LetCitizenGo,
    Release,
    SetTimer,
    Settle,
    Withdraw,
    Wrap,
)
from session.events import Event, WrapExtended
from session.rules import Rules
from session.state import AssigneeKind, CloseReason, DebtEnd, Leg, LegEnd, LegState, Phase, Session
from session.step import Step
from session.timers import ASSIGNEE, IDLE, MEDIA, WRAP
from session.waiting import no_call_awaited, stop_ringing, stop_waiting


def close(session: Session, event: Event, reason: CloseReason) -> Step:
    """The end. Nothing stays charged, in line, ringing or open (law 10)."""
    closed = replace(
        stop_waiting(session, event.at),
        phase=Phase.CLOSED,
        offer=None,
        legs=ended(session.legs),
        closed_at=event.at,
        close_reason=reason,
    )
    broken = () if session.debt is None else (Settle(DebtEnd.UNREACHED),)
    return closed, (*letting_go(session), *broken, EndSession(reason))


def wrap(session: Session, event: Event, rules: Rules) -> Step:
    """The contact is over; the assignee writes it up. A bot has nothing to write.

    The citizen's next is another session; but for a call that dropped, which goes on where it is dialled again in time.
    """
    if session.assignee is None or session.assignee_kind is AssigneeKind.BOT:
        return close(session, event, CloseReason.RESOLVED_BY_BOT)
    dropped = session.dropped_call
    over = session if dropped is None else session.with_leg(replace(dropped, state=LegState.ENDED))
    wrapping = replace(session, phase=Phase.WRAPPING, legs=ended(session.legs))
    if dropped is not None:
        wrapping = wrapping.with_leg(dropped)
    timers = (ClearTimer(MEDIA), ClearTimer(ASSIGNEE), ClearTimer(IDLE), *no_call_awaited(session))
    going = (*_closing_legs(over), Wrap(session.assignee), *(() if dropped else (LetCitizenGo(),)))
    return wrapping, (*going, *timers, SetTimer(WRAP, rules.wrap_s))


def written_up(session: Session, event: Event, rules: Rules) -> Step:
    """Whoever wrote it up is free. A call that dropped may yet be dialled again: it is set aside for that time."""
    if session.dropped_call is None or session.assignee is None:
        return close(session, event, CloseReason.COMPLETED)
    aside = replace(session, phase=Phase.PARKED, prefer=session.assignee, assignee=None, assignee_kind=None)
    return aside, (Release(session.assignee), ClearTimer(WRAP))


def wrap_longer(session: Session, event: Event, rules: Rules) -> Step:
    """Whoever writes it up takes more time. How often, and for how long, is not the machine's affair."""
    assert isinstance(event, WrapExtended)
    return session, (SetTimer(WRAP, event.for_s),) if session.assignee == event.by else ()


def letting_go(session: Session) -> tuple[Effect, ...]:
    """Out of line, silent, charged to nobody, every leg closed."""
    effects: list[Effect] = []
    if session.phase in (Phase.QUEUED, Phase.OFFERED):
        effects.append(Withdraw())
    if session.offer is not None:
        effects += stop_ringing(session, session.offer)
    if session.assignee is not None:
        effects.append(Release(session.assignee))
    return (*effects, *_closing_legs(session))


def _closing_legs(session: Session) -> tuple[Effect, ...]:
    return tuple(CloseLeg(leg.id, LegEnd.CLOSED) for leg in session.legs if leg.state is not LegState.ENDED)


def ended(legs: Iterable[Leg]) -> tuple[Leg, ...]:
    """These legs, over."""
    return tuple(replace(leg, state=LegState.ENDED) for leg in legs)
