"""What an assignee does with a running call: hold, mute, digits. Used by `session.machine`.

The machine keeps no account of it: what a call sounds like is the channel's, which says what it has done by events.
"""

from __future__ import annotations

from session import events as ev
from session.effects import Hold, Mute, Press
from session.ids import AssigneeId
from session.rules import Rules
from session.state import Leg, Party, Session
from session.step import Step


def hold(session: Session, event: ev.Event, rules: Rules) -> Step:
    """保持、恢复."""
    assert isinstance(event, ev.HoldRequested)
    call = call_of(session, event.by)
    return session, (Hold(call.id, event.held),) if call is not None else ()


def mute(session: Session, event: ev.Event, rules: Rules) -> Step:
    """静音."""
    assert isinstance(event, ev.MuteRequested)
    call = call_of(session, event.by)
    return session, (Mute(call.id, event.muted),) if call is not None else ()


def press(session: Session, event: ev.Event, rules: Rules) -> Step:
    """送号. The event's version tells one press from another."""
    assert isinstance(event, ev.DigitsRequested)
    call = call_of(session, event.by)
    return session, (Press(call.id, event.digits, session.version + 1),) if call is not None else ()


def call_of(session: Session, by: AssigneeId) -> Leg | None:
    """The citizen's call, where `by` is on it now."""
    if session.assignee != by or session.voice_leg(Party.ASSIGNEE) is None:
        return None
    return session.voice_leg(Party.CITIZEN)
