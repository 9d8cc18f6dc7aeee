"""The frames between a citizen's page and the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from realtime.messages import (
    COMMON_DOWN,
    COMMON_UP,
    Command,
    Durable,
    Ephemeral,
    FileName,
    Name,
    Number,
    Remark,
    Words,
    by_tag,
)

Phase = Literal["new", "waiting", "with_bot", "talking", "parked", "ended"]
"""`new`: nothing written yet. An offer that is pending is still waiting. `parked`: set aside, an answer will come."""

Sender = Literal["citizen", "agent", "bot", "system"]
MessageState = Literal["sent", "delivered", "read"]


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who answers. An agent's name is their number (工号), never their login."""

    name: str
    kind: Literal["agent", "bot"]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the conversation, fetched from `/api/webchat/files/{id}`."""

    id: str
    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where it is, in degrees of WGS-84; `accuracy_m` is the radius that the device vouches for."""

    latitude: float
    longitude: float
    accuracy_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the matter stands."""

    phase: Phase
    assignee: Assignee | None
    may_rate: bool
    transferred: bool = False
    """It waits because it was handed on to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of either side. `state` is how far it has come at the other side's device."""

    id: str
    from_: Sender
    name: str
    ts: float
    state: MessageState
    text: str | None = None
    file: File | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Durable):
    """All that the page shows, in place of whatever it showed."""

    t: ClassVar[str] = "snapshot"
    state: Standing
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState(Durable):
    """The matter stands elsewhere now."""

    t: ClassVar[str] = "session.state"
    phase: Phase
    assignee: Assignee | None
    may_rate: bool
    transferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageNew(Durable):
    """A message; the citizen's own comes too, since other windows of theirs show it. Its id is its command's."""

    t: ClassVar[str] = "msg.new"
    id: str
    from_: Sender
    name: str
    ts: float
    state: MessageState
    text: str | None = None
    file: File | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageProgress(Durable):
    """A message has come as far as `state`; `read` speaks for every earlier one of the same sender too."""

    t: ClassVar[str] = "msg.state"
    id: str
    state: MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePlace(Ephemeral):
    """The place in line (排队位置). `estimate_s` is null while too little has been measured."""

    t: ClassVar[str] = "queue.place"
    position: int
    waiting: int
    estimate_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssigneeTyping(Ephemeral):
    """The other side writes. Shown for 5 s."""

    t: ClassVar[str] = "typing"
    from_: Sender


@dataclass(frozen=True, slots=True, kw_only=True)
class CitizenTyping(Ephemeral):
    """The citizen writes. At most every 3 s."""

    t: ClassVar[str] = "typing"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSend(Command):
    """The citizen wrote. The first opens the session."""

    t: ClassVar[str] = "msg.send"
    text: Words


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSend(Command):
    """The citizen sends a file that `/api/webchat/files` has taken."""

    t: ClassVar[str] = "file.send"
    file: Name
    name: FileName


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationSend(Command):
    """The citizen says where it is, as their browser knows it."""

    t: ClassVar[str] = "location.send"
    latitude: Annotated[float, Number(-90, 90)]
    longitude: Annotated[float, Number(-180, 180)]
    accuracy_m: Annotated[float, Number(0, 20_100_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRead(Command):
    """The citizen has seen every message up to and including `message`."""

    t: ClassVar[str] = "msg.read"
    message: Name


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanRequest(Command):
    """转人工."""

    t: ClassVar[str] = "human.request"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd(Command):
    """The citizen is done."""

    t: ClassVar[str] = "session.end"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingGive(Command):
    """The citizen rates the contact, 1 (bad) to 5 (good) (评价)."""

    t: ClassVar[str] = "rating.give"
    score: Annotated[int, Number(1, 5)]
    comment: Remark = ""


DOWN = by_tag(*COMMON_DOWN, Snapshot, SessionState, MessageNew, MessageProgress, QueuePlace, AssigneeTyping)
UP = by_tag(
    *COMMON_UP,
    MessageSend,
    FileSend,
    LocationSend,
    MessageRead,
    HumanRequest,
    SessionEnd,
    RatingGive,
    CitizenTyping,
)
