"""The frames between an agent's desk and the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from realtime.conference import CallBegin, CallConfer, CallConsult, CallFetch, CallPark
from realtime.messages import (
    COMMON_DOWN,
    COMMON_UP,
    Command,
    Digits,
    Durable,
    Ephemeral,
    FileName,
    Login,
    Name,
    Natural,
    Part,
    Reason,
    Remark,
    Words,
    by_tag,
)
from realtime.ownership import ContactTransfer
from realtime.timeline import MediumName, TimelineEntry

PhaseName = Literal[
    "new", "bot", "choosing", "queued", "offered", "active", "parked", "wrapping", "callback_pending", "closed"
]
RoutingName = Literal["unreachable", "not_responding", "off", "engaged", "offered", "wrapping", "ready"]
SupervisionName = Literal["listen", "whisper", "barge", "take_over", "leave"]
PresenceName = Literal["ready", "break", "off"]


# --- what a desk shows ----------------------------------------------------------------------------------------------


class LegView(Part, frozen=True):
    """A leg of a contact."""

    id: str
    channel: str
    medium: MediumName
    party: Literal["citizen", "assignee", "supervisor", "third"]
    state: Literal["planned", "calling", "live", "away", "ended"]


class CallBack(Part, frozen=True):
    """A call that the citizen is owed: since when, until when, and how often it was made in vain."""

    since: float
    due_at: float
    attempts: int


class Offer(Part, frozen=True):
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
    owed: CallBack | None = None


class Line(Part, frozen=True):
    """A queue at one instant. `ready` counts the assignees who could take one now."""

    queue: str
    waiting: int
    longest_s: float
    ready: int


class Presence(Part, frozen=True):
    """What the agent chose, and what the system makes of it. `next` is the presence chosen for after this contact."""

    presence: PresenceName
    reason: str
    routing: RoutingName
    since: float
    next: PresenceName | None = None


class Devices(Part, frozen=True):
    """How the agent is reached. `phone` is the extension of their registered telephone."""

    desk: bool
    phone: str | None


class Placed(Part, frozen=True):
    """An entry at its place in the session's timeline."""

    version: int
    entry: TimelineEntry


class Contact(Part, frozen=True):
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
    owed: CallBack | None = None
    timeline: tuple[Placed, ...] = ()


class Snapshot(Durable, frozen=True, tag="snapshot"):
    """All that the desk shows, in place of whatever it showed."""

    presence: Presence
    devices: Devices
    offers: tuple[Offer, ...]
    contacts: tuple[Contact, ...]
    queues: tuple[Line, ...]


class OfferNew(Durable, frozen=True, tag="offer.new"):
    """An offer, with a countdown to `ring_until`."""

    session: str
    token: int
    medium: MediumName
    channel: str
    queue: str
    citizen: str
    waited_s: float
    ring_until: float
    why: Mapping[str, object]
    owed: CallBack | None = None


class OfferRevoked(Durable, frozen=True, tag="offer.revoked"):
    """The offer is over for this agent: accepted (by their telephone too), declined, expired, rescinded, cancelled."""

    session: str
    token: int
    reason: str


class ContactState(Durable, frozen=True, tag="contact.state"):
    """A contact of this agent is new, or stands elsewhere now."""

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
    owed: CallBack | None = None
    """The call that runs, or is made, is owed, and is no contact yet."""


class ContactTimeline(Durable, frozen=True, tag="contact.timeline"):
    """One more entry of a contact's timeline. `version` rises, with gaps where an event is not for show."""

    session: str
    version: int
    entry: TimelineEntry


class ContactGone(Durable, frozen=True, tag="contact.gone"):
    """The contact is no longer this agent's."""

    session: str


class PresenceSelf(Durable, frozen=True, tag="presence.self"):
    """The agent's own presence."""

    presence: PresenceName
    reason: str
    routing: RoutingName
    since: float
    next: PresenceName | None = None


class DeviceState(Durable, frozen=True, tag="device.state"):
    """How the agent is reached."""

    desk: bool
    phone: str | None


class Notice(Durable, frozen=True, tag="notice"):
    """A sentence for the agent, by its name in the desk's dictionary; or a supervisor's own words in it."""

    level: Literal["info", "warning", "error"]
    text_key: str
    by: str = ""
    text: str = ""


class Mentioned(Durable, frozen=True, tag="mention.new"):
    """A colleague's note names this agent (@): they are called to that session."""

    session: str
    version: int
    at: float
    by: str
    text: str


class QueueStats(Ephemeral, frozen=True, tag="queue.stats"):
    """The queues that this agent serves."""

    queues: tuple[Line, ...]


class RulesChanged(Ephemeral, frozen=True, tag="rules.changed"):
    """Which revision of the rules is in force: a page that goes by another asks for them (`/api/desk/rules`)."""

    revision: int


class Ration(Part, frozen=True):
    """How many messages a leg's channel still takes before the citizen writes again, and until when."""

    leg: str
    channel: str
    left: int
    until: float | None


class Way(Part, frozen=True):
    """Another way to the citizen: a channel that brings them a notice. `citizen` is masked."""

    channel: str
    citizen: str


class ContactReach(Ephemeral, frozen=True, tag="contact.reach"):
    """What can still be sent in a contact, where its channel sets a bound, and by which other ways.

    `page`: the page that the citizen writes from is open, and can ring.
    """

    session: Name
    rations: tuple[Ration, ...]
    ways: tuple[Way, ...]
    page: bool = False
    recalls: bool = False
    """The citizen has read only where a message can be taken back."""

    @property
    def key(self) -> str:
        """One a session."""
        return f"reach {self.session}"


class ContactSound(Ephemeral, frozen=True, tag="contact.sound"):
    """How one end of a contact's call has sounded in the last seconds, the worse of both ways, every five seconds.

    `mos` is a mean opinion from 1 to 4.5 by the E-model, `loss` a share from 0 to 1.
    """

    session: Name
    party: Literal["citizen", "assignee"]
    mos: float
    loss: float
    jitter_ms: float

    @property
    def key(self) -> str:
        """One an end."""
        return f"sound {self.session} {self.party}"


class Typing(Ephemeral, frozen=True, tag="typing"):
    """Down: the citizen of a session writes; shown for 5 s. Up: the agent does; at most every 3 s."""

    session: Name

    @property
    def key(self) -> str:
        """One a session."""
        return f"typing {self.session}"


# --- what a desk asks -----------------------------------------------------------------------------------------------


class PresenceSet(Command, frozen=True, tag="presence.set"):
    """Anything but `ready` needs a reason."""

    presence: PresenceName
    reason: Reason = ""


class OfferAccept(Command, frozen=True, tag="offer.accept"):
    """Take the session. Refused with the verdict as code: expired, taken, citizen_gone, not_offered."""

    session: Name
    token: Natural


class OfferDecline(Command, frozen=True, tag="offer.decline"):
    """Do not take it; another is asked."""

    session: Name
    token: Natural
    reason: Reason = ""


class MessageSend(Command, frozen=True, tag="msg.send"):
    """Write to the citizen. The message's id is the command's."""

    session: Name
    text: Words
    quotes: Name | None = None
    """An earlier message of either side, which the citizen sees above the answer."""


class MessageRecall(Command, frozen=True, tag="msg.recall"):
    """Take an own message back. Refused: unknown_message, cannot_recall (it went where nothing can be taken back)."""

    session: Name
    message: Name


class MessageAgain(Command, frozen=True, tag="msg.again"):
    """Send a text that failed by another of the contact's ways. Refused with `unknown_message` or `no_way`."""

    session: Name
    message: Name
    channel: Name


class FileSend(Command, frozen=True, tag="file.send"):
    """Send the citizen a file that `/api/desk/files` has taken."""

    session: Name
    file: Name
    name: FileName


class MessageRead(Command, frozen=True, tag="msg.read"):
    """The agent has seen every message up to and including `message`."""

    session: Name
    message: Name


class NoteAdd(Command, frozen=True, tag="note.add"):
    """A note that the citizen never sees; those whom it `mentions` are told. Refused: unknown_agent."""

    session: Name
    text: Words
    mentions: Annotated[tuple[Login, ...], Meta(max_length=8)] = ()


class PictureRequest(Command, frozen=True, tag="picture.request"):
    """Send the citizen a link to a page from which they send pictures and where it is, while both talk on."""

    session: Name


class ContactFinish(Command, frozen=True, tag="contact.finish"):
    """End the contact; wrap-up follows."""

    session: Name


class ContactPark(Command, frozen=True, tag="contact.park"):
    """Set the contact aside until the citizen writes again."""

    session: Name


class ContactResume(Command, frozen=True, tag="contact.resume"):
    """Take a parked contact up again."""

    session: Name


class CallStart(Command, frozen=True, tag="call.start"):
    """Call the citizen of a chat, at their number or in the page that they write from.

    The agent's telephone rings first; the chat stays open beside it.
    """

    session: Name
    at: Literal["number", "page"] = "number"


class CallHold(Command, frozen=True, tag="call.hold"):
    """Let the citizen of a call wait with music, or talk on."""

    session: Name
    held: bool


class CallMute(Command, frozen=True, tag="call.mute"):
    """Hear the citizen of a call without being heard, or be heard again."""

    session: Name
    muted: bool


class CallDigits(Command, frozen=True, tag="call.digits"):
    """Press digits for the machine at the far end of a call."""

    session: Name
    digits: Digits


class CallJudge(Command, frozen=True, tag="call.judge"):
    """Say whether a call that was owed has `reached` the citizen; else it ends here, and is owed still."""

    session: Name
    reached: bool


class CallSupervise(Command, frozen=True, tag="call.supervise"):
    """For supervisors: be called to another's call (`listen`), speak in it, have it, or leave it.

    Refused: forbidden, no_call, no_phone (the supervisor's telephone is not registered).
    """

    session: Name
    what: SupervisionName


class WrapExtend(Command, frozen=True, tag="wrap.extend"):
    """More time to write it up, as the rules give it. Refused: not_wrapping, no_more_time."""

    session: Name


class WrapSave(Command, frozen=True, tag="wrap.save"):
    """The contact is written up, which ends wrap-up. `kind` is one of 咨询 求助 投诉 举报 建议, or empty.

    Refused, where the rules want more: kind_needed, note_needed.
    """

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
    Mentioned,
    QueueStats,
    RulesChanged,
    ContactReach,
    ContactSound,
    Typing,
)
UP = by_tag(
    *COMMON_UP,
    PresenceSet,
    OfferAccept,
    OfferDecline,
    MessageSend,
    MessageRecall,
    MessageAgain,
    FileSend,
    MessageRead,
    NoteAdd,
    PictureRequest,
    ContactFinish,
    ContactPark,
    ContactResume,
    ContactTransfer,
    CallStart,
    CallBegin,
    CallHold,
    CallMute,
    CallDigits,
    CallJudge,
    CallSupervise,
    CallConsult,
    CallConfer,
    CallPark,
    CallFetch,
    WrapExtend,
    WrapSave,
    Typing,
)
