"""A supervisor on a call that is another's: hearing it, speaking in it, having it. Used by `session.machine`."""

from __future__ import annotations

from dataclasses import replace

from session import events as ev
from session.effects import CloseLeg, Effect, Engage, Release, Supervise
from session.rules import Rules
from session.state import AssigneeKind, LegEnd, LegState, Party, Phase, Session
from session.step import Step


def requested(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Only a call on which two talk can be supervised, and nobody supervises themselves."""
    assert isinstance(event, ev.SupervisionRequested)
    call = session.voice_leg(Party.CITIZEN)
    if call is None or session.voice_leg(Party.ASSIGNEE) is None or session.assignee == event.by:
        return session, ()
    return session, (Supervise(call.id, event.by, event.what, session.version + 1),)


def leg_opened(session: Session, event: ev.LegOpened) -> Step:
    """A supervisor's or a third's call is up; where there is no call to come to any more, it is let go."""
    if session.phase is Phase.ACTIVE and session.voice_leg(Party.ASSIGNEE) is not None:
        return session.with_leg(event.leg), ()
    return session.with_leg(replace(event.leg, state=LegState.ENDED)), (CloseLeg(event.leg.id, LegEnd.CLOSED),)


def taken_over(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The supervisor's call is the assignee's now. Whoever had the session is free, with nothing to write up."""
    assert isinstance(event, ev.SessionTakenOver)
    leg = session.leg(event.leg)
    if leg is None or leg.state is LegState.ENDED or leg.party is not Party.SUPERVISOR:
        return session, ()
    before = session.live_legs(Party.ASSIGNEE)
    effects: list[Effect] = [CloseLeg(one.id, LegEnd.CLOSED) for one in before]
    if session.assignee is not None:
        effects.insert(0, Release(session.assignee))
    taken = session.with_leg(replace(leg, party=Party.ASSIGNEE))
    for one in before:
        taken = taken.with_leg(replace(one, state=LegState.ENDED))
    taken = replace(taken, assignee=event.by, assignee_kind=AssigneeKind.AGENT, prefer=event.by)
    return taken, (*effects, Engage(event.by, session.medium))
