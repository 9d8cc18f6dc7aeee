"""What a frame is, and the frames that both sockets share. With `citizen` and `desk` the one source of the protocol.

A frame is one JSON object in one text message. Its key `t` names its class (`tag`); the rest are the class's fields,
under the same names (a trailing underscore, which Python needs for `from`, is left out). `web/shared/protocol.ts` is
generated from these classes by `realtime.typescript`; what the frames mean together stands in `docs/protocol.md`.

Instants (`at`, `ts`, `…_at`, `since`, `…_until`) are seconds since 1970 by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

VERSION = 1
"""Of the protocol. A client of another version is closed with `Close.VERSION` and loads itself anew."""

LONGEST_TEXT = 4000

# What comes from outside has its bounds in its type. No text may hold a NUL, which PostgreSQL cannot keep.
_NO_NUL = r"\A[^\0]*\Z"
Ulid = Annotated[str, Meta(min_length=26, max_length=26, pattern=r"\A[0-7][0-9A-HJKMNP-TV-Z]{25}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[!-~]+\Z")]
"""An id of ours (a session's, a message's, a file's)."""
Login = Annotated[str, Meta(min_length=1, max_length=32, pattern=_NO_NUL)]
FileName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
Token = Annotated[str, Meta(max_length=1024, pattern=_NO_NUL)]
Words = Annotated[str, Meta(min_length=1, max_length=LONGEST_TEXT, pattern=r"\A\s*[^\s\0][^\0]*\Z")]
"""What somebody wrote: more than blanks."""
Remark = Annotated[str, Meta(max_length=2000, pattern=_NO_NUL)]
"""What somebody may have written."""
Reason = Annotated[str, Meta(max_length=64, pattern=_NO_NUL)]
Digits = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"\A[0-9*#A-D]+\Z")]
"""Keys of a telephone (RFC 4733, events 0–15)."""
SessionDescription = Annotated[str, Meta(min_length=1, max_length=16_384, pattern=_NO_NUL)]
"""What one side of a call says of itself (RFC 8866)."""
Natural = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A number that JavaScript holds exactly."""


def wire_name(field_name: str) -> str:
    """A field's key in JSON: without the underscore that keeps it from being a Python keyword."""
    return field_name.removesuffix("_")


class Part(Struct, frozen=True, gc=False, rename=wire_name):
    """An object in a frame. It holds no cycle, so the garbage collector need not look at it."""


class Close(IntEnum):
    """Why the server closes a socket. 1009 (too big) comes from the WebSocket layer itself."""

    MALFORMED = 4000
    """A frame that is none, or one that may not come now: the page is defective, do not retry."""
    REPLACED = 4001
    """The page is open elsewhere (reason `replaced`, or `already_open` for the one refused): ask the person."""
    AUTH = 4003
    """The ticket or the resume token is not good: fetch a new ticket once, without resume."""
    SLOW = 4008
    """The page does not read fast enough: connect again and resume."""
    VERSION = 4009
    """Load the page anew."""
    DRAIN = 4010
    """This node is going away: connect again after a random pause of up to 2 s."""
    RATE = 4029
    """Too much, too fast: wait 30 s."""


class Frame(Part, frozen=True, tag_field="t", forbid_unknown_fields=True):
    """Anything that goes over a socket."""


class Durable(Frame, frozen=True):
    """Server to page. Sent with `seq`, replayed after a cut, neither lost nor doubled nor reordered."""


class Ephemeral(Frame, frozen=True):
    """Either way. Only the newest of one key matters, and none after a cut."""

    waits: ClassVar[Literal[False]] = False

    @property
    def key(self) -> str:
        """What the frame is the newest of."""
        return tag_of(type(self))


class Control(Frame, frozen=True):
    """Either way: handshake, acknowledgement and upkeep of one socket."""

    waits: ClassVar[Literal[False]] = False


class Command(Frame, frozen=True):
    """Page to server. Answered by one `ack` or `nack`; the same `id` again is the same command.

    `cseq` is its place in the page's outbox: one more than that of the command before it. After a `welcome` that
    resets, the page may number what is left of its outbox from 1 again.
    """

    waits: ClassVar[Literal[True]] = True
    """For its turn: it is done after those before it. Whatever else a page sends is taken as it comes."""
    id: Ulid
    cseq: Natural


Up = Command | Control | Ephemeral
"""What a page may send."""


class Hello(Control, frozen=True, tag="hello"):
    """The first frame, within 10 s. `last` is the last `seq` seen of the link that `resume` names."""

    v: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    ticket: Token
    resume: Token | None = None
    last: Natural = 0
    build: Reason = ""
    take: bool = False
    """Close the desk that is open elsewhere, and have this one in its place."""


class Rcv(Control, frozen=True, tag="rcv"):
    """The page has seen every durable frame up to `seq`. Within 200 ms of a message of the other side's, else 5 s."""

    seq: Natural


class Ping(Control, frozen=True, tag="ping"):
    """The page lives, and wants to know whether the server does. Every `hb_s`."""


class Pong(Control, frozen=True, tag="pong"):
    """The answer to `ping`."""


class Limits(Part, frozen=True):
    """What the page may send."""

    text: int
    """Characters of one message."""
    frame_bytes: int
    file_bytes: int
    rate_per_s: float
    burst: int


class Welcome(Control, frozen=True, tag="welcome"):
    """The socket serves. With `reset`, forget what was shown: `snapshot` follows as the next durable frame."""

    sid: str
    """The link: it outlives its sockets."""
    resume: str
    """What to send in the next `hello`."""
    seq: int
    """The last number given to a durable frame; 0 with `reset`."""
    reset: bool
    srv_ts: float
    hb_s: float
    limits: Limits


class Ack(Control, frozen=True, tag="ack"):
    """The command is done, and durable. `rev` is the version of the session after it; 0 where there is none.

    For a citizen's message it is the message's place among all: see `citizen.Message`.
    """

    id: str
    rev: int


class Nack(Control, frozen=True, tag="nack"):
    """The command is not done. With `retry` keep it and send it again, after `after_s`; else tell the person.

    `id` is empty where the whole socket is refused (a close follows). With code `gap` go on from the command
    `expect`: an earlier one has not been done.
    """

    id: str
    code: str
    retry: bool
    text_key: str
    """The sentence that the page shows, by its name in the page's dictionary."""
    expect: int | None = None
    after_s: float | None = None


COMMON_UP: tuple[type[Frame], ...] = (Hello, Rcv, Ping)
COMMON_DOWN: tuple[type[Frame], ...] = (Welcome, Ack, Nack, Pong)


def tag_of(kind: type[Struct]) -> str:
    """What names the class on the wire."""
    return str(kind.__struct_config__.tag)


def by_tag(*kinds: type[Frame]) -> Mapping[str, type[Frame]]:
    """The frames of one direction of one socket. Raises `ValueError` where two bear one tag."""
    table = {tag_of(kind): kind for kind in kinds}
    if len(table) != len(kinds):
        raise ValueError("two frames bear one tag")
    return table
