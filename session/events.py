"""What has happened to a session. Each is a frozen value; its tag is its promise to other processes (`session.codec`).

`at` is seconds since 1970 by the store's clock: the store stamps it when it takes the event, so that deadlines and
waits never depend on a node's clock (law 11).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from session.address import Address
from session.calling import (
    CallBegun,
    CallParked,
    CallPassedOn,
    ConferChanged,
    ConferRequested,
    ContactJudged,
    DigitsRequested,
    HoldRequested,
    LegMuted,
    LegSilent,
    MuteRequested,
    QualityMeasured,
    RecordingMarked,
    SessionTakenOver,
    SupervisionChanged,
    SupervisionEnded,
    SupervisionRequested,
    ThirdEnded,
    ThirdRequested,
    VoiceMessageLeft,
)
from session.event import Event
from session.ids import AssigneeId, FileId, LegId, MessageId, NodeId, RecordingId, SessionId
from session.later import later
from session.state import HELD_NOWHERE, AssigneeKind, Demand, DialFailure, Failure, Leg, LegEnd, Medium, Party
from session.switch import Purpose
from session.ways import Detour, Patience

FARTHEST_M = 20_100_000.0
"""Half way around the Earth: no device knows less of where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """A citizen reached the number with a new matter (受理)."""

    citizen: Address
    number: str
    demand: Demand
    bot_queue: str = ""
    language: str = "zh"
    by: AssigneeId | None = later(None)  # noqa: RUF009 - a frozen value
    """The agent who began it of their own accord; None where the citizen came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOpened(Event):
    """The session is on one more channel, or an assignee's own call is up."""

    leg: Leg
    detour: Detour | None = later(None)  # noqa: RUF009 - a frozen value
    """What stands in a caller's way, as it was judged when they called."""
    patience: Patience | None = later(None)  # noqa: RUF009 - a frozen value
    """What is done where they stand in line too long, likewise."""
    vital: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAway(Event):
    """The leg's connection is gone; it may come back."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegBack(Event):
    """The leg's connection is back, on `owner`."""

    leg: LegId
    owner: NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegClosed(Event):
    """The leg is over."""

    leg: LegId
    reason: LegEnd
    vital: ClassVar[bool] = True
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReceived(Event):
    """The citizen wrote."""

    leg: LegId
    message: MessageId
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReceived(Event):
    """The citizen sent a file, kept under `file`; its name is the citizen's text and not to be trusted."""

    leg: LegId
    message: MessageId
    file: FileId
    name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationReceived(Event):
    """The citizen said where it is, in degrees of WGS-84. Raises `ValueError` for what is no place on Earth."""

    leg: LegId
    message: MessageId
    latitude: float
    longitude: float
    accuracy_m: float | None = None
    name: str = ""
    """What the citizen's device calls the place; their text, and not to be trusted."""

    def __post_init__(self) -> None:
        if not (-90.0 <= self.latitude <= 90.0 and -180.0 <= self.longitude <= 180.0):
            raise ValueError("no place on Earth")
        if self.accuracy_m is not None and not 0.0 <= self.accuracy_m <= FARTHEST_M:
            raise ValueError("no accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSent(Event):
    """An assignee, or a companion bot beside a waiting session, wrote to the citizen."""

    by: AssigneeId
    kind: AssigneeKind
    message: MessageId
    text: str
    quotes: MessageId | None = later(None)  # noqa: RUF009 - a frozen value
    """An earlier message that it answers (引用)."""
    quoted: str = later("")
    """What that one said, in short, as it is shown above the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSent(Event):
    """An assignee sent the citizen a file."""

    by: AssigneeId
    kind: AssigneeKind
    message: MessageId
    file: FileId
    name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSent(Event):
    """The house tells the citizen something in reviewed words (通知), at an address of theirs and beside any leg.

    What fills the template is not kept: codes and links stand in it.
    """

    message: MessageId
    channel: str
    template: str
    by: AssigneeId | None = None
    """The agent who wished it; None for the house itself."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageAccepted(Event):
    """The channel's carrier or platform has a message to the citizen; it brings it on, or says that it could not."""

    message: MessageId
    channel: str
    parts: int = later(1)
    """As how many it goes, and is charged: segments of a text, messages of a budget."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFailed(Event):
    """A message to the citizen will not come by this channel. `code` is the carrier's own word, where it gave one."""

    message: MessageId
    channel: str
    reason: Failure
    code: str = ""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDelivered(Event):
    """A message reached the other side's device."""

    message: MessageId
    to: Party
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRead(Event):
    """A party has seen every message up to and including this one."""

    message: MessageId
    by: Party
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanRequested(Event):
    """The citizen asked for a human (人工)."""

    by: AssigneeId | None = None
    """The bot that heard it; None for the citizen's own button."""
    vital: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMade(Event):
    """The queue put the session before an assignee. `why` explains it: winner, best few, counts by exclusion."""

    token: int
    assignee: AssigneeId
    kind: AssigneeKind
    medium: Medium
    lease_until: float
    why: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted(Event):
    """The assignee has the session."""

    token: int
    assignee: AssigneeId
    kind: AssigneeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferDeclined(Event):
    """The assignee said no, or their device did (`reason`: desk, busy, rejected, unreachable)."""

    token: int
    assignee: AssigneeId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferExpired(Event):
    """Nobody answered within the lease; the assignee is not responding."""

    token: int
    assignee: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRescinded(Event):
    """Taken back because the assignee vanished or left."""

    token: int
    assignee: AssigneeId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferCancelled(Event):
    """Taken back because the citizen left."""

    token: int
    assignee: AssigneeId
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LegsJoined(Event):
    """Citizen and assignee hear each other."""

    citizen_leg: LegId
    assignee_leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeld(Event):
    """A leg went on hold, or came back from it."""

    leg: LegId
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequested(Event):
    """The session is to go on by a call that we make: asked for by its agent, or by the citizen (`by` is None).

    The gateway has made sure that `address` is the citizen's own.
    """

    by: AssigneeId | None
    leg: LegId
    """Of the call that is to come."""
    channel: str
    """Which makes it."""
    address: Address
    anyone: bool = False
    """The citizen would rather speak with another agent than wait for theirs."""
    node: NodeId = later(HELD_NOWHERE)  # noqa: RUF009 - a frozen value
    """The node at which their page is that is to ring, for the agent who asks; none for a number, which any calls."""
    vital: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DialStarted(Event):
    """A citizen's number is about to be dialled. Noted before it is done: no attempt is ever made twice."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFailed(Event):
    """The call that we made came to nothing."""

    leg: LegId
    reason: DialFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotGranted(Event):
    """The queue charges the assignee for `medium` now; their telephone may be rung for what they have by `token`."""

    assignee: AssigneeId
    medium: Medium
    token: int
    lease_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotRefused(Event):
    """The assignee has no room for `medium` now."""

    assignee: AssigneeId
    medium: Medium


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtMerged(Event):
    """Another session of the same citizen, `into`, is owed a call already: that one answers both."""

    into: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed(Event):
    """A digit was heard on a leg."""

    leg: LegId
    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceAnnounced(Event):
    """The citizen was told their place in line."""

    leg: LegId
    position: int
    estimate_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceKept(Event):
    """A caller in line asked to keep the place and go on elsewhere (保留位置)."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureRequested(Event):
    """The assignee asked for a picture of the matter (请市民发图)."""

    by: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSent(Event):
    """The citizen was sent a link to go on elsewhere; `channel` took it."""

    purpose: Purpose
    channel: str
    link: str
    """Its name among the links of the session; not what opens it."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFailed(Event):
    """No link could be sent (`reason`: nowhere, too_often, or what the channel said)."""

    purpose: Purpose
    reason: str
    link: str
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOpened(Event):
    """The citizen opened a link of theirs, and is on `leg`."""

    purpose: Purpose
    link: str
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(Event):
    """A recording of a call began."""

    leg: LegId
    recording: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFailed(Event):
    """A call that was to be recorded is not: the two talk on, and it is told."""

    leg: LegId
    recording: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFinished(Event):
    """A recording is complete. `whole` is False where it was mended after a crash."""

    leg: LegId
    recording: RecordingId
    duration_s: float
    size_bytes: int
    sha256: str
    whole: bool = True
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionParked(Event):
    """The assignee set it aside until the citizen writes again; it charges nobody meanwhile."""

    by: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResumed(Event):
    """A parked session was taken up again; it is offered to `by` first."""

    by: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTransferred(Event):
    """The assignee handed it on (转接), to `to` first where somebody is named; `why` is for who takes it."""

    by: AssigneeId
    to: AssigneeId | None = None
    demand: Demand | None = None
    """What it asks of the queue from now on; None for what it asked before."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFinished(Event):
    """The assignee ended the contact; what follows is wrap-up."""

    by: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapExtended(Event):
    """The assignee takes more time to write the contact up: it ends by itself `for_s` from now on."""

    by: AssigneeId
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapFinished(Event):
    """The assignee has written up the contact. `kind` is one of 咨询 求助 投诉 举报 建议, or empty."""

    by: AssigneeId
    kind: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecalled(Event):
    """An agent took an own message back (撤回). The citizen sees that; the log keeps what was said."""

    by: AssigneeId
    message: MessageId


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded(Event):
    """An agent's note; never shown to the citizen."""

    by: AssigneeId
    text: str
    mentions: tuple[AssigneeId, ...] = later(())
    """Colleagues whom it names, who are told."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingGiven(Event):
    """The citizen rated who answered, 1 (bad) to 5 (good), and said whether the matter is solved (评价)."""

    score: int
    comment: str = ""
    solved: bool | None = later(None)
    """None where they did not say."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AssigneeAway(Event):
    """Every connection of the assignee is gone."""

    assignee: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class AssigneeBack(Event):
    """The assignee is connected again."""

    assignee: AssigneeId


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired(Event):
    """A deadline that the machine set has passed. `name` is as in `SetTimer`."""

    name: str
    vital: ClassVar[bool] = True
