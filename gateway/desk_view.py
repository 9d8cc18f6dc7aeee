"""What a desk shows, made from sessions and their events. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import asdict

from queueing.contract import AssigneeView, Presence, QueueView, Routing
from realtime import desk as frames
from realtime import timeline as drawn
from realtime.citizen import File, Location
from realtime.messages import Durable
from session import belonging as bl
from session import events as ev
from session.address import Address
from session.ids import AssigneeId, MessageId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, Handing, Leg, Medium, Party, Session
from storage.record import SessionRecord

CITIZEN = drawn.Who(kind="citizen")
SYSTEM = drawn.Who(kind="system")
_NUMBER = re.compile(r"\d(?:[ -]?\d){6,}")


def masked(address: Address | None) -> str:
    """A citizen as an agent sees them: enough to tell two apart, too little to note down (脱敏)."""
    if address is None:
        return ""
    name = address.identifier
    if address.scheme != "tel":
        return f"{address.scheme} {name[-4:]}"
    digits = name.removeprefix("+86")
    if len(digits) < 8:
        return f"tel {digits}"
    return f"tel {digits[:3]}****{digits[-4:]}"


def _without_numbers(name: str) -> str:
    """Somebody's trade and telephone number is what many call themselves in WeChat: the number is masked there too."""
    return _NUMBER.sub(lambda found: f"{found[0][:3]}****{found[0][-4:]}", name)


def who(by: AssigneeId, kind: AssigneeKind) -> drawn.Who:
    """An assignee."""
    return drawn.Who(kind="bot" if kind is AssigneeKind.BOT else "agent", name=by)


def entry_of(event: ev.Event) -> drawn.TimelineEntry | None:
    """How one event is drawn; None for one that is not for show."""
    drawers = (_word, _hand, _call, _dial, _recording, _offer, _switch, _who_it_is, _act, _supervision, _conference)
    return next((entry for draw in drawers if (entry := draw(event)) is not None), None)


def _word(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.TextReceived():
            return drawn.TextEntry(at=event.at, who=CITIZEN, message=event.message, text=event.text)
        case ev.TextSent():
            return drawn.TextEntry(
                at=event.at,
                who=who(event.by, event.kind),
                message=event.message,
                text=event.text,
                quote=drawn.Quote(event.quotes, event.quoted) if event.quotes is not None else None,
            )
        case ev.FileReceived():
            return drawn.FileEntry(at=event.at, who=CITIZEN, message=event.message, file=_file(event))
        case ev.FileSent():
            return drawn.FileEntry(at=event.at, who=who(event.by, event.kind), message=event.message, file=_file(event))
        case ev.LocationReceived():
            place = Location(event.latitude, event.longitude, event.accuracy_m)
            return drawn.LocationEntry(at=event.at, who=CITIZEN, message=event.message, location=place, name=event.name)
        case ev.MessageDelivered():
            return drawn.ProgressEntry(at=event.at, who=_party(event.to), message=event.message, state="delivered")
        case ev.MessageRead():
            return drawn.ProgressEntry(at=event.at, who=_party(event.by), message=event.message, state="read")
        case ev.MessageAccepted():
            return drawn.AcceptedEntry(
                at=event.at, who=SYSTEM, message=event.message, channel=event.channel, parts=event.parts
            )
        case ev.NoticeSent():
            sender = _agent(event.by) if event.by is not None else SYSTEM
            return drawn.NoticeEntry(
                at=event.at, who=sender, message=event.message, channel=event.channel, template=event.template
            )
        case ev.MessageFailed():
            return drawn.FailureEntry(
                at=event.at,
                who=SYSTEM,
                message=event.message,
                channel=event.channel,
                reason=event.reason.value,
                code=event.code,
            )
    return None


def _call(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.LegOpened():
            leg = event.leg
            return drawn.LegEntry(
                at=event.at,
                who=_party(leg.party),
                leg=leg.id,
                what="opened",
                channel=leg.channel,
                medium=leg.medium.value,
            )
        case ev.LegAway():
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what="away")
        case ev.LegBack():
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what="back")
        case ev.LegClosed():
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what="closed", reason=event.reason.value)
        case ev.LegHeld():
            what: Literal["held", "unheld"] = "held" if event.held else "unheld"
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what=what)
        case ev.LegSilent():
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what="silent")
        case ev.LegMuted():
            heard: Literal["muted", "unmuted"] = "muted" if event.muted else "unmuted"
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.leg, what=heard)
        case ev.LegsJoined():
            return drawn.LegEntry(at=event.at, who=SYSTEM, leg=event.assignee_leg, what="joined")
        case ev.DigitPressed():
            return drawn.EventEntry(at=event.at, who=CITIZEN, what="digit", detail=event.digit)
        case ev.DigitsRequested():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="digits_sent", detail=event.digits)
        case ev.PlaceAnnounced():
            return drawn.EventEntry(at=event.at, who=SYSTEM, what="place", detail=str(event.position))
    return None


def _recording(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.RecordingStarted():
            return drawn.RecordingEntry(at=event.at, who=SYSTEM, recording=event.recording, what="started")
        case ev.RecordingFailed():
            return drawn.RecordingEntry(at=event.at, who=SYSTEM, recording=event.recording, what="failed")
        case ev.RecordingFinished():
            return drawn.RecordingEntry(
                at=event.at,
                who=SYSTEM,
                recording=event.recording,
                what="finished",
                duration_s=event.duration_s,
                whole=event.whole,
            )
        case ev.QualityMeasured():
            return drawn.QualityEntry(
                at=event.at,
                who=SYSTEM,
                leg=event.leg,
                mos=event.mos,
                loss=event.loss,
                jitter_ms=event.jitter_ms,
                round_trip_ms=event.round_trip_ms,
                heard=event.heard,
            )
        case ev.RecordingMarked():
            return drawn.RecordingEntry(
                at=event.at,
                who=SYSTEM,
                recording=event.recording,
                what="marked",
                mark=event.mark.value,
                at_s=event.at_s,
            )
    return None


def _offer(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.OfferMade():
            return drawn.OfferEntry(
                at=event.at, who=who(event.assignee, event.kind), token=event.token, what="made", why=event.why
            )
        case ev.OfferAccepted():
            return drawn.OfferEntry(
                at=event.at, who=who(event.assignee, event.kind), token=event.token, what="accepted"
            )
        case ev.OfferDeclined():
            return drawn.OfferEntry(
                at=event.at, who=_agent(event.assignee), token=event.token, what="declined", reason=event.reason
            )
        case ev.OfferExpired():
            return drawn.OfferEntry(at=event.at, who=_agent(event.assignee), token=event.token, what="expired")
        case ev.OfferRescinded():
            return drawn.OfferEntry(
                at=event.at, who=_agent(event.assignee), token=event.token, what="rescinded", reason=event.reason
            )
        case ev.OfferCancelled():
            return drawn.OfferEntry(at=event.at, who=_agent(event.assignee), token=event.token, what="cancelled")
    return None


def _switch(event: ev.Event) -> drawn.TimelineEntry | None:
    """A link that was sent is drawn as the notice that brings it."""
    match event:
        case ev.PlaceKept():
            return drawn.EventEntry(at=event.at, who=CITIZEN, what="place_kept")
        case ev.VoiceMessageLeft():
            return drawn.EventEntry(at=event.at, who=CITIZEN, what="voice_message", detail=str(round(event.duration_s)))
        case ev.PictureRequested():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="picture_requested")
        case ev.LinkFailed():
            return drawn.EventEntry(at=event.at, who=SYSTEM, what="link_failed", detail=event.purpose.value)
        case ev.LinkOpened():
            return drawn.EventEntry(at=event.at, who=CITIZEN, what="link_opened", detail=event.purpose.value)
    return None


def _who_it_is(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case bl.NameClaimed():
            return drawn.NameEntry(at=event.at, who=CITIZEN, leg=event.leg, name=_without_numbers(event.name))
        case bl.SessionsJoined():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="joined", detail=_channels_of(event.legs))
        case bl.JoinedInto():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="joined_into")
        case bl.SessionsSplit():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="split", detail=event.why)
        case bl.SplitFrom():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="split_from")
        case bl.VerificationAsked():
            asker = _agent(event.by) if event.by else CITIZEN
            return drawn.EventEntry(at=event.at, who=asker, what="verification_asked", detail=event.proof.value)
        case bl.AddressVerified():
            return drawn.EventEntry(
                at=event.at,
                who=_agent(event.by) if event.by else CITIZEN,
                what="address_verified",
                detail=f"{masked(event.key)} {event.proof.value}",
            )
        case bl.AddressParted():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="address_parted", detail=event.why)
        case bl.AddressRevealed():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="address_revealed", detail=event.why)
    return None


def _dial(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.CallBegun():
            return drawn.DialEntry(
                at=event.at, who=_agent(event.by), what="begun", leg=event.leg, channel=event.channel
            )
        case ev.CallRequested():
            by = CITIZEN if event.by is None else _agent(event.by)
            return drawn.DialEntry(at=event.at, who=by, what="requested", leg=event.leg, channel=event.channel)
        case ev.SlotRefused():
            return drawn.DialEntry(at=event.at, who=_agent(event.assignee), what="waiting")
        case ev.DialStarted():
            return drawn.DialEntry(at=event.at, who=SYSTEM, what="started", leg=event.leg)
        case ev.DialFailed():
            return drawn.DialEntry(at=event.at, who=SYSTEM, what="failed", reason=event.reason.value, leg=event.leg)
        case ev.ContactJudged():
            judged: Literal["reached", "machine"] = "reached" if event.reached else "machine"
            return drawn.DialEntry(at=event.at, who=_agent(event.by), what=judged)
    return None


def _hand(event: ev.Event) -> drawn.TimelineEntry | None:
    """What an agent writes beside the conversation, or does to it."""
    match event:
        case ev.NoteAdded():
            return drawn.NoteEntry(at=event.at, who=who(event.by, AssigneeKind.AGENT), text=event.text)
        case ev.MessageRecalled():
            return drawn.RecallEntry(at=event.at, who=_agent(event.by), message=event.message)
    return None


def _act(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.SessionOpened():
            by = CITIZEN if event.by is None else _agent(event.by)
            return drawn.EventEntry(at=event.at, who=by, what="opened", detail=event.number)
        case ev.HumanRequested():
            return drawn.EventEntry(at=event.at, who=CITIZEN, what="human_requested")
        case ev.SessionParked():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="parked")
        case ev.SessionResumed():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="resumed")
        case ev.SessionTransferred():
            queue = event.demand.queue if event.demand else ""
            return drawn.TransferEntry(at=event.at, who=_agent(event.by), to=event.to or "", queue=queue, why=event.why)
        case ev.ContactFinished():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="finished")
        case ev.WrapExtended():
            return drawn.EventEntry(
                at=event.at, who=_agent(event.by), what="wrap_extended", detail=str(round(event.for_s))
            )
        case ev.WrapFinished():
            return drawn.WrapEntry(at=event.at, who=_agent(event.by), subject=event.kind, note=event.note)
        case ev.RatingGiven():
            return drawn.RatingEntry(
                at=event.at, who=CITIZEN, score=event.score, comment=event.comment, solved=event.solved
            )
        case ev.AssigneeAway():
            return drawn.EventEntry(at=event.at, who=_agent(event.assignee), what="assignee_away")
        case ev.AssigneeBack():
            return drawn.EventEntry(at=event.at, who=_agent(event.assignee), what="assignee_back")
    return None


def _channels_of(legs: Iterable[Leg]) -> str:
    return ", ".join(dict.fromkeys(leg.channel for leg in legs))


def _supervision(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.SupervisionRequested():
            return drawn.EventEntry(
                at=event.at, who=_agent(event.by), what="supervision_requested", detail=event.what.value
            )
        case ev.SupervisionChanged():
            return drawn.EventEntry(
                at=event.at, who=_agent(event.by), what="supervision_changed", detail=event.what.value
            )
        case ev.SupervisionEnded():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="supervision_ended", detail=event.reason)
        case ev.SessionTakenOver():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="taken_over")
    return None


def _conference(event: ev.Event) -> drawn.TimelineEntry | None:
    match event:
        case ev.ThirdRequested():
            name = event.name or masked(event.number)
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="third_requested", detail=name)
        case ev.ConferChanged():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="confer_changed", detail=event.what.value)
        case ev.ThirdEnded():
            return drawn.EventEntry(at=event.at, who=SYSTEM, what="third_ended", detail=event.reason)
        case ev.CallPassedOn():
            is_desks = event.why is Handing.DESK
            passed: Literal["passed_on", "passed_by_phone"] = "passed_on" if is_desks else "passed_by_phone"
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what=passed, detail=event.to or "")
        case ev.CallParked():
            return drawn.EventEntry(at=event.at, who=_agent(event.by), what="call_parked", detail=event.place)
    return None


def _agent(login: AssigneeId) -> drawn.Who:
    return drawn.Who(kind="agent", name=login)


def _party(party: Party) -> drawn.Who:
    return CITIZEN if party is Party.CITIZEN else drawn.Who(kind="agent")


def _file(event: ev.FileReceived | ev.FileSent) -> File:
    return File(id=event.file, name=event.name, content_type=event.content_type, size=event.size_bytes)


def timeline(entries: Iterable[Entry]) -> tuple[frames.Placed, ...]:
    """A session's events as a desk draws them."""
    drawn = ((entry.version, entry_of(entry.event)) for entry in entries)
    return tuple(frames.Placed(version=version, entry=entry) for version, entry in drawn if entry is not None)


def word_of(frame: Durable) -> tuple[SessionId, MessageId] | None:
    """The citizen's message that a frame brings to the desk, and its session."""
    if not isinstance(frame, frames.ContactTimeline):
        return None
    message = _citizens_message(frame.entry)
    return (SessionId(frame.session), message) if message is not None else None


def undelivered(placed: Iterable[frames.Placed]) -> list[MessageId]:
    """The citizen's messages of which no desk has yet said that it has them."""
    waiting: dict[MessageId, None] = {}
    for one in placed:
        message = _citizens_message(one.entry)
        if message is not None:
            waiting[message] = None
        elif isinstance(one.entry, drawn.ProgressEntry) and one.entry.who != CITIZEN:
            if one.entry.state == "read":
                waiting.clear()
            waiting.pop(MessageId(one.entry.message), None)
    return list(waiting)


def _citizens_message(entry: drawn.TimelineEntry) -> MessageId | None:
    if isinstance(entry, drawn.TextEntry | drawn.FileEntry | drawn.LocationEntry) and entry.who == CITIZEN:
        return MessageId(entry.message)
    return None


def contact_state(session: Session, wrap_until: float | None) -> frames.ContactState:
    """Where a contact stands."""
    citizen = next((leg for leg in session.legs if leg.party is Party.CITIZEN), None)
    return frames.ContactState(
        session=session.id,
        phase=session.phase.value,
        medium=drawn_as(session).value,
        channel=citizen.channel if citizen else "",
        queue=session.demand.queue,
        citizen=masked(session.citizen),
        legs=tuple(
            frames.LegView(
                id=leg.id,
                channel=leg.channel,
                medium=leg.medium.value,
                party=leg.party.value,
                state=leg.state.value,
            )
            for leg in session.legs
        ),
        assignee=session.assignee,
        opened_at=session.opened_at,
        wrap_until=wrap_until,
        owed=_owed(session),
    )


def drawn_as(session: Session) -> Medium:
    """What a contact is: the heaviest medium that its citizen is there by, and once they are gone, was."""
    return session.medium if session.live_legs(Party.CITIZEN) else heaviest_ever(session)


def heaviest_ever(session: Session) -> Medium:
    """What the contact is drawn as, also when its legs have ended."""
    media = [leg.medium for leg in session.legs if leg.party is Party.CITIZEN]
    return Medium.VOICE if Medium.VOICE in media else media[-1] if media else Medium.MESSAGE


def contact(session: Session, entries: Sequence[Entry], wrap_until: float | None) -> frames.Contact:
    """A contact with all that has happened in it."""
    state = contact_state(session, wrap_until)
    return frames.Contact(**asdict(state), timeline=timeline(entries))


def offer(session: Session, made: ev.OfferMade) -> frames.OfferNew:
    """An offer as it is put before an agent."""
    citizen = next((leg for leg in session.legs if leg.party is Party.CITIZEN), None)
    return frames.OfferNew(
        session=session.id,
        token=made.token,
        medium=made.medium.value,
        channel=citizen.channel if citizen else "",
        queue=session.demand.queue,
        citizen=masked(session.citizen),
        waited_s=session.waited_s(made.at),
        ring_until=made.lease_until,
        why=made.why,
        owed=_owed(session),
    )


def _owed(session: Session) -> frames.CallBack | None:
    """Where a call back is asked for, or made: since when the citizen waits for it."""
    debt = session.debt
    if debt is None or session.call is None:
        return None
    return frames.CallBack(since=debt.since, due_at=debt.due_at, attempts=debt.attempts)


def presence(view: AssigneeView) -> frames.PresenceSelf:
    """The agent's own presence. What they chose while they have a contact holds once it is over: `next`."""
    chosen: frames.PresenceName = view.presence.value
    waits = view.routing in (Routing.ENGAGED, Routing.WRAPPING) and view.presence is not Presence.READY
    return frames.PresenceSelf(
        presence=chosen,
        reason=view.reason,
        routing=view.routing.value,
        since=view.since,
        next=chosen if waits else None,
    )


def lines(views: Iterable[QueueView], served: Sequence[str]) -> tuple[frames.Line, ...]:
    """The queues that an agent serves."""
    return tuple(
        frames.Line(queue=one.queue, waiting=one.waiting, longest_s=one.longest_wait_s, ready=one.ready)
        for one in views
        if one.queue in served
    )


def past(record: SessionRecord) -> dict[str, object]:
    """A line of the history. Times are seconds since 1970."""
    session = record.session
    return {
        "session": session.id,
        "phase": session.phase.value,
        "medium": heaviest_ever(session).value,
        "queue": session.demand.queue,
        "citizen": masked(session.citizen),
        "assignee": session.assignee,
        "opened_at": session.opened_at,
        "answered_at": record.answered_at,
        "closed_at": session.closed_at,
        "end": session.close_reason.value if session.close_reason else None,
        "kind": record.contact_kind,
        "rating": record.rating,
    }
