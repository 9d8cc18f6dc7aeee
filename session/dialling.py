"""The gateway calls the citizen: from the wish for a call to two people who hear each other. Used by `session.machine`.

The call stands among the session's legs from the moment it is wanted, as `PLANNED`: so it weighs in the line and on the
agent's capacity as a call does (law 4). The agent's telephone comes first and the citizen's second: nobody is called to
hear silence, and while a chat runs beside it nothing breaks before the call is made.
"""

from __future__ import annotations

from dataclasses import replace

from session import events as ev
from session.effects import ClearTimer, CloseLeg, Dial, Effect, Join, Play, Raise, Ring, SetTimer
from session.ending import close, ended, wrap
from session.ids import RecordingId
from session.owing import owe, planned, promised, settled
from session.rules import Rules
from session.state import (
    AssigneeKind,
    CloseReason,
    DebtEnd,
    DialFailure,
    Leg,
    LegEnd,
    LegState,
    Medium,
    Party,
    Phase,
    Session,
)
from session.step import Step
from session.timers import CONTACT, DIAL, IDLE, MEDIA, SLOT
from session.waiting import back_in_line, keep_place, no_call_awaited


def begun(session: Session, event: ev.Event, rules: Rules) -> Step:
    """An agent calls somebody of their own accord: it is theirs from the first moment, and stands in no line."""
    assert isinstance(event, ev.CallBegun)
    leg = Leg(event.leg, event.channel, Medium.VOICE, Party.CITIZEN, event.node, event.address)
    theirs = replace(
        planned(session, leg),
        phase=Phase.ACTIVE,
        assignee=event.by,
        assignee_kind=AssigneeKind.AGENT,
        prefer=event.by,
        granted=event.token,
        begun=leg.id,
    )
    if event.node:
        return theirs, (SetTimer(MEDIA, rules.media_up_s),)
    ring = Ring(leg.id, event.by, event.token, event.at + rules.reconnect_s)
    return theirs, (ring, SetTimer(MEDIA, rules.reconnect_s + rules.media_up_s))


def asked_for(session: Session, event: ev.CallRequested) -> Session:
    """The session with the call that was asked for. One that dropped is waited for no more."""
    leg = Leg(event.leg, event.channel, Medium.VOICE, Party.CITIZEN, event.node, event.address, asserted=True)
    dropped = session.dropped_call
    rest = session if dropped is None else session.with_leg(replace(dropped, state=LegState.ENDED))
    return planned(rest, leg)


def asked_in_line(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A waiting citizen would rather be called: the same place, in the line of calls, and a promise with a deadline."""
    assert isinstance(event, ev.CallRequested)
    if session.call is not None or event.node:
        return session, ()
    owed, promise = promised(replace(asked_for(session, event), bot_queue=""), event, rules)
    moved = bool(session.bot_queue) or session.dropped_call is not None
    waiting, effects = keep_place(session, owed, event, moved=moved)
    return waiting, (*effects, *promise)


def asked_of_agent(session: Session, event: ev.Event, rules: Rules) -> Step:
    """They write to each other and want to talk: it is the same agent, once they have room for a call."""
    assert isinstance(event, ev.CallRequested)
    if event.by not in (None, session.assignee) or session.voice_leg(Party.CITIZEN) is not None:
        return session, ()
    if session.dial is None:
        return put_through(asked_for(session, event), rules)
    if not event.anyone or session.dial.state is not LegState.PLANNED:
        return session, ()
    owed, promise = promised(session, event, rules)
    queued, effects = back_in_line(owed, event, rules, same=False)
    return queued, (*effects, *promise)


def their_own_call(session: Session, here: Session, event: ev.LegOpened, rules: Rules) -> Step:
    """A citizen calls while an agent has their session; they hear music until that agent is on the line."""
    if session.voice_leg(Party.CITIZEN) is not None:
        return here, (Play(event.leg.id, ()),)
    if session.live_legs(Party.ASSIGNEE):
        return back_in_line(here, event, rules)  # the agent listens to the call that was being made
    waiting, effects = put_through(here, rules)
    return waiting, (Play(event.leg.id, ()), *effects)


def put_through(session: Session, rules: Rules) -> Step:
    """The citizen's call is for the agent who has the session already; it waits until they have room for it."""
    assert session.assignee is not None
    return session, (Raise(session.assignee, Medium.VOICE), SetTimer(DIAL, rules.slot_wait_s))


def slot_granted(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Their telephone rings for what they have."""
    assert isinstance(event, ev.SlotGranted)
    leg = session.call
    if leg is None or event.assignee != session.assignee or session.live_legs(Party.ASSIGNEE):
        return session, ()
    patience_s = max(0.0, event.lease_until - event.at) + rules.media_up_s
    ring = Ring(leg.id, event.assignee, event.token, event.lease_until)
    return session, (ring, ClearTimer(DIAL), ClearTimer(SLOT), SetTimer(MEDIA, patience_s))


def slot_refused(session: Session, event: ev.Event, rules: Rules) -> Step:
    """They have another call: look again in a moment."""
    is_waited_for = session.call is not None and not session.live_legs(Party.ASSIGNEE)
    return session, (SetTimer(SLOT, rules.slot_retry_s),) if is_waited_for else ()


def slot_due(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Look again."""
    if session.call is None or session.live_legs(Party.ASSIGNEE) or session.assignee is None:
        return session, ()
    return session, (Raise(session.assignee, Medium.VOICE),)


def agent_up(session: Session, leg: Leg, event: ev.LegOpened, rules: Rules) -> Step:
    """The agent is on the line: now the citizen is called, by the node that holds the agent's end."""
    assert session.assignee is not None
    calling = session.with_leg(replace(leg, owner=event.leg.owner, state=LegState.CALLING))
    dial = Dial(leg.id, session.assignee, rules.dial_ring_s)
    return calling, (dial, ClearTimer(MEDIA), SetTimer(DIAL, rules.dial_ring_s + rules.media_up_s))


def joined(session: Session, citizen: Leg, assignee: Leg) -> Step:
    """Both are there."""
    recording = RecordingId(f"{session.id}-{session.version + 1}")
    return replace(session, recorded=True), (Join(citizen.id, assignee.id, recording), ClearTimer(MEDIA))


def answered(session: Session, event: ev.LegOpened, rules: Rules) -> Step:
    """The citizen has picked up, or a machine of theirs; a call that was owed is not contact yet (`owing.talked`).

    A leg that has ended stays ended.
    """
    known = session.leg(event.leg.id)
    if known is None or known.state is not LegState.CALLING:
        return session, ()
    assignee = session.voice_leg(Party.ASSIGNEE)
    up = session.with_leg(event.leg)
    timers: tuple[Effect, ...] = (ClearTimer(DIAL),)
    if session.debt is not None:
        timers = (*timers, SetTimer(CONTACT, rules.contact_after_s))
    if assignee is None:
        return up, timers
    talking, join = joined(up, event.leg, assignee)
    return talking, (*join, *timers)


def failed(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The call came to nothing: the chat beside it goes on; without one it is owed still.

    One that an agent began is owed to nobody: they write up that it was in vain, if anybody was called at all.
    """
    dial = session.dial
    if dial is None or (isinstance(event, ev.DialFailed) and event.leg != dial.id):
        return session, ()
    without = session.with_leg(replace(dial, state=LegState.ENDED))
    if not without.live_legs(Party.CITIZEN):
        if dial.id != session.begun:
            return owe(session, event, rules, tried=True)
        was_tried = dial.state is LegState.CALLING and not _was_refused(event)
        left = without if isinstance(event, ev.LegClosed) else session
        return wrap(left, event, rules) if was_tried else close(left, event, CloseReason.UNREACHED)
    writing, effects = written_on(without, session, rules)
    return writing, (CloseLeg(dial.id, LegEnd.CLOSED), *effects, ClearTimer(DIAL))


def _was_refused(event: ev.Event) -> bool:
    return isinstance(event, ev.DialFailed) and event.reason is DialFailure.REFUSED


def out_of_time(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The agent had no room or did not pick up, or the citizen's telephone rang on."""
    if session.dial is not None:
        return failed(session, event, rules)
    if session.voice_leg(Party.CITIZEN) is None or session.live_legs(Party.ASSIGNEE):
        return session, ()
    return back_in_line(session, event, rules)


def came_by_themselves(session: Session, grown: Session, event: ev.LegOpened) -> Step:
    """The citizen is on one more channel by their own act: a call that they need no more is not made."""
    dial = session.dial
    others = [leg for leg in session.live_legs(Party.CITIZEN) if leg is not dial]
    if dial is None or (others and event.leg.medium is not Medium.VOICE):
        return grown, ()
    here, paid = settled(grown.with_leg(replace(dial, state=LegState.ENDED)), event, DebtEnd.RETURNED)
    return here, (CloseLeg(dial.id, LegEnd.CLOSED), *paid)


def written_on(silent: Session, before: Session, rules: Rules) -> Step:
    """No call is left, or will come; the agent and the citizen write to each other as before."""
    telephones = silent.live_legs(Party.ASSIGNEE)
    for leg in ended(telephones):
        silent = silent.with_leg(leg)
    hang_up = tuple(CloseLeg(leg.id, LegEnd.CLOSED) for leg in telephones)
    return silent, (*hang_up, ClearTimer(MEDIA), *no_call_awaited(before), SetTimer(IDLE, rules.chat_idle_s))
