"""What a citizen is shown of an event. Pure. Notes, reasons, other people's names and logins are never among it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from channels.contract import Badge
from realtime.citizen import (
    Assignee,
    CallPhase,
    File,
    Location,
    Message,
    MessageNew,
    MessageProgress,
    MessageState,
    Phase,
    Sender,
    SessionState,
)
from realtime.citizen import Standing as StandingView
from session import events as ev
from session.address import Address
from session.ids import LegId
from session.quoting import spoken
from session.state import AssigneeKind, DialFailure, LegState, Medium, Party, Session
from session.state import Phase as SessionPhase

PHASES: dict[SessionPhase, Phase] = {
    SessionPhase.NEW: "waiting",
    SessionPhase.BOT: "with_bot",
    SessionPhase.CHOOSING: "waiting",
    SessionPhase.QUEUED: "waiting",
    SessionPhase.OFFERED: "waiting",
    SessionPhase.ACTIVE: "talking",
    SessionPhase.PARKED: "parked",
    SessionPhase.WRAPPING: "ended",
    SessionPhase.CALLBACK_PENDING: "parked",
    SessionPhase.CLOSED: "ended",
}
RECALLED = "（已撤回 · Recalled）"
_RANKS: dict[MessageState, int] = {"sent": 0, "delivered": 1, "read": 2}


def standing(
    session: Session | None,
    badge: Badge,
    *,
    rated: bool,
    answered: bool,
    handed_on: bool,
    call_failed: DialFailure | None = None,
    page: Address | None = None,
    dialled: LegId | None = None,
) -> StandingView:
    """Where the matter stands, for a `page`; `dialled` is the attempt to call them that was begun last.

    It may be rated once it has ended, where somebody had answered.
    """
    if session is None:
        return StandingView(phase="new", assignee=None, may_rate=False)
    phase = PHASES[session.phase]
    if phase == "waiting" and _is_letter(session, page):
        phase = "parked"
    assignee = None
    if session.assignee is not None and session.assignee_kind is not None and phase in ("with_bot", "talking"):
        kind = session.assignee_kind
        assignee = Assignee(badge(session.assignee), "bot" if kind is AssigneeKind.BOT else "agent")
    return StandingView(
        phase=phase,
        assignee=assignee,
        may_rate=phase == "ended" and answered and not rated,
        transferred=phase == "waiting" and handed_on,
        call=_call(session),
        call_failed=call_failed.value if call_failed is not None else None,
        rings=dialled if dialled is not None and _is_called(session, page, dialled) else None,
    )


def _is_letter(session: Session, page: Address | None) -> bool:
    """Whether it waits without its citizen: word was left, and nobody has to stay in the page."""
    theirs = [leg.medium for leg in session.live_legs(Party.CITIZEN) if leg.address == page]
    return bool(theirs) and all(medium is Medium.MESSAGE for medium in theirs)


def _call(session: Session) -> CallPhase:
    """Where a call beside the chat stands."""
    if session.voice_leg(Party.CITIZEN) is not None:
        return "talking" if session.voice_leg(Party.ASSIGNEE) is not None else "line"
    dial = session.dial
    if dial is None:
        return "none"
    return "ringing" if dial.state is LegState.CALLING else "waiting"


def _is_called(session: Session, page: Address | None, dialled: LegId) -> bool:
    """Whether it is that page which is called; its own name for the citizen says so."""
    dial = session.dial
    return dial is not None and (dial.id, dial.state, dial.address) == (dialled, LegState.CALLING, page)


def state_frame(now: StandingView) -> SessionState:
    """The frame that says so."""
    return SessionState(
        phase=now.phase,
        assignee=now.assignee,
        may_rate=now.may_rate,
        transferred=now.transferred,
        call=now.call,
        call_failed=now.call_failed,
        rings=now.rings,
    )


def message_of(event: ev.Event, badge: Badge, rev: int) -> MessageNew | None:
    """The frame that brings the message that an event is; None where it is none."""
    drawn = _DRAWN.get(type(event))
    return drawn(event, badge, rev) if drawn is not None else None


def _text_received(event: ev.TextReceived, _: Badge, rev: int) -> MessageNew:
    return MessageNew(id=event.message, rev=rev, from_="citizen", name="", ts=event.at, state="sent", text=event.text)


def _file_received(event: ev.FileReceived, _: Badge, rev: int) -> MessageNew:
    return MessageNew(id=event.message, rev=rev, from_="citizen", name="", ts=event.at, state="sent", file=_file(event))


def _location_received(event: ev.LocationReceived, _: Badge, rev: int) -> MessageNew:
    place = Location(event.latitude, event.longitude, event.accuracy_m)
    return MessageNew(id=event.message, rev=rev, from_="citizen", name="", ts=event.at, state="sent", location=place)


def _text_sent(event: ev.TextSent, badge: Badge, rev: int) -> MessageNew:
    sender, name = _sender(event.kind), badge(event.by)
    return MessageNew(id=event.message, rev=rev, from_=sender, name=name, ts=event.at, state="sent", text=spoken(event))


def _file_sent(event: ev.FileSent, badge: Badge, rev: int) -> MessageNew:
    sender, name = _sender(event.kind), badge(event.by)
    return MessageNew(id=event.message, rev=rev, from_=sender, name=name, ts=event.at, state="sent", file=_file(event))


_DRAWN: Mapping[type[ev.Event], Callable[[Any, Badge, int], MessageNew]] = {
    ev.TextReceived: _text_received,
    ev.FileReceived: _file_received,
    ev.LocationReceived: _location_received,
    ev.TextSent: _text_sent,
    ev.FileSent: _file_sent,
}


def recalled(message: MessageNew) -> MessageNew:
    """In the place of a message that was taken back. In both languages, since the page shows it as it comes."""
    return replace(message, text=RECALLED, file=None)


def shown(message: MessageNew) -> Message:
    """The message as a snapshot has it."""
    return Message(
        id=message.id,
        rev=message.rev,
        from_=message.from_,
        name=message.name,
        ts=message.ts,
        state=message.state,
        text=message.text,
        file=message.file,
        location=message.location,
    )


def progress_frame(message: MessageNew) -> MessageProgress:
    """The frame that tells how far a message has come."""
    return MessageProgress(id=message.id, state=message.state)


def is_further(state: MessageState, than: MessageState) -> bool:
    """Whether a message's state would rise: a late "delivered" does not undo "read"."""
    return _RANKS[state] > _RANKS[than]


def is_from(message: MessageNew, party: Party) -> bool:
    """Whose message it is."""
    return (message.from_ == "citizen") == (party is Party.CITIZEN)


def _sender(kind: AssigneeKind) -> Sender:
    return "bot" if kind is AssigneeKind.BOT else "agent"


def _file(event: ev.FileReceived | ev.FileSent) -> File:
    return File(id=event.file, name=event.name, content_type=event.content_type, size=event.size_bytes)
