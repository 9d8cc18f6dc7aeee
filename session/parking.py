"""A citizen's call that is set aside: with music, at a place where any agent may fetch it. Used by `session.machine`.

Whoever parked it is free meanwhile. It is fetched as a session that was set aside is: it stands in line with its wait,
and whoever fetches it is asked first. After a while it comes back to whoever parked it in the same way.
"""

from __future__ import annotations

from dataclasses import replace

from session import events as ev
from session.effects import ClearTimer, CloseLeg, Play, Release, SetTimer
from session.ending import close, ended
from session.handling import call_of
from session.owing import can_be_called, owe
from session.rules import Rules
from session.state import CloseReason, LegEnd, LegState, Party, Phase, Session
from session.step import Step
from session.timers import ASSIGNEE, IDLE, MEDIA, PARK
from session.waiting import comfort, wait


def parked(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The agent's telephone is free, and nothing is charged to them."""
    assert isinstance(event, ev.CallParked)
    call = call_of(session, event.by)
    if call is None:
        return session, ()
    going = (*session.live_legs(Party.ASSIGNEE), *session.guests)
    left = session
    for leg in ended(going):
        left = left.with_leg(leg)
    aside = replace(left, phase=Phase.PARKED, prefer=event.by, assignee=None, assignee_kind=None)
    timers = (ClearTimer(IDLE), ClearTimer(ASSIGNEE), ClearTimer(MEDIA), SetTimer(PARK, rules.call_park_s))
    hang_up = tuple(CloseLeg(leg.id, LegEnd.CLOSED) for leg in going)
    return aside, (Release(event.by), *hang_up, Play(call.id, ()), *timers)


def fetched(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Somebody wants it; or its time is over, and it is for whoever parked it."""
    by = event.by if isinstance(event, ev.SessionResumed) else session.prefer
    queued, effects = wait(replace(session, prefer=by), event)
    return queued, (ClearTimer(PARK), *effects, *comfort(queued, rules))


def left_alone(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Something of the citizen's ends. A caller who would wait no longer is owed a call, where we can call."""
    assert isinstance(event, ev.LegClosed)
    leg, was_called = session.leg(event.leg), session.voice_leg(Party.CITIZEN) is not None
    if leg is None:
        return session, ()
    less = session.with_leg(replace(leg, state=LegState.ENDED))
    if not was_called or less.live_legs(Party.CITIZEN):
        return less, ()
    return owe(less, event, rules) if can_be_called(less, rules) else close(less, event, CloseReason.ABANDONED)
