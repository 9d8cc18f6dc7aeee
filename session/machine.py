"""The session's machine: `advance(session, event)` gives the next session and what must be done. Pure.

The rules stand in `TABLE`, phase by phase and event by event, with the phases that each may lead to; the drawing in
`docs/session.md` is made from it. An event that has no cell changes nothing but the version: it stays in the log and
in the timeline. So every event is met in every phase, and replaying a log always gives the same state (law 9).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from session import belonging as bl
from session import conferring, detouring, dialling, handling, owing, parking, supervising
from session import events as ev
from session.audio import Announcement
from session.effects import (
    AnnouncePlace,
    ClearTimer,
    CloseLeg,
    Deliver,
    Effect,
    Play,
    Release,
    Ring,
    SetTimer,
    Withdraw,
)
from session.ending import close, wrap_longer, written_up
from session.errors import YihaoError
from session.ids import SessionId
from session.joining import joined, joined_into, split, split_from
from session.leaving import (
    citizen_joined,
    contact_over,
    kept_long_enough,
    leg_away,
    leg_back,
    leg_closed,
    link_failed,
    link_sent,
    message_failed,
    picture_wanted,
    place_kept,
    settled,
)
from session.rules import Rules
from session.state import (
    AssigneeKind,
    CloseReason,
    DebtEnd,
    LegEnd,
    LegState,
    Medium,
    Offer,
    Party,
    Phase,
    Session,
)
from session.step import Rule, Step
from session.timers import (
    ANNOUNCE,
    ASSIGNEE,
    CALLBACK,
    CHOICE,
    CONTACT,
    DIAL,
    DROPPED,
    IDLE,
    MEDIA,
    PARK,
    PATIENCE,
    RETRY,
    SLOT,
    WRAP,
    grace,
)
from session.transfer import transferred
from session.waiting import back_in_line, comfort, stand, stop_ringing, stop_waiting, wait

DEFAULT_RULES = Rules()


class BrokenLaw(YihaoError):
    """A rule led to a phase that its cell does not name: a defect of this file."""

    def __init__(self, before: Phase, event: ev.Event, after: Phase) -> None:
        self.before, self.event, self.after = before, type(event).__name__, after
        super().__init__(f"{self.event} must not lead from {before} to {after}")


@dataclass(frozen=True, slots=True)
class Cell:
    """One rule, and every phase that it may lead to."""

    rule: Rule
    to: tuple[Phase, ...]


def begin(session_id: SessionId, opened: ev.SessionOpened) -> Session:
    """The session before its first event, which must then be advanced over like any other."""
    return Session(
        id=session_id,
        citizen=opened.citizen,
        number=opened.number,
        opened_at=opened.at,
        demand=opened.demand,
        bot_queue=opened.bot_queue,
    )


def advance(session: Session, event: ev.Event, rules: Rules = DEFAULT_RULES) -> Step:
    """The session after `event`, and the effects in the order in which they are to be done."""
    cell = TABLE.get((session.phase, type(event)))
    if cell is None:
        return replace(session, version=session.version + 1), ()
    after, effects = cell.rule(session, event, rules)
    if after.phase not in cell.to:
        raise BrokenLaw(session.phase, event, after.phase)
    return replace(after, version=session.version + 1), effects


def replay(session_id: SessionId, log: Iterable[ev.Event], rules: Rules = DEFAULT_RULES) -> Session:
    """The session that a whole log makes. Raises `ValueError` for a log that does not begin with `SessionOpened`."""
    events = iter(log)
    first = next(events, None)
    if not isinstance(first, ev.SessionOpened):
        raise ValueError("a session's log begins with its opening")  # noqa: TRY004 - it is a value of the wrong order
    session, _ = advance(begin(session_id, first), first, rules)
    for event in events:
        session, _ = advance(session, event, rules)
    return session


# --- rules: legs ---------------------------------------------------------------------------------------------------


def _opened(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Nothing is done before the first leg: a session without one has nobody to serve."""
    return session, ()


def _first_leg(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.LegOpened)
    detour = detouring.detoured(session, event, rules)
    if detour is not None:
        return detour
    met = replace(session.with_leg(event.leg), patience=event.patience)
    if event.leg.medium is Medium.VOICE:
        met = replace(met, bot_queue="")
    queued, effects = stand(met, event)
    if event.patience is not None:
        effects = (*effects, SetTimer(PATIENCE, event.patience.after_s))
    if event.leg.medium is not Medium.VOICE:
        return queued, effects
    greeting = Play(event.leg.id, (Announcement("welcome"), Announcement("recording_notice")))
    return queued, (*effects, greeting, SetTimer(ANNOUNCE, rules.announce_s[0]))


def _another_leg(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The citizen comes on one more channel, or the assignee's own call is up."""
    assert isinstance(event, ev.LegOpened)
    if session.leg(event.leg.id) is not None:
        return dialling.answered(session, event, rules)  # or said twice
    grown = session.with_leg(event.leg)
    if event.leg.party is Party.CITIZEN:
        detour = detouring.detoured(session, event, rules)
        if detour is not None:
            return detour
        if session.phase is Phase.BOT and event.leg.medium is Medium.VOICE:
            return _human_wanted(grown, event, rules)
        return citizen_joined(session, grown, event, rules)
    if event.leg.party in (Party.SUPERVISOR, Party.THIRD):
        return supervising.leg_opened(session, event)
    return _assignees_call_added(session, grown, event, rules)


def _assignees_call_added(session: Session, grown: Session, event: ev.LegOpened, rules: Rules) -> Step:
    citizen = grown.call
    if session.phase is not Phase.ACTIVE or citizen is None or session.live_legs(Party.ASSIGNEE):
        ended = grown.with_leg(replace(event.leg, state=LegState.ENDED))
        return ended, (CloseLeg(event.leg.id, LegEnd.CLOSED),)
    if citizen.state is LegState.LIVE:
        return dialling.joined(grown, citizen, event.leg)
    return dialling.agent_up(grown, citizen, event, rules)


# --- rules: words --------------------------------------------------------------------------------------------------


def _deliver(session: Session, event: ev.Event, rules: Rules) -> Step:
    """What an assignee writes goes to every text leg that the citizen has open."""
    assert isinstance(event, ev.TextSent | ev.FileSent)
    legs = [leg for leg in session.live_legs(Party.CITIZEN) if leg.medium is not Medium.VOICE]
    idle = (SetTimer(IDLE, rules.chat_idle_s),) if session.phase is Phase.ACTIVE else ()
    return session, (*(Deliver(leg.id, event.message) for leg in legs), *idle)


def _heard(session: Session, event: ev.Event, rules: Rules) -> Step:
    return session, (SetTimer(IDLE, rules.chat_idle_s),)


def _citizen_writes_again(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A parked session comes back to the agent who parked it, or to another when they are busy."""
    queued, effects = wait(session, event)
    return queued, (ClearTimer(PARK), *effects)


def _human_wanted(session: Session, event: ev.Event, rules: Rules) -> Step:
    """人工, or a call, which a program cannot take: it lets go at once, and the citizen stands in the humans' line."""
    effects: tuple[Effect, ...] = (Release(session.assignee),) if session.assignee is not None else ()
    queued, enqueue = wait(session, event)
    return queued, (*effects, *enqueue, *comfort(queued, rules))


def _human_wanted_in_line(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Only a session that stands in the bots' line has to move."""
    if not session.bot_queue:
        return session, ()
    waited = stop_waiting(session, event.at)
    gone: list[Effect] = [Withdraw()]
    if session.offer is not None:
        gone += stop_ringing(session, session.offer)
    queued, enqueue = wait(waited, event)
    return queued, (*gone, *enqueue)


# --- rules: offers -------------------------------------------------------------------------------------------------


def _offered(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.OfferMade)
    offer = Offer(event.token, event.assignee, event.kind, event.medium, event.lease_until)
    offered = replace(session, phase=Phase.OFFERED, offer=offer)
    leg = session.call
    if leg is None or event.medium is not Medium.VOICE or event.kind is not AssigneeKind.AGENT:
        return offered, ()
    return offered, (Ring(leg.id, event.assignee, event.token, event.lease_until),)


def _accepted(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.OfferAccepted)
    if session.offer is None or session.offer.token != event.token:
        return session, ()
    answered = replace(
        stop_waiting(session, event.at),
        phase=Phase.BOT if event.kind is AssigneeKind.BOT else Phase.ACTIVE,
        offer=None,
        assignee=event.assignee,
        assignee_kind=event.kind,
        prefer=None if event.kind is AssigneeKind.BOT else event.assignee,
        kept=False,
        detour=None,
        patience=None,
        granted=event.token,
    )
    paid: tuple[Effect, ...] = ()
    if any(leg is not session.dial for leg in session.live_legs(Party.CITIZEN)):
        answered, paid = owing.settled(answered, event, DebtEnd.RETURNED)
    by_voice = session.offer.medium is Medium.VOICE and event.kind is AssigneeKind.AGENT
    last = SetTimer(MEDIA, rules.media_up_s) if by_voice else SetTimer(IDLE, rules.chat_idle_s)
    return answered, (ClearTimer(ANNOUNCE), last, *paid, *settled(answered, rules))


def _not_taken(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The queue has put it back in line with its wait, in the script that wrote this event."""
    assert isinstance(event, ev.OfferDeclined | ev.OfferExpired | ev.OfferRescinded)
    if session.offer is None or session.offer.token != event.token:
        return session, ()
    return replace(session, phase=Phase.QUEUED, offer=None), stop_ringing(session, session.offer)


# --- rules: the assignee's acts --------------------------------------------------------------------------------------


def _parked(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.SessionParked)
    if session.assignee != event.by or session.call is not None:
        return session, ()
    parked = replace(session, phase=Phase.PARKED, prefer=event.by, assignee=None, assignee_kind=None)
    return parked, (Release(event.by), ClearTimer(IDLE), ClearTimer(ASSIGNEE), SetTimer(PARK, rules.park_s))


def _finished(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.ContactFinished)
    if session.assignee != event.by:
        return session, ()
    return contact_over(session, event, rules)


def _wrapped(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.WrapFinished)
    if session.assignee != event.by:
        return session, ()
    return written_up(session, event, rules)


def _assignee_away(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A softphone's call needs no desk; a chat waits for its agent."""
    assert isinstance(event, ev.AssigneeAway)
    if session.assignee != event.assignee or session.live_legs(Party.ASSIGNEE):
        return session, ()
    return session, (SetTimer(ASSIGNEE, rules.assignee_grace_s),)


def _assignee_back(session: Session, event: ev.Event, rules: Rules) -> Step:
    assert isinstance(event, ev.AssigneeBack)
    return session, (ClearTimer(ASSIGNEE),) if session.assignee == event.assignee else ()


# --- rules: time -----------------------------------------------------------------------------------------------------


def _time(session: Session, event: ev.Event, rules: Rules) -> Step:
    """One deadline has passed. A timer that no longer fits the phase is history."""
    assert isinstance(event, ev.TimerFired)
    leg = next((leg for leg in session.legs if event.name == grace(leg.id)), None)
    if leg is not None and leg.state is LegState.AWAY:
        return leg_closed(session, ev.LegClosed(at=event.at, leg=leg.id, reason=LegEnd.LEFT), rules)
    rule = _ON_TIME.get((session.phase, event.name))
    return rule(session, event, rules) if rule else (session, ())


def _place_due(session: Session, event: ev.Event, rules: Rules) -> Step:
    """Say the place in line, at pauses that grow."""
    leg = session.voice_leg(Party.CITIZEN)
    if leg is None:
        return session, ()
    told = session.announced + 1
    pause_s = rules.announce_s[min(told, len(rules.announce_s) - 1)]
    effects: tuple[Effect, ...] = (SetTimer(ANNOUNCE, pause_s),)
    if session.phase is Phase.QUEUED or (session.offer is not None and session.offer.kind is AssigneeKind.AGENT):
        effects = (AnnouncePlace(leg.id), *effects)
    return replace(session, announced=told), effects


def _media_never_came(session: Session, event: ev.Event, rules: Rules) -> Step:
    if session.live_legs(Party.ASSIGNEE):
        return session, ()
    dial = session.dial
    others = any(leg is not dial for leg in session.live_legs(Party.CITIZEN))
    if dial is not None and (others or dial.id == session.begun):
        return dialling.failed(session, event, rules)
    return back_in_line(session, event, rules)


def _asked_elsewhere(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A call is asked for where no agent has the session: it stands in the humans' line for it.

    Not one that rings in a page: whoever wanted that is no longer there.
    """
    assert isinstance(event, ev.CallRequested)
    if event.node:
        return session, ()
    owed, promise = owing.promised(dialling.asked_for(session, event), event, rules)
    rule = _human_wanted if session.phase is Phase.BOT else _citizen_writes_again
    queued, effects = rule(owed, event, rules)
    return queued, (*effects, *promise)


def _closing(reason: CloseReason) -> Rule:
    def rule(session: Session, event: ev.Event, rules: Rules) -> Step:
        return close(session, event, reason)

    return rule


def _parked_too_long(session: Session, event: ev.Event, rules: Rules) -> Step:
    if session.voice_leg(Party.CITIZEN) is not None:
        return parking.fetched(session, event, rules)
    return close(session, event, CloseReason.JOINED if session.joined_into else CloseReason.EXPIRED)


_ON_TIME: Mapping[tuple[Phase, str], Rule] = {
    (Phase.QUEUED, ANNOUNCE): _place_due,
    (Phase.QUEUED, CALLBACK): owing.too_late,
    (Phase.QUEUED, PATIENCE): detouring.out_of_patience,
    (Phase.OFFERED, ANNOUNCE): _place_due,
    (Phase.OFFERED, CALLBACK): owing.too_late,
    (Phase.OFFERED, PATIENCE): detouring.out_of_patience,
    (Phase.CHOOSING, CALLBACK): owing.too_late,
    (Phase.CHOOSING, CHOICE): detouring.choice_due,
    (Phase.ACTIVE, MEDIA): _media_never_came,
    (Phase.ACTIVE, ASSIGNEE): back_in_line,
    (Phase.ACTIVE, IDLE): contact_over,
    (Phase.ACTIVE, DIAL): dialling.out_of_time,
    (Phase.ACTIVE, DROPPED): kept_long_enough,
    (Phase.ACTIVE, SLOT): dialling.slot_due,
    (Phase.ACTIVE, CALLBACK): owing.being_kept,
    (Phase.ACTIVE, CONTACT): owing.talked,
    (Phase.BOT, ASSIGNEE): _human_wanted,
    (Phase.BOT, CALLBACK): owing.too_late,
    (Phase.BOT, IDLE): _closing(CloseReason.RESOLVED_BY_BOT),
    (Phase.PARKED, CALLBACK): owing.lapsed,
    (Phase.PARKED, PARK): _parked_too_long,
    (Phase.WRAPPING, CALLBACK): owing.lapsed,
    (Phase.WRAPPING, WRAP): written_up,
    (Phase.CALLBACK_PENDING, CALLBACK): _closing(CloseReason.UNREACHED),
    (Phase.CALLBACK_PENDING, RETRY): owing.call_back,
}


def _citizen_returned(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The one to whom a call is owed came by themselves: the debt is paid by serving them, at their old place."""
    assert isinstance(event, ev.LegOpened)
    if event.leg.party is not Party.CITIZEN:
        return _opened_too_late(session, event, rules)
    detour = detouring.detoured(session, event, rules)
    if detour is not None:
        return detour
    came = replace(session.with_leg(event.leg), detour=None, kept=False)
    met, paid = owing.settled(came, event, DebtEnd.RETURNED)
    queued, effects = wait(met, event)
    return queued, (ClearTimer(PARK), *paid, *effects, *comfort(queued, rules))


def _opened_too_late(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A call that comes up when its contact is already over; or the citizen, back before it is written up."""
    assert isinstance(event, ev.LegOpened)
    if event.leg.party is not Party.CITIZEN:
        return session, (CloseLeg(event.leg.id, LegEnd.CLOSED),)
    return _unfinished(session.with_leg(event.leg), event, rules)


def _written_too_late(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The citizen wrote while the agent ended the contact: their word counts."""
    assert isinstance(event, ev.TextReceived | ev.FileReceived | ev.LocationReceived)
    leg = session.leg(event.leg)
    if leg is None:
        return session, ()
    return _unfinished(session.with_leg(replace(leg, state=LegState.LIVE)), event, rules)


def _unfinished(session: Session, event: ev.Event, rules: Rules) -> Step:
    """The contact is not over after all; the same agent is asked first."""
    queued, effects = back_in_line(session, event, rules)
    return queued, (ClearTimer(WRAP), *effects)


def _leg_gone_quietly(session: Session, event: ev.Event, rules: Rules) -> Step:
    """A leg ends where nobody is waiting for it; what is open besides decides nothing. A dropped call ended before."""
    assert isinstance(event, ev.LegClosed)
    leg = session.leg(event.leg)
    if leg is None or leg is session.dropped_call:
        return session, ()
    return session.with_leg(replace(leg, state=LegState.ENDED)), ()


TABLE: Mapping[tuple[Phase, type[ev.Event]], Cell] = {
    (Phase.NEW, ev.SessionOpened): Cell(_opened, (Phase.NEW,)),
    (Phase.NEW, ev.LegOpened): Cell(_first_leg, (Phase.QUEUED, Phase.CHOOSING)),
    (Phase.NEW, ev.CallBegun): Cell(dialling.begun, (Phase.ACTIVE,)),
    # Nobody can take the call: its caller chooses how to go on.
    (Phase.CHOOSING, ev.LegOpened): Cell(detouring.came_again, (Phase.CHOOSING, Phase.QUEUED)),
    (Phase.CHOOSING, ev.LegClosed): Cell(
        leg_closed, (Phase.CHOOSING, Phase.QUEUED, Phase.PARKED, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    (Phase.CHOOSING, ev.DigitPressed): Cell(detouring.chosen, (Phase.CHOOSING, Phase.CALLBACK_PENDING)),
    (Phase.CHOOSING, ev.VoiceMessageLeft): Cell(detouring.message_left, (Phase.CHOOSING, Phase.QUEUED)),
    (Phase.CHOOSING, ev.LinkSent): Cell(detouring.link_sent, (Phase.CHOOSING, Phase.PARKED)),
    (Phase.CHOOSING, ev.LinkFailed): Cell(detouring.link_failed, (Phase.CHOOSING,)),
    (Phase.CHOOSING, ev.MessageFailed): Cell(detouring.link_failed, (Phase.CHOOSING,)),
    (Phase.CHOOSING, ev.TimerFired): Cell(
        _time, (Phase.CHOOSING, Phase.QUEUED, Phase.PARKED, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    # A program has the session.
    (Phase.BOT, ev.LegOpened): Cell(_another_leg, (Phase.BOT, Phase.QUEUED)),
    (Phase.BOT, ev.LegAway): Cell(leg_away, (Phase.BOT,)),
    (Phase.BOT, ev.LegBack): Cell(leg_back, (Phase.BOT,)),
    (Phase.BOT, ev.LegClosed): Cell(leg_closed, (Phase.BOT, Phase.CLOSED, Phase.CALLBACK_PENDING)),
    (Phase.BOT, ev.TextReceived): Cell(_heard, (Phase.BOT,)),
    (Phase.BOT, ev.FileReceived): Cell(_heard, (Phase.BOT,)),
    (Phase.BOT, ev.LocationReceived): Cell(_heard, (Phase.BOT,)),
    (Phase.BOT, ev.TextSent): Cell(_deliver, (Phase.BOT,)),
    (Phase.BOT, ev.FileSent): Cell(_deliver, (Phase.BOT,)),
    (Phase.BOT, ev.CallRequested): Cell(_asked_elsewhere, (Phase.QUEUED, Phase.BOT)),
    (Phase.BOT, ev.HumanRequested): Cell(_human_wanted, (Phase.QUEUED,)),
    (Phase.BOT, ev.ContactFinished): Cell(_finished, (Phase.BOT, Phase.CLOSED)),
    (Phase.BOT, ev.AssigneeAway): Cell(_assignee_away, (Phase.BOT,)),
    (Phase.BOT, ev.AssigneeBack): Cell(_assignee_back, (Phase.BOT,)),
    (Phase.BOT, ev.TimerFired): Cell(_time, (Phase.BOT, Phase.QUEUED, Phase.CLOSED)),
    (Phase.BOT, bl.JoinedInto): Cell(joined_into, (Phase.PARKED,)),
    # In line.
    (Phase.QUEUED, ev.LegOpened): Cell(_another_leg, (Phase.QUEUED, Phase.CHOOSING)),
    (Phase.QUEUED, ev.DigitPressed): Cell(detouring.chosen_in_line, (Phase.QUEUED, Phase.CHOOSING)),
    (Phase.QUEUED, ev.LegAway): Cell(leg_away, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.LegBack): Cell(leg_back, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.LegClosed): Cell(leg_closed, (Phase.QUEUED, Phase.CLOSED, Phase.CALLBACK_PENDING)),
    (Phase.QUEUED, ev.PlaceKept): Cell(place_kept, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.LinkSent): Cell(link_sent, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.LinkFailed): Cell(link_failed, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.MessageFailed): Cell(message_failed, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.TextSent): Cell(_deliver, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.HumanRequested): Cell(_human_wanted_in_line, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.CallRequested): Cell(dialling.asked_in_line, (Phase.QUEUED,)),
    (Phase.QUEUED, ev.OfferMade): Cell(_offered, (Phase.OFFERED,)),
    (Phase.QUEUED, ev.TimerFired): Cell(_time, (Phase.QUEUED, Phase.CLOSED, Phase.CALLBACK_PENDING)),
    (Phase.QUEUED, bl.JoinedInto): Cell(joined_into, (Phase.PARKED,)),
    # Before one assignee.
    (Phase.OFFERED, ev.LegOpened): Cell(_another_leg, (Phase.OFFERED, Phase.QUEUED, Phase.CHOOSING)),
    (Phase.OFFERED, ev.DigitPressed): Cell(detouring.chosen_in_line, (Phase.OFFERED, Phase.CHOOSING)),
    (Phase.OFFERED, ev.LegAway): Cell(leg_away, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.LegBack): Cell(leg_back, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.LegClosed): Cell(
        leg_closed, (Phase.OFFERED, Phase.QUEUED, Phase.CLOSED, Phase.CALLBACK_PENDING)
    ),
    (Phase.OFFERED, ev.PlaceKept): Cell(place_kept, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.LinkSent): Cell(link_sent, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.LinkFailed): Cell(link_failed, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.MessageFailed): Cell(message_failed, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.TextSent): Cell(_deliver, (Phase.OFFERED,)),
    (Phase.OFFERED, ev.HumanRequested): Cell(_human_wanted_in_line, (Phase.OFFERED, Phase.QUEUED)),
    (Phase.OFFERED, ev.CallRequested): Cell(dialling.asked_in_line, (Phase.QUEUED, Phase.OFFERED)),
    (Phase.OFFERED, ev.OfferAccepted): Cell(_accepted, (Phase.ACTIVE, Phase.BOT, Phase.OFFERED)),
    (Phase.OFFERED, ev.OfferDeclined): Cell(_not_taken, (Phase.QUEUED, Phase.OFFERED)),
    (Phase.OFFERED, ev.OfferExpired): Cell(_not_taken, (Phase.QUEUED, Phase.OFFERED)),
    (Phase.OFFERED, ev.OfferRescinded): Cell(_not_taken, (Phase.QUEUED, Phase.OFFERED)),
    (Phase.OFFERED, ev.TimerFired): Cell(_time, (Phase.OFFERED, Phase.QUEUED, Phase.CLOSED, Phase.CALLBACK_PENDING)),
    (Phase.OFFERED, bl.JoinedInto): Cell(joined_into, (Phase.PARKED,)),
    # An agent has the session.
    (Phase.ACTIVE, ev.LegOpened): Cell(_another_leg, (Phase.ACTIVE, Phase.QUEUED)),
    (Phase.ACTIVE, ev.LegAway): Cell(leg_away, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.LegBack): Cell(leg_back, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.LegClosed): Cell(
        leg_closed, (Phase.ACTIVE, Phase.WRAPPING, Phase.QUEUED, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    (Phase.ACTIVE, ev.CallRequested): Cell(dialling.asked_of_agent, (Phase.ACTIVE, Phase.QUEUED)),
    (Phase.ACTIVE, ev.SlotGranted): Cell(dialling.slot_granted, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.SlotRefused): Cell(dialling.slot_refused, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.DialFailed): Cell(
        dialling.failed, (Phase.ACTIVE, Phase.WRAPPING, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    (Phase.ACTIVE, ev.ContactJudged): Cell(owing.judged, (Phase.ACTIVE, Phase.CALLBACK_PENDING, Phase.CLOSED)),
    (Phase.ACTIVE, ev.TextReceived): Cell(_heard, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.FileReceived): Cell(_heard, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.LocationReceived): Cell(_heard, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.PictureRequested): Cell(picture_wanted, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.TextSent): Cell(_deliver, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.FileSent): Cell(_deliver, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.HoldRequested): Cell(handling.hold, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.MuteRequested): Cell(handling.mute, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.DigitsRequested): Cell(handling.press, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.SupervisionRequested): Cell(supervising.requested, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.CallParked): Cell(parking.parked, (Phase.PARKED, Phase.ACTIVE)),
    (Phase.ACTIVE, ev.ThirdRequested): Cell(conferring.third_wanted, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.ConferRequested): Cell(conferring.asked, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.CallPassedOn): Cell(conferring.passed_on, (Phase.ACTIVE, Phase.WRAPPING)),
    (Phase.ACTIVE, ev.SessionTakenOver): Cell(supervising.taken_over, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.SessionParked): Cell(_parked, (Phase.PARKED, Phase.ACTIVE)),
    (Phase.ACTIVE, bl.SessionsJoined): Cell(joined, (Phase.ACTIVE,)),
    (Phase.ACTIVE, bl.SessionsSplit): Cell(split, (Phase.ACTIVE, Phase.WRAPPING)),
    (Phase.ACTIVE, ev.SessionTransferred): Cell(transferred, (Phase.QUEUED, Phase.ACTIVE)),
    (Phase.ACTIVE, ev.ContactFinished): Cell(
        _finished, (Phase.WRAPPING, Phase.ACTIVE, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    (Phase.ACTIVE, ev.AssigneeAway): Cell(_assignee_away, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.AssigneeBack): Cell(_assignee_back, (Phase.ACTIVE,)),
    (Phase.ACTIVE, ev.TimerFired): Cell(
        _time, (Phase.ACTIVE, Phase.QUEUED, Phase.WRAPPING, Phase.CALLBACK_PENDING, Phase.CLOSED)
    ),
    (Phase.ACTIVE, bl.JoinedInto): Cell(joined_into, (Phase.PARKED,)),
    # Set aside until the citizen writes.
    (Phase.PARKED, ev.LegOpened): Cell(_citizen_returned, (Phase.QUEUED, Phase.PARKED)),
    (Phase.PARKED, ev.LegAway): Cell(leg_away, (Phase.PARKED,)),
    (Phase.PARKED, ev.LegBack): Cell(leg_back, (Phase.PARKED,)),
    (Phase.PARKED, ev.LegClosed): Cell(parking.left_alone, (Phase.PARKED, Phase.CALLBACK_PENDING, Phase.CLOSED)),
    (Phase.PARKED, ev.TextReceived): Cell(_citizen_writes_again, (Phase.QUEUED,)),
    (Phase.PARKED, ev.FileReceived): Cell(_citizen_writes_again, (Phase.QUEUED,)),
    (Phase.PARKED, ev.LocationReceived): Cell(_citizen_writes_again, (Phase.QUEUED,)),
    (Phase.PARKED, ev.LinkFailed): Cell(detouring.link_failed, (Phase.PARKED, Phase.CALLBACK_PENDING, Phase.CLOSED)),
    (Phase.PARKED, ev.MessageFailed): Cell(detouring.link_failed, (Phase.PARKED, Phase.CALLBACK_PENDING, Phase.CLOSED)),
    (Phase.PARKED, ev.HumanRequested): Cell(_citizen_writes_again, (Phase.QUEUED,)),
    (Phase.PARKED, ev.CallRequested): Cell(_asked_elsewhere, (Phase.QUEUED, Phase.PARKED)),
    (Phase.PARKED, ev.SessionResumed): Cell(parking.fetched, (Phase.QUEUED,)),
    (Phase.PARKED, ev.TimerFired): Cell(_time, (Phase.PARKED, Phase.QUEUED, Phase.CLOSED)),
    (Phase.PARKED, bl.SplitFrom): Cell(split_from, (Phase.QUEUED, Phase.PARKED)),
    (Phase.PARKED, bl.JoinedInto): Cell(joined_into, (Phase.PARKED,)),
    # The assignee writes it up.
    (Phase.WRAPPING, ev.LegOpened): Cell(_opened_too_late, (Phase.QUEUED, Phase.WRAPPING)),
    (Phase.WRAPPING, ev.TextReceived): Cell(_written_too_late, (Phase.QUEUED, Phase.WRAPPING)),
    (Phase.WRAPPING, ev.FileReceived): Cell(_written_too_late, (Phase.QUEUED, Phase.WRAPPING)),
    (Phase.WRAPPING, ev.LocationReceived): Cell(_written_too_late, (Phase.QUEUED, Phase.WRAPPING)),
    (Phase.WRAPPING, ev.LegClosed): Cell(_leg_gone_quietly, (Phase.WRAPPING,)),
    (Phase.WRAPPING, ev.WrapExtended): Cell(wrap_longer, (Phase.WRAPPING,)),
    (Phase.WRAPPING, ev.WrapFinished): Cell(_wrapped, (Phase.CLOSED, Phase.WRAPPING, Phase.PARKED)),
    (Phase.WRAPPING, ev.TimerFired): Cell(_time, (Phase.WRAPPING, Phase.CLOSED, Phase.PARKED)),
    # A call back is owed.
    (Phase.CALLBACK_PENDING, ev.LegOpened): Cell(
        _citizen_returned, (Phase.QUEUED, Phase.CHOOSING, Phase.CALLBACK_PENDING)
    ),
    (Phase.CALLBACK_PENDING, ev.DebtMerged): Cell(_closing(CloseReason.MERGED), (Phase.CLOSED,)),
    (Phase.CALLBACK_PENDING, ev.TimerFired): Cell(_time, (Phase.CALLBACK_PENDING, Phase.QUEUED, Phase.CLOSED)),
}
