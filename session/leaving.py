"""The citizen goes: for a moment, for good, or to go on elsewhere. Used by `session.machine`.

A call that breaks, or is hung up in line, is `away` like a chat whose connection is cut: its place and its medium stay
as they are until it is dialled again or its grace is over. Since a telephone that is not there cannot be rung for, its
session is put before nobody meanwhile. An agent is kept for it for a part of that time; after it they write up, and
whoever dials again in the rest comes to them first.
"""

from __future__ import annotations

from dataclasses import replace

from session import detouring, dialling
from session import events as ev
from session.audio import Announcement
from session.effects import (
    ClearTimer,
    CloseLeg,
    Effect,
    LetCitizenGo,
    PauseOffers,
    Play,
    ResumeOffers,
    Ring,
    SendLink,
    SetTimer,
)
from session.ending import close, wrap
from session.ids import LegId
from session.owing import can_be_called, held, is_owed, owe
from session.rules import Rules
from session.state import CloseReason, Leg, LegEnd, LegState, Medium, Party, Phase, Session
from session.step import Step
from session.switch import Purpose, notices_of
from session.timers import ANNOUNCE, DROPPED, MEDIA, grace
from session.waiting import back_in_line, comfort, keep_place, stop_ringing

_IN_LINE = (Phase.QUEUED, Phase.OFFERED)


def leg_away(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A connection is cut; it has its grace."""
    assert isinstance(event, ev.LegAway)
    leg = session.leg(event.leg)
    if leg is None or leg.state is not LegState.LIVE or leg.medium is Medium.VOICE:
        return session, ()
    return _away(session, leg, rules)


def leg_back(session: Session, event: ev.Event, rules: Rules) -> Step:
    """And is there again, on whichever node. A call never is: it is dialled again, as another leg. That a page is back
    in its call, which went on, is told and changes nothing.
    """
    assert isinstance(event, ev.LegBack)
    leg = session.leg(event.leg)
    if leg is None or leg.state is LegState.ENDED or leg.medium is Medium.VOICE:
        return session, ()
    return session.with_leg(replace(leg, state=LegState.LIVE, owner=event.owner)), (ClearTimer(grace(leg.id)),)


def leg_closed(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A leg is over; or a call is, that may be dialled again."""
    assert isinstance(event, ev.LegClosed)
    leg = session.leg(event.leg)
    if leg is None or leg.state is LegState.ENDED or _is_away_already(leg, event):
        return session, ()
    if _may_be_dialled_again(session, leg, event):
        we_call = session.kept and session.phase in _IN_LINE and can_be_called(session, rules)
        return _kept_without_them(session, leg, event, rules) if we_call else _dropped(session, leg, rules)
    if leg is session.dial:
        return dialling.failed(session, event, rules) if session.phase is Phase.ACTIVE else (session, ())
    less = session.with_leg(replace(leg, state=LegState.ENDED))
    if leg.party in (Party.SUPERVISOR, Party.THIRD):
        return less, ()
    if leg.party is Party.ASSIGNEE:
        return _assignee_hung_up(less, event, rules)
    return _citizen_left(less, leg, event, rules)


def place_kept(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The caller would rather wait elsewhere: they are sent the way there, again where they ask again."""
    assert isinstance(event, ev.PlaceKept)
    leg = session.leg(event.leg)
    if leg is None or leg.state is LegState.ENDED or leg.party is not Party.CITIZEN:
        return session, ()
    return replace(session, kept=True), (SendLink(Purpose.SWITCH),)


def link_sent(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Only now are they told that they may hang up."""
    assert isinstance(event, ev.LinkSent)
    return session, _told(session, event.purpose, "place_kept")


def link_failed(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Whoever is still on the line waits there as before; a place whose call is over stays kept until its bound."""
    assert isinstance(event, ev.LinkFailed)
    if event.purpose is not Purpose.SWITCH or session.voice_leg(Party.CITIZEN) is None:
        return session, ()
    return replace(session, kept=False), _told(session, event.purpose, "link_failed")


def message_failed(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The text with the link did not reach them after all."""
    assert isinstance(event, ev.MessageFailed)
    if not event.message.startswith(notices_of(session.id, Purpose.SWITCH)):
        return session, ()
    failed = ev.LinkFailed(at=event.at, purpose=Purpose.SWITCH, reason=event.reason.value, link="")
    return link_failed(session, failed, rules)


def picture_wanted(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The agent asks for a picture: the citizen is sent a page to send it from, while both talk on."""
    assert isinstance(event, ev.PictureRequested)
    return session, (SendLink(Purpose.PICTURE),) if session.assignee == event.by else ()


def citizen_joined(session: Session, grown: Session, event: ev.LegOpened, rules: Rules) -> Step:
    """The citizen of a session in line, or with an agent, is on one more channel, or back on the telephone."""
    here, spared = dialling.came_by_themselves(session, grown, event)
    after, effects = _joined_by(session, here, event, rules)
    return after, (*spared, *effects)


def _joined_by(session: Session, grown: Session, event: ev.LegOpened, rules: Rules) -> Step:
    dropped = session.dropped_call
    if dropped is None:
        return _on_one_more(session, grown, event, rules)
    if event.leg.medium is not Medium.VOICE and session.phase not in _IN_LINE:
        return grown, ()  # the call may still be dialled again beside it
    there = grown.with_leg(replace(dropped, state=LegState.ENDED))
    found = ClearTimer(grace(dropped.id))
    if session.phase not in _IN_LINE:
        return there, (found, *_reconnect(there, event.leg.id, event, rules))
    waiting, effects = keep_place(session, there, event)
    if event.leg.medium is Medium.VOICE:
        return replace(waiting, kept=False), (found, *effects, ResumeOffers(), *comfort(waiting, rules))
    return waiting, (found, *effects)


def settled(session: Session, rules: Rules) -> tuple[Effect, ...]:
    """Once somebody has the session no place is kept, and who is away has no longer than their channel's own time."""
    away = (leg for leg in session.live_legs(Party.CITIZEN) if leg.state is LegState.AWAY)
    return tuple(SetTimer(grace(leg.id), _grace_s(leg, rules)) for leg in away)


def _away(session: Session, leg: Leg, rules: Rules) -> Step:
    kept_s = rules.kept_place_s if session.kept and session.phase in _IN_LINE else 0.0
    timer = SetTimer(grace(leg.id), max(kept_s, _grace_s(leg, rules)))
    return session.with_leg(replace(leg, state=LegState.AWAY)), (timer,)


def _grace_s(leg: Leg, rules: Rules) -> float:
    return rules.call_grace_s if leg.medium is Medium.VOICE else rules.chat_grace_s


def _is_away_already(leg: Leg, event: ev.LegClosed) -> bool:
    """A call is told to be over once more; only its time ends it now."""
    return leg.medium is Medium.VOICE and leg.state is LegState.AWAY and event.reason is not LegEnd.LEFT


def _may_be_dialled_again(session: Session, leg: Leg, event: ev.LegClosed) -> bool:
    """In line it does not matter whether they hung up: a mobile network says so too when it has lost them. Once they
    talk, who hangs up is done.
    """
    alone = all(one.id == leg.id for one in session.live_legs(Party.CITIZEN))
    if leg.party is not Party.CITIZEN or leg.medium is not Medium.VOICE or leg.state is not LegState.LIVE or not alone:
        return False
    if session.phase is Phase.ACTIVE:
        return event.reason is LegEnd.LOST
    kept = session.kept and event.reason is LegEnd.NODE_LOST
    return session.phase in _IN_LINE and (event.reason in (LegEnd.HANGUP, LegEnd.LOST) or kept)


def _kept_without_them(session: Session, leg: Leg, event: ev.LegClosed, rules: Rules) -> Step:
    """They keep the place and have hung up: its turn comes all the same, and we call."""
    gone, promise = held(session.with_leg(replace(leg, state=LegState.ENDED)), event, rules)
    waiting, effects = keep_place(session, gone, event, moved=session.phase is Phase.OFFERED)
    return waiting, (ClearTimer(ANNOUNCE), *effects, *promise)


def _dropped(session: Session, leg: Leg, rules: Rules) -> Step:
    away, timer = _away(session, leg, rules)
    if session.phase is Phase.ACTIVE:
        hung_up, effects = _without_assignees_calls(away, LegEnd.LOST)
        return hung_up, (*effects, ClearTimer(MEDIA), *timer, SetTimer(DROPPED, rules.agent_kept_s))
    silence = stop_ringing(session, session.offer) if session.offer is not None else ()
    waiting = replace(away, phase=Phase.QUEUED, offer=None)
    return waiting, (PauseOffers(), *silence, ClearTimer(ANNOUNCE), *timer)


def kept_long_enough(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The agent of a call that dropped waits no longer for it; the citizen may dial again all the same."""
    if session.dropped_call is None or len(session.live_legs(Party.CITIZEN)) > 1:
        return session, ()
    return contact_over(session, event, rules)


def _without_assignees_calls(session: Session, reason: LegEnd) -> Step:
    calls = (*session.live_legs(Party.ASSIGNEE), *session.guests)
    for leg in calls:
        session = session.with_leg(replace(leg, state=LegState.ENDED))
    return session, tuple(CloseLeg(leg.id, reason) for leg in calls)


def _citizen_left(less: Session, leg: Leg, event: ev.LegClosed, rules: Rules) -> Step:
    if less.live_legs(Party.CITIZEN):
        return _goes_on_elsewhere(less, leg, event, rules)
    if less.phase is Phase.CHOOSING:
        return detouring.left(less, event, rules, node_lost=event.reason is LegEnd.NODE_LOST)
    promised = less.phase in _IN_LINE and less.kept and event.reason is LegEnd.LEFT
    if promised or (event.reason is LegEnd.NODE_LOST and less.phase is not Phase.WRAPPING):
        return owe(less, event, rules)
    if less.phase in _IN_LINE:
        return _left_the_line(less, leg, event, rules)
    if less.phase is Phase.BOT:
        return close(less, event, CloseReason.RESOLVED_BY_BOT)
    return contact_over(less, event, rules) if less.phase is Phase.ACTIVE else _not_dialled_again(less, leg, event)


def _not_dialled_again(less: Session, leg: Leg, event: ev.LegClosed) -> Step:
    """A call that dropped, and whose agent is done with it or nearly so."""
    if less.phase is Phase.WRAPPING:
        return less, (LetCitizenGo(),)
    if less.phase is Phase.PARKED and leg.medium is Medium.VOICE:
        return close(less, event, CloseReason.COMPLETED)
    return less, ()


def contact_over(session: Session, event: ev.Event, rules: Rules) -> Step:
    """What follows is wrap-up; but one who is owed a call, and was not reached, is owed it still."""
    return wrap(session, event, rules) if session.debt is None else owe(session, event, rules, tried=True)


def _is_missed(less: Session, leg: Leg, event: ev.LegClosed, rules: Rules) -> bool:
    grace_s = _grace_s(leg, rules) if event.reason is LegEnd.LEFT else 0.0
    return leg.medium is Medium.VOICE and is_owed(less, event.at - grace_s, rules)


def _left_the_line(less: Session, leg: Leg, event: ev.LegClosed, rules: Rules) -> Step:
    """Whoever has left a voice message besides waits on with that."""
    if detouring.is_message_alone(less):
        return keep_place(less.with_leg(leg), less, event)
    return owe(less, event, rules) if _is_missed(less, leg, event, rules) else _abandoned(less, event)


def _abandoned(less: Session, event: ev.Event) -> Step:
    return close(less, event, CloseReason.ABANDONED)


def _goes_on_elsewhere(less: Session, leg: Leg, event: ev.LegClosed, rules: Rules) -> Step:
    """The citizen has other legs; a call that is over no longer needs the assignee's telephone."""
    if less.phase in _IN_LINE:
        return keep_place(less.with_leg(leg), less, event)
    if less.phase is not Phase.ACTIVE or leg.medium is not Medium.VOICE:
        return less, ()
    other = less.voice_leg(Party.CITIZEN)
    if other is None:
        return dialling.written_on(less, less.with_leg(leg), rules)
    ids = [one.id for one in less.legs]
    if ids.index(other.id) < ids.index(leg.id) or not less.live_legs(Party.ASSIGNEE):
        return less, ()  # whoever is on two calls talks on the first
    silent, hung_up = _without_assignees_calls(less, event.reason)
    return silent, (*hung_up, *_reconnect(silent, other.id, event, rules))


def _assignee_hung_up(less: Session, event: ev.LegClosed, rules: Rules) -> Step:
    if less.phase is not Phase.ACTIVE:
        return less, ()
    if less.dial is not None:
        return dialling.failed(less, event, rules)
    call = less.voice_leg(Party.CITIZEN)
    if call is None:
        return less, ()
    if event.reason not in (LegEnd.HANGUP, LegEnd.CLOSED):
        return back_in_line(less, event, rules)
    theirs = less.live_legs(Party.CITIZEN)
    calls = [leg for leg in theirs if leg.medium is Medium.VOICE]
    if len(calls) == len(theirs):
        return contact_over(less, event, rules)
    silent = less
    for one in calls:
        silent = silent.with_leg(replace(one, state=LegState.ENDED))
    writing, effects = dialling.written_on(silent, less, rules)
    return writing, (*(CloseLeg(one.id, LegEnd.CLOSED) for one in calls), *effects)


def _on_one_more(session: Session, grown: Session, event: ev.LegOpened, rules: Rules) -> Step:
    if event.leg.medium is not Medium.VOICE:
        return keep_place(session, grown, event) if session.phase in _IN_LINE else (grown, ())
    if session.phase not in _IN_LINE:
        return dialling.their_own_call(session, grown, event, rules)
    waiting, effects = keep_place(session, replace(grown, bot_queue=""), event, moved=session.dial is not None)
    return waiting, (*effects, *comfort(waiting, rules))


def _reconnect(session: Session, again: LegId, event: ev.Event, rules: Rules) -> tuple[Effect, ...]:
    """The call that dropped is dialled again, perhaps before its end was told: its agent is rung by the offer that they
    have accepted (law 3).
    """
    music = Play(again, ())
    if session.assignee is None:
        return (music,)
    until = event.at + rules.reconnect_s
    ring = Ring(again, session.assignee, session.granted, until)
    return music, ring, SetTimer(MEDIA, rules.reconnect_s)


def _told(session: Session, purpose: Purpose, what: str) -> tuple[Effect, ...]:
    """What a caller in line hears about their place."""
    leg = session.voice_leg(Party.CITIZEN)
    if leg is None or purpose is not Purpose.SWITCH or session.phase not in _IN_LINE:
        return ()
    return (Play(leg.id, (Announcement(what),)),)
