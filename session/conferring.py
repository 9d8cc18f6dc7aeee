"""A third on a citizen's call: consulted, taken in, left to it. Used by `session.machine`.

As with a supervisor the channel says what has become of it; here is who may ask, and whose the session is afterwards.
"""

from __future__ import annotations

from dataclasses import replace

from session import events as ev
from session.effects import CallThird, CloseLeg, Confer, Effect, Engage, Release
from session.ending import ended, wrap
from session.handling import call_of
from session.rules import Rules
from session.state import AssigneeKind, LegEnd, LegState, Party, Session
from session.step import Step


def third_wanted(session: Session, event: ev.Event, rules: Rules) -> Step:
    """One at a time."""
    assert isinstance(event, ev.ThirdRequested)
    call = call_of(session, event.by)
    if call is None or session.live_legs(Party.THIRD):
        return session, ()
    return session, (CallThird(call.id, event.by, event.agents, event.number, session.version + 1),)


def asked(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Also while the third's telephone rings: that can be cancelled."""
    assert isinstance(event, ev.ConferRequested)
    call = call_of(session, event.by)
    return session, (Confer(call.id, event.what, session.version + 1),) if call is not None else ()


def passed_on(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The agent's call is over. A colleague has the session; else the two outside go on, and the agent writes it up."""
    assert isinstance(event, ev.CallPassedOn)
    third, citizen = session.leg(event.leg), session.voice_leg(Party.CITIZEN)
    if third is None or third.state is LegState.ENDED or third.party is not Party.THIRD or citizen is None:
        return session, ()
    if event.by != session.assignee:
        return session, ()
    telephones = session.live_legs(Party.ASSIGNEE)
    left = session
    for leg in ended(telephones):
        left = left.with_leg(leg)
    going: tuple[Effect, ...] = tuple(CloseLeg(leg.id, LegEnd.CLOSED) for leg in telephones)
    if event.to is None:
        for leg in ended((citizen, third)):
            left = left.with_leg(leg)  # theirs alone: that the contact ends must not end their call
        over, effects = wrap(left, event, rules)
        return over, (*going, *effects)
    taken = left.with_leg(replace(third, party=Party.ASSIGNEE))
    taken = replace(taken, assignee=event.to, assignee_kind=AssigneeKind.AGENT, prefer=event.to)
    return taken, (Release(event.by), *going, Engage(event.to, session.medium))
