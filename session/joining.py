"""Two sessions of one citizen go on as one, on an agent's word, and part again. Used by `session.machine`.

The one that the agent has is kept: it takes the other's legs and the longer of both waits, and stays one charge. The
other stands aside as parked, charged to nobody and found by nobody; the store passes what is written to it on to the
kept one. Parted, it stands in line again with its own legs and its own wait.
"""

from __future__ import annotations

from dataclasses import replace

from session import belonging as bl
from session import events as ev
from session.effects import ClearTimer, CloseLeg, Effect, LetCitizenGo, Release, SetTimer, Withdraw
from session.ending import wrap
from session.rules import Rules
from session.state import Leg, LegEnd, LegState, Party, Phase, Session
from session.step import Step
from session.timers import ANNOUNCE, ASSIGNEE, IDLE, MEDIA, PARK, grace
from session.waiting import stop_ringing, stop_waiting, wait

_IN_LINE = (Phase.QUEUED, Phase.OFFERED)


def joined(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The kept one: it has the other's legs too, and has waited as long as the longer of them."""
    assert isinstance(event, bl.SessionsJoined)
    if session.assignee != event.by:
        return session, ()
    grown = session
    for leg in event.legs:
        grown = grown.with_leg(replace(leg, joined_from=event.other))
    away = tuple(SetTimer(grace(leg.id), rules.chat_grace_s) for leg in event.legs if leg.state is LegState.AWAY)
    return replace(grown, accrued_wait_s=max(session.accrued_wait_s, event.waited_s)), away


def joined_into(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The other: out of line, silent, charged to nobody; its citizen's legs go on in the kept one."""
    assert isinstance(event, bl.JoinedInto)
    effects: list[Effect] = [Withdraw()] if session.phase in _IN_LINE else []
    if session.offer is not None:
        effects += stop_ringing(session, session.offer)
    if session.assignee is not None:
        effects.append(Release(session.assignee))
    effects += [CloseLeg(leg.id, LegEnd.CLOSED) for leg in session.live_legs(Party.ASSIGNEE)]
    effects += [ClearTimer(grace(leg.id)) for leg in session.live_legs(Party.CITIZEN) if leg.state is LegState.AWAY]
    effects += [ClearTimer(name) for name in (ANNOUNCE, MEDIA, ASSIGNEE, IDLE)]
    aside = replace(
        stop_waiting(session, event.at),
        phase=Phase.PARKED,
        offer=None,
        assignee=None,
        assignee_kind=None,
        bot_queue="",
        legs=tuple(replace(leg, state=LegState.ENDED) for leg in session.legs),
        joined_into=event.kept,
    )
    return aside, (*effects, LetCitizenGo(), SetTimer(PARK, rules.park_s))


def split(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The kept one gives back what it was given."""
    assert isinstance(event, bl.SessionsSplit)
    given = [leg for leg in session.live_legs(Party.CITIZEN) if leg.joined_from == event.other]
    for leg in given:
        session = session.with_leg(replace(leg, state=LegState.ENDED))
    away = tuple(ClearTimer(grace(leg.id)) for leg in given if leg.state is LegState.AWAY)
    if session.live_legs(Party.CITIZEN) or session.phase is not Phase.ACTIVE:
        return session, away
    wrapped, effects = wrap(session, event, rules)
    return wrapped, (*away, *effects)


def split_from(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The other stands in line again, for the agent who parted them first."""
    assert isinstance(event, bl.SplitFrom)
    if session.joined_into != event.kept:
        return session, ()
    back = replace(session, joined_into=None, prefer=event.by)
    for leg in event.legs:
        back = back.with_leg(replace(leg, joined_from=None))
    away = tuple(SetTimer(grace(leg.id), rules.chat_grace_s) for leg in event.legs if leg.state is LegState.AWAY)
    queued, effects = wait(back, event)
    return queued, (ClearTimer(PARK), *effects, *away)


def legs_to_give(session: Session) -> tuple[Leg, ...]:
    """What a session brings into another: its citizen's legs that are not over."""
    return session.live_legs(Party.CITIZEN)


def legs_given_by(session: Session, other: str) -> tuple[Leg, ...]:
    """What is still there of what another session has brought."""
    return tuple(leg for leg in session.live_legs(Party.CITIZEN) if leg.joined_from == other)
