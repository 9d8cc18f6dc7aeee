"""From bytes to the parts of one message, with hard limits, before anything is interpreted.

Works on bytes: the header is found, bounded and unfolded, Content-Length decides where the body ends, and only
then is a line decoded. Over UDP one datagram is one message, and what stands behind it is ignored (RFC 3261,
section 18.3; RFC 4475, section 3.1.1.8). Over TCP a message may come split at any byte.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from channels.phone.errors import MalformedMessage
from channels.phone.sip.message import CSEQ_LIMIT, Headers

MESSAGE_LIMIT = 65_535
HEAD_LIMIT = 49_152
LINE_LIMIT = 8_192
HEADER_LIMIT = 128
VIA_LIMIT = 70

_END = b"\r\n\r\n"
_FOLD = re.compile(rb"\r\n[ \t]+")
_NAME = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_FIELD = re.compile(rf"^({_NAME.pattern})[ \t]*:([^\r\n]*)\r\n", re.MULTILINE)


class Frame(NamedTuple):
    """One message as found: start line, header fields, body, and what is already known to be wrong with it.

    A frame with a defect is kept, since a request must be answered; `is_framed` is False when the end of the
    message is unknown, so that a stream cannot go on.
    """

    start: str
    headers: Headers
    body: bytes
    defect: MalformedMessage | None = None
    is_framed: bool = True

    def __bytes__(self) -> bytes:
        """The message as it came, but for folded lines and blanks, which mean nothing."""
        lines = (self.start, *(f"{name}: {value}" for name, value in self.headers), "", "")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


def frame_datagram(data: bytes) -> Frame | None:
    """The one message of a datagram; None for keep-alives (RFC 5626, section 3.5.1)."""
    data = data.lstrip(b"\r\n")
    if not data.strip(b"\x00"):
        return None
    head, terminator, rest = data.partition(_END)
    start, headers, defect = _read_head(head.rstrip(b"\r\n") if not terminator else head)
    if not terminator:
        defect = defect or MalformedMessage("header", "no empty line ends it")
    length, trouble = _content_length(headers)
    defect = defect or trouble
    if length is None:
        return Frame(start, headers, rest, defect)
    if length > len(rest):
        defect = defect or MalformedMessage("Content-Length", "larger than the datagram")
    return Frame(start, headers, rest[:length], defect)


class StreamFramer:
    """Cuts a TCP byte stream into frames. After a frame that is not `is_framed` the stream must be closed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._broken = False

    @property
    def is_midway(self) -> bool:
        """Whether part of a message has come and its rest has not."""
        return bool(self._buffer.strip(b"\r\n"))

    def feed(self, data: bytes) -> list[Frame | None]:
        """Take bytes, give the messages that they complete; None stands for a keep-alive ping (two line ends)."""
        if self._broken:
            return []
        self._buffer += data
        frames: list[Frame | None] = []
        while not self._broken:
            if not self._skip_line_ends(frames):
                break
            frame = self._take_one()
            if frame is None:
                break
            frames.append(frame)
            self._broken = not frame.is_framed
        return frames

    def give_up(self) -> Frame | None:
        """The message that never became whole, as one to refuse, if at least its header has come."""
        if self._broken or _END not in self._buffer:
            return None
        self._broken = True
        head, _, rest = bytes(self._buffer).partition(_END)
        start, headers, defect = _read_head(head)
        late = MalformedMessage("Content-Length", "the rest of the message did not come")
        return Frame(start, headers, rest, defect or late, is_framed=False)

    def _skip_line_ends(self, frames: list[Frame | None]) -> bool:
        """Drop line ends between messages, note a ping for each pair; whether anything is left to read."""
        while self._buffer[:2] == b"\r\n":
            if self._buffer[:4] == _END:
                frames.append(None)
                del self._buffer[:4]
            elif _END.startswith(self._buffer):
                return False
            else:
                del self._buffer[:2]
            self._searched = 0
        return bool(self._buffer)

    def _take_one(self) -> Frame | None:
        end = self._buffer.find(_END, max(0, self._searched - 3))
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > HEAD_LIMIT:
                start, headers, _ = _read_head(bytes(self._buffer[:HEAD_LIMIT]))
                return Frame(start, headers, b"", _too_large("header"), is_framed=False)
            return None
        start, headers, defect = _read_head(bytes(self._buffer[:end]))
        length, trouble = _content_length(headers)
        if trouble is not None or length is None:
            # Mandatory on a stream (section 20.14): without one nobody knows where the next message begins.
            absent = MalformedMessage("Content-Length", "absent on a stream")
            return Frame(start, headers, b"", defect or trouble or absent, is_framed=False)
        body_at = end + len(_END)
        if body_at + length > MESSAGE_LIMIT:
            return Frame(start, headers, b"", _too_large("message"), is_framed=False)
        if len(self._buffer) < body_at + length:
            self._searched = end + 3
            return None
        body = bytes(self._buffer[body_at : body_at + length])
        del self._buffer[: body_at + length]
        self._searched = 0
        return Frame(start, headers, body, defect)


def _too_large(where: str) -> MalformedMessage:
    return MalformedMessage(where, "too large", status=513)


def _read_head(head: bytes) -> tuple[str, Headers, MalformedMessage | None]:
    """Start line and fields, and the first fault."""
    start, items, defect = _read_plain(head) or _read_odd(head)
    headers = Headers(items)
    vias = headers.all("via")
    if len(vias) + sum([value.count(",") for value in vias]) > VIA_LIMIT:
        defect = defect or _too_large("Via")
    return start, headers, defect


_Head = tuple[str, list[tuple[str, str]], MalformedMessage | None]


def _read_plain(head: bytes) -> _Head | None:
    """Almost every head, by one look over all its lines; None for one with a line that is folded, long or broken."""
    if len(head) > LINE_LIMIT:
        return None
    start, _, fields = _decode(head + b"\r\n").partition("\r\n")
    lines = fields.count("\r\n")
    if lines > HEADER_LIMIT or fields.count("\r") != lines or fields.count("\n") != lines:
        return None
    found = _FIELD.findall(fields)
    return (start, [(name, value.strip(" \t")) for name, value in found], None) if len(found) == lines else None


def _read_odd(head: bytes) -> _Head:
    """The first fault is noted, and reading goes on, to find what an answer must mirror."""
    defect: MalformedMessage | None = None
    if len(head) > HEAD_LIMIT:
        defect, head = _too_large("header"), head[:HEAD_LIMIT]
    start, *lines = _FOLD.sub(b" ", head).split(b"\r\n")
    if len(lines) > HEADER_LIMIT:
        defect, lines = defect or _too_large("header"), lines[:HEADER_LIMIT]
    items: list[tuple[str, str]] = []
    for line in lines:
        name, colon, value = _decode(line[:LINE_LIMIT]).partition(":")
        name = name.rstrip(" \t")
        if not colon or _NAME.fullmatch(name) is None:
            defect = defect or MalformedMessage("header", "a line without a field name")
            continue
        if len(line) > LINE_LIMIT:
            defect = defect or _too_large("header line")
        if "\r" in value or "\n" in value:
            defect = defect or MalformedMessage("header", "a line end of its own within a line")
            value = value.replace("\r", " ").replace("\n", " ")
        items.append((name, value.strip(" \t")))
    return _decode(start), items, defect


def _content_length(headers: Headers) -> tuple[int | None, MalformedMessage | None]:
    """The body's length; None when none is given. Two of them, even equal ones, are an attack or a fault."""
    values = headers.all("content-length")
    if not values:
        return None, None
    if len(values) > 1:
        return None, MalformedMessage("Content-Length", "more than one")
    text = values[0]
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > CSEQ_LIMIT:
        return None, MalformedMessage("Content-Length", "not a possible length")
    return int(text), None


def _decode(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")
