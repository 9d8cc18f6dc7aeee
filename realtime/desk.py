"""The frames between an agent's desk and the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from realtime.messages import (
    COMMON_DOWN,
    COMMON_UP,
    Command,
    Digits,
    Durable,
    Ephemeral,
    FileName,
    Name,
    Number,
    Reason,
    Remark,
    Words,
    by_tag,
)
from realtime.ownership import ContactTransfer
from realtime.timeline import MediumName, TimelineEntry

PhaseName = Literal["new", "bot", "queued", "offered", "active", "parked", "wrapping", "callback_pending", "closed"]
RoutingName = Literal["unreachable", "not_responding", "off", "engaged", "offered", "wrapping", "ready"]
PresenceName = Literal["ready", "break", "off"]


# --- what a desk shows ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """A leg of a contact."""

    id: str
    channel: str
    medium: MediumName
    party: Literal["citizen", "assignee"]
    state: Literal["planned", "calling", "live", "away", "ended"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A session that is put before this agent. `citizen` is masked (`tel 138****8000`); `why` says why them."""

    session: str
    token: int
    medium: MediumName
    channel: str
    queue: str
    citizen: str
    waited_s: float
    ring_until: float
    why: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A queue at one instant. `ready` counts the assignees who could take one now."""

    queue: str
    waiting: int
    longest_s: float
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What the agent chose, and what the system makes of it. `next` is the presence chosen for after this contact."""

    presence: PresenceName
    reason: str
    routing: RoutingName
    since: float
    next: PresenceName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """How the agent is reached. `phone` is the extension of their registered telephone."""

    desk: bool
    phone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An entry at its place in the session's timeline."""

    version: int
    entry: TimelineEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A session that this agent has, with all that has happened in it."""

    session: str
    phase: PhaseName
    medium: MediumName
    channel: str
    queue: str
    citizen: str
    legs: tuple[LegView, ...]
    assignee: str | None
    opened_at: float
    wrap_until: float | None = None
    timeline: tuple[Placed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Durable):
    """All that the desk shows, in place of whatever it showed."""

    t: ClassVar[str] = "snapshot"
    presence: Presence
    devices: Devices
    offers: tuple[Offer, ...]
    contacts: tuple[Contact, ...]
    queues: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferNew(Durable):
    """An offer, with a countdown to `ring_until`."""

    t: ClassVar[str] = "offer.new"
    session: str
    token: int
    medium: MediumName
    channel: str
    queue: str
    citizen: str
    waited_s: float
    ring_until: float
    why: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRevoked(Durable):
    """The offer is over for this agent: accepted (by their telephone too), declined, expired, rescinded, cancelled."""

    t: ClassVar[str] = "offer.revoked"
    session: str
    token: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactState(Durable):
    """A contact of this agent is new, or stands elsewhere now."""

    t: ClassVar[str] = "contact.state"
    session: str
    phase: PhaseName
    medium: MediumName
    channel: str
    queue: str
    citizen: str
    legs: tuple[LegView, ...]
    assignee: str | None
    opened_at: float
    wrap_until: float | None = None
    """When wrap-up ends by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTimeline(Durable):
    """One more entry of a contact's timeline. `version` rises, with gaps where an event is not for show."""

    t: ClassVar[str] = "contact.timeline"
    session: str
    version: int
    entry: TimelineEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactGone(Durable):
    """The contact is no longer this agent's."""

    t: ClassVar[str] = "contact.gone"
    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceSelf(Durable):
    """The agent's own presence."""

    t: ClassVar[str] = "presence.self"
    presence: PresenceName
    reason: str
    routing: RoutingName
    since: float
    next: PresenceName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState(Durable):
    """How the agent is reached."""

    t: ClassVar[str] = "device.state"
    desk: bool
    phone: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Durable):
    """A sentence for the agent, by its name in the desk's dictionary; or a supervisor's own words in it."""

    t: ClassVar[str] = "notice"
    level: Literal["info", "warning", "error"]
    text_key: str
    by: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats(Ephemeral):
    """The queues that this agent serves."""

    t: ClassVar[str] = "queue.stats"
    queues: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """How many messages a leg's channel still takes before the citizen writes again, and until when."""

    leg: str
    channel: str
    left: int
    until: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Another way to the citizen: a channel that brings them a notice. `citizen` is masked."""

    channel: str
    citizen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReach(Ephemeral):
    """What can still be sent in a contact, where its channel sets a bound, and by which other ways."""

    t: ClassVar[str] = "contact.reach"
    session: Name
    rations: tuple[Ration, ...]
    ways: tuple[Way, ...]

    @property
    def key(self) -> str:
        """One a session."""
        return f"{self.t} {self.session}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Typing(Ephemeral):
    """Down: the citizen of a session writes; shown for 5 s. Up: the agent does; at most every 3 s."""

    t: ClassVar[str] = "typing"
    session: Name

    @property
    def key(self) -> str:
        """One a session."""
        return f"{self.t} {self.session}"


# --- what a desk asks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceSet(Command):
    """Anything but `ready` needs a reason."""

    t: ClassVar[str] = "presence.set"
    presence: PresenceName
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccept(Command):
    """Take the session. Refused with the verdict as code: expired, taken, citizen_gone, not_offered."""

    t: ClassVar[str] = "offer.accept"
    session: Name
    token: Annotated[int, Number(0, 2**53 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDecline(Command):
    """Do not take it; another is asked."""

    t: ClassVar[str] = "offer.decline"
    session: Name
    token: Annotated[int, Number(0, 2**53 - 1)]
    reason: Reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSend(Command):
    """Write to the citizen. The message's id is the command's."""

    t: ClassVar[str] = "msg.send"
    session: Name
    text: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAgain(Command):
    """Send a text that failed by another of the contact's ways. Refused with `unknown_message` or `no_way`."""

    t: ClassVar[str] = "msg.again"
    session: Name
    message: Name
    channel: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSend(Command):
    """Send the citizen a file that `/api/desk/files` has taken."""

    t: ClassVar[str] = "file.send"
    session: Name
    file: Name
    name: FileName


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRead(Command):
    """The agent has seen every message up to and including `message`."""

    t: ClassVar[str] = "msg.read"
    session: Name
    message: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdd(Command):
    """A note that the citizen never sees."""

    t: ClassVar[str] = "note.add"
    session: Name
    text: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRequest(Command):
    """Send the citizen a link to a page from which they send pictures and where it is, while both talk on."""

    t: ClassVar[str] = "picture.request"
    session: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFinish(Command):
    """End the contact; wrap-up follows."""

    t: ClassVar[str] = "contact.finish"
    session: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPark(Command):
    """Set the contact aside until the citizen writes again."""

    t: ClassVar[str] = "contact.park"
    session: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactResume(Command):
    """Take a parked contact up again."""

    t: ClassVar[str] = "contact.resume"
    session: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHold(Command):
    """Let the citizen of a call wait with music, or talk on."""

    t: ClassVar[str] = "call.hold"
    session: Name
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMute(Command):
    """Hear the citizen of a call without being heard, or be heard again."""

    t: ClassVar[str] = "call.mute"
    session: Name
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDigits(Command):
    """Press digits for the machine at the far end of a call."""

    t: ClassVar[str] = "call.digits"
    session: Name
    digits: Digits


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapSave(Command):
    """The contact is written up, which ends wrap-up. `kind` is one of 咨询 求助 投诉 举报 建议, or empty."""

    t: ClassVar[str] = "wrap.save"
    session: Name
    kind: Reason = ""
    note: Remark = ""


DOWN = by_tag(
    *COMMON_DOWN,
    Snapshot,
    OfferNew,
    OfferRevoked,
    ContactState,
    ContactTimeline,
    ContactGone,
    PresenceSelf,
    DeviceState,
    Notice,
    QueueStats,
    ContactReach,
    Typing,
)
UP = by_tag(
    *COMMON_UP,
    PresenceSet,
    OfferAccept,
    OfferDecline,
    MessageSend,
    MessageAgain,
    FileSend,
    MessageRead,
    NoteAdd,
    PictureRequest,
    ContactFinish,
    ContactPark,
    ContactResume,
    ContactTransfer,
    CallHold,
    CallMute,
    CallDigits,
    WrapSave,
    Typing,
)
