"""The frames between a citizen's page and the gateway."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from realtime.messages import (
    COMMON_DOWN,
    COMMON_UP,
    Command,
    Durable,
    Ephemeral,
    FileName,
    Name,
    Part,
    Remark,
    SessionDescription,
    Words,
    by_tag,
)
from session.naming import LONGEST_NAME

Phase = Literal["new", "waiting", "with_bot", "talking", "parked", "ended"]
"""`new`: nothing written yet. An offer that is pending is still waiting. `parked`: set aside, an answer will come."""

CallPhase = Literal["none", "waiting", "ringing", "line", "talking"]
"""Of a call beside the chat. `waiting`: it will be made; `ringing`: their telephone rings now, or is about to; `line`:
they are on the line, and nobody is yet who answers."""
CallFailure = Literal["busy", "no_answer", "declined", "unreachable", "refused", "no_agent", "unknown", "no_microphone"]

Sender = Literal["citizen", "agent", "bot", "system"]
MessageState = Literal["sent", "delivered", "read"]


class Assignee(Part, frozen=True):
    """Who answers. An agent's name is their number (工号), never their login."""

    name: str
    kind: Literal["agent", "bot"]


class File(Part, frozen=True):
    """A file of the conversation, fetched from `/api/webchat/files/{id}`."""

    id: str
    name: str
    content_type: str
    size: int


class Location(Part, frozen=True):
    """Where it is, in degrees of WGS-84; `accuracy_m` is the radius that the device vouches for."""

    latitude: float
    longitude: float
    accuracy_m: float | None


class Standing(Part, frozen=True):
    """Where the matter stands."""

    phase: Phase
    assignee: Assignee | None
    may_rate: bool
    transferred: bool = False
    """It waits because it was handed on to somebody else."""
    call: CallPhase = "none"
    call_failed: CallFailure | None = None
    """Why the call that was made last came to nothing; none until one did, and while another is on its way."""
    rings: str | None = None
    """The call by which this very page rings now: taken by `call.offer`, or declined."""


class Message(Part, frozen=True):
    """A message of either side. `state` is how far it has come at the other side's device.

    `rev` is its place among all: a later one's is greater.
    """

    id: str
    rev: int
    from_: Sender
    name: str
    ts: float
    state: MessageState
    text: str | None = None
    file: File | None = None
    location: Location | None = None


class Absence(Part, frozen=True):
    """Nobody takes what is written now: people are away until then, or as many wait as may. One may leave word."""

    why: Literal["closed", "full"]
    until: float | None
    """None where nobody can say."""
    reached: bool
    """They have proven a number, so they need not write one."""


class Snapshot(Durable, frozen=True, tag="snapshot"):
    """All that the page shows, in place of whatever it showed."""

    state: Standing
    messages: tuple[Message, ...]
    calls: bool = False
    """The page may call (`call.offer`)."""
    absence: Absence | None = None
    """None while people answer. It comes once more to a page that stands open when the office closes."""


class SessionState(Durable, frozen=True, tag="session.state"):
    """The matter stands elsewhere now."""

    phase: Phase
    assignee: Assignee | None
    may_rate: bool
    transferred: bool = False
    call: CallPhase = "none"
    call_failed: CallFailure | None = None
    rings: str | None = None


class MessageNew(Durable, frozen=True, tag="msg.new"):
    """A message. One of the citizen's own comes to their other windows: the one that said it knows it by its `ack`.

    Its id is its command's, and the `rev` of that `ack` its own. A window may be told of its own words all the same.
    One of an agent's that comes again takes the place of the first: it was taken back, and says so.
    """

    id: str
    rev: int
    from_: Sender
    name: str
    ts: float
    state: MessageState
    text: str | None = None
    file: File | None = None
    location: Location | None = None


class MessageProgress(Durable, frozen=True, tag="msg.state"):
    """A message has come as far as `state`; `read` speaks for every earlier one of the same sender too."""

    id: str
    state: MessageState


class QueuePlace(Ephemeral, frozen=True, tag="queue.place"):
    """The place in line (排队位置). `estimate_s` is null while too little has been measured."""

    position: int
    waiting: int
    estimate_s: float | None


class CallAnswer(Durable, frozen=True, tag="call.answer"):
    """The call is taken, and this is our side of it. Only the window that offered is told."""

    call: str
    description: str


class CallTaken(Durable, frozen=True, tag="call.taken"):
    """The call that rings in every window has been taken in one: the others are silent."""

    call: str


class CallOver(Durable, frozen=True, tag="call.over"):
    """The page's call has ended. `hangup` by the citizen, `closed` by us, `lost` where its page was heard no more."""

    call: str
    reason: Literal["hangup", "lost", "closed", "left", "node_lost"]


class AssigneeTyping(Ephemeral, frozen=True, tag="typing"):
    """The other side writes. Shown for 5 s."""

    from_: Sender


class CitizenTyping(Ephemeral, frozen=True, tag="typing"):
    """The citizen writes. At most every 3 s."""


class MessageSend(Command, frozen=True, tag="msg.send"):
    """The citizen wrote. The first opens the session."""

    text: Words


class FileSend(Command, frozen=True, tag="file.send"):
    """The citizen sends a file that `/api/webchat/files` has taken."""

    file: Name
    name: FileName


class LocationSend(Command, frozen=True, tag="location.send"):
    """The citizen says where it is, as their browser knows it."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    accuracy_m: Annotated[float, Meta(ge=0, le=20_100_000)]


class WordLeave(Command, frozen=True, tag="word.leave"):
    """The citizen leaves word (留言): it waits for an agent, whether a page is here or not, and no robot answers it.

    `number` is what they say that they may be called at. It stands in the words as well, and proves nothing; nor does
    `name`, by which they call themselves.
    """

    about: Words
    number: Annotated[str, Meta(max_length=32, pattern=r"\A[0-9+() -]*\Z")] = ""
    name: Annotated[str, Meta(max_length=LONGEST_NAME)] = ""


class MessageRead(Command, frozen=True, tag="msg.read"):
    """The citizen has seen every message up to and including `message`."""

    message: Name


class CallAsk(Command, frozen=True, tag="call.ask"):
    """Call me (请给我打电话), at the number that is proven to be mine; by `anyone` who is free, or by who writes."""

    anyone: bool = False


class CallOffer(Command, frozen=True, tag="call.offer"):
    """The citizen calls from the page, with this description of its side, in which no candidate need stand.

    `call` is the one that it was in before it was loaded anew, or, with `rings`, the one that rings. Answered by
    `call.answer`, before the `ack`; refused as `bad_offer`, `one_call`, `gone`, `closed` (out of hours), `full`,
    `rate`, `no_calls`: never kept to be tried again.
    """

    description: SessionDescription
    call: Name | None = None
    rings: bool = False


class CallDecline(Command, frozen=True, tag="call.decline"):
    """The citizen does not take the call that rings in the page, or cannot."""

    call: Name
    reason: Literal["declined", "no_microphone"] = "declined"


class CallEnd(Command, frozen=True, tag="call.end"):
    """The citizen hangs up."""

    call: Name


class HumanRequest(Command, frozen=True, tag="human.request"):
    """转人工."""


class SessionEnd(Command, frozen=True, tag="session.end"):
    """The citizen is done."""


class RatingGive(Command, frozen=True, tag="rating.give"):
    """The citizen rates who answered, 1 (bad) to 5 (good), and says whether the matter is solved (评价)."""

    score: Annotated[int, Meta(ge=1, le=5)]
    comment: Remark = ""
    solved: bool | None = None
    """None where they do not say."""


DOWN = by_tag(
    *COMMON_DOWN,
    Snapshot,
    SessionState,
    MessageNew,
    MessageProgress,
    QueuePlace,
    CallAnswer,
    CallTaken,
    CallOver,
    AssigneeTyping,
)
UP = by_tag(
    *COMMON_UP,
    MessageSend,
    FileSend,
    LocationSend,
    WordLeave,
    MessageRead,
    HumanRequest,
    CallAsk,
    CallOffer,
    CallDecline,
    CallEnd,
    SessionEnd,
    RatingGive,
    CitizenTyping,
)
