"""What a frame is, and the frames that both sockets share. With `citizen` and `desk` the one source of the protocol.

A frame is one JSON object in one text message. Its key `t` names its class; the rest are the class's fields, under the
same names (a trailing underscore, which Python needs for `from`, is left out). `web/shared/protocol.ts` is generated
from these classes by `realtime.typescript`; what the frames mean together stands in `docs/protocol.md`.

Instants (`at`, `ts`, `…_at`, `since`, `…_until`) are seconds since 1970 by the store's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar

VERSION = 1
"""Of the protocol. A client of another version is closed with `Close.VERSION` and loads itself anew."""


@dataclass(frozen=True, slots=True)
class Text:
    """The bounds of a text that comes from outside: characters, and the pattern that the whole must match."""

    least: int
    most: int
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """The bounds of a number that comes from outside, both included."""

    least: float
    most: float


LONGEST_TEXT = 4000

Ulid = Annotated[str, Text(26, 26, "[0-7][0-9A-HJKMNP-TV-Z]{25}")]
Name = Annotated[str, Text(1, 128, "[!-~]+")]
"""An id of ours (a session's, a message's, a file's)."""
FileName = Annotated[str, Text(1, 255, r"[^\x00-\x1f\x7f]+")]
Token = Annotated[str, Text(0, 1024)]
Words = Annotated[str, Text(1, LONGEST_TEXT, r"\s*\S.*")]
"""What somebody wrote: more than blanks."""
Remark = Annotated[str, Text(0, 2000)]
"""What somebody may have written."""
Reason = Annotated[str, Text(0, 64)]
Digits = Annotated[str, Text(1, 32, "[0-9*#A-D]+")]
"""Keys of a telephone (RFC 4733, events 0–15)."""
Seq = Annotated[int, Number(0, 2**53 - 1)]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Anything that goes over a socket."""

    t: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Durable(Frame):
    """Server to page. Sent with `seq`, replayed after a cut, neither lost nor doubled nor reordered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral(Frame):
    """Either way. Only the newest of one key matters, and none after a cut."""

    @property
    def key(self) -> str:
        """What the frame is the newest of."""
        return self.t


@dataclass(frozen=True, slots=True, kw_only=True)
class Control(Frame):
    """Either way: handshake, acknowledgement and upkeep of one socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Frame):
    """Page to server. Answered by one `ack` or `nack`; the same `id` again is the same command.

    `cseq` is its place in the page's outbox: one more than that of the command before it. After a `welcome` that
    resets, the page may number what is left of its outbox from 1 again.
    """

    id: Ulid
    cseq: Seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello(Control):
    """The first frame, within 10 s. `last` is the last `seq` seen of the link that `resume` names."""

    t: ClassVar[str] = "hello"
    v: int
    ticket: Token
    resume: Token | None = None
    last: Seq = 0
    build: Annotated[str, Text(0, 64)] = ""
    take: bool = False
    """Close the desk that is open elsewhere, and have this one in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rcv(Control):
    """The page has seen every durable frame up to `seq`. At most every 200 ms."""

    t: ClassVar[str] = "rcv"
    seq: Seq


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Control):
    """The page lives, and wants to know whether the server does. Every `hb_s`."""

    t: ClassVar[str] = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(Control):
    """The answer to `ping`."""

    t: ClassVar[str] = "pong"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the page may send."""

    text: int
    """Characters of one message."""
    frame_bytes: int
    file_bytes: int
    rate_per_s: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome(Control):
    """The socket serves. With `reset`, forget what was shown: `snapshot` follows as the next durable frame."""

    t: ClassVar[str] = "welcome"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack(Control):
    """The command is done, and durable. `rev` is the version of the session after it; 0 where there is none."""

    t: ClassVar[str] = "ack"
    id: str
    rev: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nack(Control):
    """The command is not done. With `retry` keep it and send it again, after `after_s`; else tell the person.

    `id` is empty where the whole socket is refused (a close follows). With code `gap` go on from the command
    `expect`: an earlier one has not been done.
    """

    t: ClassVar[str] = "nack"
    id: str
    code: str
    retry: bool
    text_key: str
    """The sentence that the page shows, by its name in the page's dictionary."""
    expect: int | None = None
    after_s: float | None = None


COMMON_UP: tuple[type[Frame], ...] = (Hello, Rcv, Ping)
COMMON_DOWN: tuple[type[Frame], ...] = (Welcome, Ack, Nack, Pong)


def by_tag(*kinds: type[Frame]) -> Mapping[str, type[Frame]]:
    """The frames of one direction of one socket. Raises `ValueError` where two bear one tag."""
    table = {kind.t: kind for kind in kinds}
    if len(table) != len(kinds):
        raise ValueError("two frames bear one tag")
    return table
