"""Handing a contact on (转接), to another agent or line, with all that it has waited. Used by `session.machine`."""

from __future__ import annotations

from dataclasses import replace

from session import events as ev
from session.effects import Effect, Enqueue
from session.rules import Rules
from session.state import LegState, Session
from session.step import Step
from session.waiting import back_in_line


def transferred(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Back in line with its accrued wait: who is named is asked first, and not at once again whoever handed it on.

    Not while the citizen's telephone rings for the agent who is on the line: nobody would be there when they answer.
    """
    assert isinstance(event, ev.SessionTransferred)
    is_dialling = session.dial is not None and session.dial.state is LegState.CALLING
    if session.assignee != event.by or event.to == event.by or is_dialling:
        return session, ()
    queued, effects = back_in_line(session, event, rules)
    demand = event.demand or session.demand
    asked = tuple(_asked(effect, event) for effect in effects)
    return replace(queued, demand=demand, prefer=event.to), asked


def _asked(effect: Effect, event: ev.SessionTransferred) -> Effect:
    if not isinstance(effect, Enqueue):
        return effect
    return replace(effect, demand=event.demand or effect.demand, prefer=event.to, refused=event.by)
