"""A caller whom nobody can take now is told so and offered ways on (分流). Used by `session.machine`.

What stands in the way was judged when they called, and came with their leg. Whoever stands in line already keeps the
place, whatever has changed since; whoever has waited too long is offered the ways without losing it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from session import events as ev
from session import owing
from session.audio import KEEP_PLACE, Announcement
from session.effects import ClearTimer, CloseLeg, Effect, LetGo, OfferWays, SendLink, SetTimer, TakeMessage, Withdraw
from session.ending import close, ended
from session.ids import RecordingId
from session.rules import Rules
from session.state import CloseReason, DebtEnd, Leg, LegEnd, LegState, Party, Phase, Session
from session.step import Step
from session.switch import Purpose, notices_of
from session.timers import ANNOUNCE, CHOICE, PARK, PATIENCE, RETRY
from session.waiting import comfort, stand, stop_ringing, stop_waiting, wait
from session.ways import KEYS, TOLD, Detour, Obstacle, Way

HOTLINE = Announcement("hotline")
GOODBYE = Announcement("goodbye")
_IN_LINE = (Phase.QUEUED, Phase.OFFERED)
_PROMISED = (Announcement("callback_promised"), GOODBYE)


def detoured(session: Session, event: ev.LegOpened, rules: Rules) -> Step | None:
    """The citizen calls, and something stands in the way; None where the call is taken as any other."""
    detour, leg = event.detour, event.leg
    if detour is None or session.leg(leg.id) is not None:
        return None
    is_second = detour.why is Obstacle.TOO_OFTEN and session.voice_leg(Party.CITIZEN) is not None
    if is_second or not _has_somewhere_to_go(session, detour):
        return _told(session, leg, detour)
    if session.phase in (Phase.NEW, Phase.CHOOSING, Phase.CALLBACK_PENDING):
        return _shown(session, leg, detour, rules)
    if detour.why is not Obstacle.FULL and session.phase in _IN_LINE and is_message_alone(session):
        out, gone = _out_of_line(session, event)
        shown, effects = _shown(out, leg, detour, rules)
        return shown, (*gone, *effects)
    return None


def _has_somewhere_to_go(session: Session, detour: Detour) -> bool:
    """Not where they are elsewhere, or were set aside: there is no call to wait for, and what there is goes on."""
    if session.phase is Phase.PARKED:
        return False
    if session.phase not in (*_IN_LINE, Phase.BOT) or detour.why is Obstacle.FULL:
        return True
    return session.call is not None or session.dropped_call is not None or is_message_alone(session)


def is_message_alone(session: Session) -> bool:
    """A voice message waits to be heard, and nothing else of the citizen's is there."""
    return session.message is not None and not session.granted and not session.live_legs(Party.CITIZEN)


def came_again(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Something more of the citizen's while they choose: a link that they opened, or another call."""
    assert isinstance(event, ev.LegOpened)
    if event.leg.party is not Party.CITIZEN:
        return session, (CloseLeg(event.leg.id, LegEnd.CLOSED),)
    if session.leg(event.leg.id) is not None:
        return session, ()
    detour = detoured(session, event, rules)
    if detour is not None:
        return detour
    free, closing = _without_calls(session)
    met, paid = owing.settled(replace(free, detour=None, kept=False).with_leg(event.leg), event, DebtEnd.RETURNED)
    queued, effects = wait(met, event)
    return queued, (ClearTimer(CHOICE), *closing, *paid, *effects, *comfort(queued, rules))


def chosen(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A caller who is no longer, or was never, in line presses a key."""
    pressed = _pressed(session, event, rules)
    if pressed is None:
        return session, ()
    leg, way = pressed
    match way:
        case Way.LINK:
            return replace(session, kept=True), (SendLink(Purpose.SWITCH), SetTimer(CHOICE, rules.choice_s))
        case Way.CALL_BACK:
            over = session.with_leg(replace(leg, state=LegState.ENDED))
            owed, effects = owing.owe(over, event, rules, not_before=_opening(session))
            return owed, (LetGo(leg.id, _PROMISED), ClearTimer(CHOICE), *effects)
        case Way.MESSAGE:
            return session, _taken_down(session, leg, rules)


def chosen_in_line(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A caller in line does, who has been offered to. That they go on by a link the channel tells: `PlaceKept`."""
    pressed = _pressed(session, event, rules)
    if pressed is None:
        return session, ()
    leg, way = pressed
    match way:
        case Way.LINK:
            return session, ()
        case Way.CALL_BACK:
            # Whoever is there even then hears their place again.
            return replace(session, kept=True), (LetGo(leg.id, _PROMISED), SetTimer(ANNOUNCE, rules.announce_s[-1]))
        case Way.MESSAGE:
            out, gone = _out_of_line(session, event)
            choosing = replace(out, phase=Phase.CHOOSING)
            return choosing, (*gone, ClearTimer(ANNOUNCE), *_taken_down(choosing, leg, rules))


def message_left(session: Session, event: ev.Event, rules: Rules) -> Step:
    """It waits in line for an agent, as a written message does; who has said nothing is asked again."""
    assert isinstance(event, ev.VoiceMessageLeft)
    leg = session.leg(event.leg)
    if leg is None or leg.party is not Party.CITIZEN:
        return session, ()
    if not event.duration_s:
        return session, _offered(session, (Announcement("message_empty"),), rules)
    told = () if leg.state is LegState.ENDED else (LetGo(leg.id, (Announcement("message_taken"), GOODBYE)),)
    over = replace(session.with_leg(replace(leg, state=LegState.ENDED)), message=event.recording)
    if over.voice_leg(Party.CITIZEN) is not None:
        return over, told  # they called again before it was whole: it waits once they have left
    queued, effects = wait(replace(over, detour=None), event)
    return queued, (*told, ClearTimer(CHOICE), *effects)


def link_sent(session: Session, event: ev.Event, rules: Rules) -> Step:
    """They may go now: whoever opens it comes back to this session."""
    assert isinstance(event, ev.LinkSent)
    leg = session.voice_leg(Party.CITIZEN)
    if event.purpose is not Purpose.SWITCH or leg is None:
        return session, ()
    aside, timers = _awaited(session.with_leg(replace(leg, state=LegState.ENDED)), rules)
    return aside, (LetGo(leg.id, (Announcement("link_sent"), GOODBYE)), *timers)


def link_failed(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Whoever is still there chooses again; whoever has gone is owed a call, where we can call."""
    if isinstance(event, ev.MessageFailed):
        if not event.message.startswith(notices_of(session.id, Purpose.SWITCH)):
            return session, ()
    elif not isinstance(event, ev.LinkFailed) or event.purpose is not Purpose.SWITCH:
        return session, ()
    if not session.kept:
        return session, ()
    without = replace(session, kept=False)
    if session.phase is Phase.CHOOSING:
        return without, _offered(without, (Announcement("way_failed"),), rules)
    gone, effects = _gone(without, event, rules, owed=True)
    return gone, (ClearTimer(PARK), *effects)


def left(less: Session, event: ev.Event, rules: Rules, *, node_lost: bool = False) -> Step:
    """The caller is off the line, or was let go."""
    if node_lost:
        owed, effects = owing.owe(less, event, rules, not_before=_opening(less))
    elif less.kept:
        owed, effects = _awaited(less, rules)
    elif is_message_alone(less):
        owed, effects = wait(replace(less, detour=None), event)
    else:
        owed, effects = _gone(less, event, rules, owed=less.detour is not None and less.detour.owed)
    return owed, (ClearTimer(CHOICE), *effects)


def choice_due(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Nothing was chosen: the ways are said once more, then goodbye, and whoever is still there is hung up on."""
    leg = session.voice_leg(Party.CITIZEN)
    again = replace(session, announced=session.announced + 1)
    if leg is not None and session.announced == 0 and session.detour is not None:
        return again, _offered(again, (TOLD[session.detour.why],), rules)
    if leg is not None and session.announced == 1:
        return again, (LetGo(leg.id, (GOODBYE,)), SetTimer(CHOICE, rules.choice_s))
    free, closing = _without_calls(session)
    gone, effects = left(free, event, rules)
    return gone, (*closing, *effects)


def out_of_patience(session: Session, event: ev.Event, rules: Rules) -> Step:
    """It has stood in line for too long: it goes on in another, or its caller may choose to go on otherwise (溢出)."""
    patience = session.patience
    if patience is None:
        return session, ()
    if patience.queue:
        out, gone = _out_of_line(session, event)
        demand = replace(session.demand, queue=patience.queue)
        queued, effects = stand(replace(out, demand=demand, patience=replace(patience, queue="")), event)
        return queued, (*gone, *effects, SetTimer(PATIENCE, patience.after_s))
    spent = replace(session, patience=None)
    leg, ways = session.voice_leg(Party.CITIZEN), _open_to(session, patience.ways, rules)
    if leg is None or not ways:
        return spent, ()
    offered = replace(spent, detour=Detour(Obstacle.LONG_WAIT, patience.ways, owed=True))
    return offered, (OfferWays(leg.id, (TOLD[Obstacle.LONG_WAIT],), ways),)


def _shown(session: Session, leg: Leg, detour: Detour, rules: Rules) -> Step:
    free, closing = _without_calls(session)
    choosing = replace(free.with_leg(leg), phase=Phase.CHOOSING, detour=detour, announced=0, kept=False)
    retry = (ClearTimer(RETRY),) if session.phase is Phase.CALLBACK_PENDING else ()
    return choosing, (*closing, *retry, *_offered(choosing, (HOTLINE, TOLD[detour.why]), rules))


def _told(session: Session, leg: Leg, detour: Detour) -> Step:
    """The call is no part of what the session does: it hears why, and ends."""
    return session.with_leg(replace(leg, state=LegState.ENDED)), (LetGo(leg.id, (TOLD[detour.why], GOODBYE)),)


def _offered(session: Session, first: tuple[Announcement, ...], rules: Rules) -> tuple[Effect, ...]:
    """The ways on, behind what comes `first`; where there is none, goodbye."""
    leg, detour = session.voice_leg(Party.CITIZEN), session.detour
    if leg is None or detour is None:
        return ()
    ways = _open_to(session, detour.ways, rules)
    said = OfferWays(leg.id, first, ways) if ways else LetGo(leg.id, (*first, GOODBYE))
    return said, SetTimer(CHOICE, rules.choice_s)


def _open_to(session: Session, ways: Iterable[Way], rules: Rules) -> tuple[Way, ...]:
    """Nobody is promised a call whom we could not call."""
    return tuple(way for way in ways if way is not Way.CALL_BACK or owing.can_be_called(session, rules))


def _pressed(session: Session, event: ev.Event, rules: Rules) -> tuple[Leg, Way] | None:
    """On which call of the citizen's a key was pressed, and what it means; None where that was not offered."""
    assert isinstance(event, ev.DigitPressed)
    leg, detour, way = session.voice_leg(Party.CITIZEN), session.detour, KEYS.get(event.digit)
    if leg is None or leg.id != event.leg or detour is None or way is None:
        return None
    return (leg, way) if way in _open_to(session, detour.ways, rules) else None


def _out_of_line(session: Session, event: ev.Event) -> Step:
    ringing = stop_ringing(session, session.offer) if session.offer is not None else ()
    return replace(stop_waiting(session, event.at), offer=None), (Withdraw(), *ringing)


def _taken_down(session: Session, leg: Leg, rules: Rules) -> tuple[Effect, ...]:
    recording = RecordingId(f"{session.id}-{session.version + 1}")
    # Whoever talks is not interrupted: the deadline is the channel's, and this one only for where that dies.
    deadline = SetTimer(CHOICE, rules.message_s + rules.choice_s)
    return TakeMessage(leg.id, recording, rules.message_s), deadline


def _awaited(session: Session, rules: Rules) -> Step:
    """They have a link; until they open it nobody does anything."""
    return replace(session, phase=Phase.PARKED, prefer=None), (ClearTimer(CHOICE), SetTimer(PARK, rules.link_s))


def _gone(less: Session, event: ev.Event, rules: Rules, *, owed: bool) -> Step:
    if less.debt is not None or (owed and owing.can_be_called(less, rules)):
        return owing.owe(less, event, rules, not_before=_opening(less))
    return close(less, event, CloseReason.UNSERVED)


def _opening(session: Session) -> float:
    return (session.detour.opens_at or 0.0) if session.detour is not None else 0.0


def _without_calls(session: Session) -> Step:
    """What the citizen has on the line gives way to what comes now."""
    calls = session.live_legs(Party.CITIZEN)
    for leg in ended(calls):
        session = session.with_leg(leg)
    return session, tuple(CloseLeg(leg.id, LegEnd.CLOSED) for leg in calls)


OFFERS: tuple[tuple[Way, Announcement], ...] = (
    (Way.LINK, Announcement("way_link")),
    (Way.CALL_BACK, Announcement("way_call_back")),
    (Way.MESSAGE, Announcement("way_message")),
)
"""How each way is offered."""


def offers(ways: Iterable[Way], *, in_line: bool) -> tuple[Announcement, ...]:
    """What a caller hears of these ways. In line the link is the one by which the place is kept."""
    there = frozenset(ways)
    return tuple(KEEP_PLACE if in_line and way is Way.LINK else said for way, said in OFFERS if way in there)
