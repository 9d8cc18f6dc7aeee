"""Standing in line: getting there, being kept company, keeping the place. Used by `session.machine`."""

from __future__ import annotations

from dataclasses import replace

from session.effects import (
    ClearTimer,
    CloseLeg,
    Effect,
    Enqueue,
    PauseOffers,
    Play,
    Release,
    SetTimer,
    StopRinging,
    Withdraw,
)
from session.events import Event
from session.rules import Rules
from session.state import HELD_NOWHERE, AssigneeKind, Demand, LegEnd, LegState, Medium, Offer, Party, Phase, Session
from session.step import Step
from session.timers import ANNOUNCE, ASSIGNEE, DIAL, IDLE, MEDIA, SLOT, grace


def wait(session: Session, event: Event) -> Step:
    """Put the session in the humans' line; what it waited before stays with it (law 5)."""
    return stand(replace(session, bot_queue=""), event)


def stand(session: Session, event: Event) -> Step:
    """Put the session in line: the bots' while it has a bots' queue, else the humans'."""
    queued = replace(
        session,
        phase=Phase.QUEUED,
        waiting_since=event.at,
        offer=None,
        assignee=None,
        assignee_kind=None,
    )
    demand = Demand(session.bot_queue) if session.bot_queue else session.demand
    queued, forgotten = _without_needless_call(queued)
    enqueue = Enqueue(demand, queued.medium, queued.accrued_wait_s, queued.prefer)
    pause = (PauseOffers(),) if queued.dropped_call is not None else ()
    return queued, (enqueue, *pause, *forgotten, ClearTimer(IDLE))


def _without_needless_call(session: Session) -> Step:
    """In line, a call that dropped is waited for only where the citizen is nowhere else; and their page rings for
    nobody but the agent who wanted it.
    """
    planned = session.dial
    if planned is not None and planned.owner != HELD_NOWHERE:
        return session.with_leg(replace(planned, state=LegState.ENDED)), (CloseLeg(planned.id, LegEnd.CLOSED),)
    call = session.dropped_call
    if call is None or len(session.live_legs(Party.CITIZEN)) == 1:
        return session, ()
    return session.with_leg(replace(call, state=LegState.ENDED)), (ClearTimer(grace(call.id)),)


def stop_waiting(session: Session, now: float) -> Session:
    """The session out of line; what it waited is kept."""
    return replace(session, accrued_wait_s=session.waited_s(now), waiting_since=None, announced=0)


def comfort(session: Session, rules: Rules) -> tuple[Effect, ...]:
    """A caller who waits hears music, and after a while their place."""
    leg = session.voice_leg(Party.CITIZEN)
    if leg is None:
        return ()
    return Play(leg.id, ()), SetTimer(ANNOUNCE, rules.announce_s[0])


def back_in_line(session: Session, event: Event, rules: Rules, *, same: bool = True) -> Step:
    """An assignee is lost to a running session: it waits again, with all it has waited, and asks for them first.

    Not for the `same` one where the citizen would rather have another.
    """
    effects: list[Effect] = []
    if session.assignee is not None:
        effects.append(Release(session.assignee))
    ours = (*session.live_legs(Party.ASSIGNEE), *session.guests)
    effects += [CloseLeg(leg.id, LegEnd.CLOSED) for leg in ours]
    legs = tuple(replace(leg, state=LegState.ENDED) if leg in ours else leg for leg in session.legs)
    freed = replace(session, legs=legs, prefer=(session.assignee or session.prefer) if same else None)
    queued, enqueue = wait(freed, event)
    timers = (ClearTimer(MEDIA), ClearTimer(ASSIGNEE), *no_call_awaited(session))
    return queued, (*effects, *enqueue, *timers, *comfort(queued, rules))


def no_call_awaited(session: Session) -> tuple[ClearTimer, ...]:
    """No call waits for its agent, or its citizen, any more."""
    if session.call is None or session.live_legs(Party.ASSIGNEE):
        return ()
    return ClearTimer(DIAL), ClearTimer(SLOT)


def keep_place(before: Session, after: Session, event: Event, *, moved: bool = False) -> Step:
    """A waiting session whose heaviest medium changed waits on, at the same place, for an agent who can take that.

    So does one that has `moved` otherwise, and must be offered anew.
    """
    if before.medium is after.medium and not moved:
        return after, ()
    gone: list[Effect] = [Withdraw()]
    if before.offer is not None:
        gone += stop_ringing(before, before.offer)
    queued, enqueue = stand(stop_waiting(after, event.at), event)
    return queued, (*gone, *enqueue)


def stop_ringing(session: Session, offer: Offer) -> tuple[Effect, ...]:
    """What ends the ringing of an offer; nothing where none rings."""
    leg = next(
        (leg for leg in reversed(session.legs) if leg.party is Party.CITIZEN and leg.medium is Medium.VOICE),
        None,
    )
    if leg is None or offer.kind is not AssigneeKind.AGENT or offer.medium is not Medium.VOICE:
        return ()
    return (StopRinging(leg.id, offer.assignee, offer.token),)
