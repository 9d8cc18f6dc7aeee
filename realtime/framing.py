"""The frames of a WebSocket (RFC 6455, section 5), as a server takes and gives them. Pure: bytes in, messages out.

No extension is spoken, so the three reserved bits are never set.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from aiohttp._websocket.helpers import websocket_mask


class Opcode(IntEnum):
    """What a frame is (section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Status(IntEnum):
    """Why a socket is closed, by the protocol itself (section 7.4.1)."""

    NORMAL = 1000
    PROTOCOL_ERROR = 1002
    NOT_TEXT = 1007
    TOO_BIG = 1009


Received = tuple[int, bytes | bytearray]
"""An opcode, and the payload of the whole message. A piece of one that is not whole yet is an empty continuation."""

_TEXT = int(Opcode.TEXT)
_FINAL = 0x80
_RESERVED = 0x70
_MASKED = 0x80
_HEAD, _HEAD_16, _HEAD_64 = struct.Struct(">BB").pack, struct.Struct(">BBH").pack, struct.Struct(">BBQ").pack
_SIZE_16, _SIZE_64 = struct.Struct(">H").unpack_from, struct.Struct(">Q").unpack_from
_WHOLE_TEXT = _FINAL | Opcode.TEXT
_MOST_CONTROL_BYTES = 125
_NEW = (Opcode.TEXT, Opcode.BINARY)
_CONTROL = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


def framed(payload: bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """The frame of a whole message; a server masks nothing (section 5.1)."""
    size = len(payload)
    if size < 126:
        return _HEAD(_FINAL | opcode, size) + payload
    if size < 65536:
        return _HEAD_16(_FINAL | opcode, 126, size) + payload
    return _HEAD_64(_FINAL | opcode, 127, size) + payload


def closing(code: int, reason: str) -> bytes:
    """The close frame (section 5.5.1)."""
    return framed(code.to_bytes(2, "big") + reason.encode()[: _MOST_CONTROL_BYTES - 2], Opcode.CLOSE)


def answer_to_close(payload: bytes | bytearray) -> int:
    """The code that answers a far end's close: its own, or why its close is none."""
    if not payload:
        return Status.NORMAL
    code = int.from_bytes(payload[:2], "big")
    is_known = 3000 <= code <= 4999 or (1000 <= code <= 1014 and code not in {1004, 1005, 1006})
    if len(payload) == 1 or not is_known:
        return Status.PROTOCOL_ERROR
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return Status.NOT_TEXT
    return code


class Deframer:
    """Takes a page's bytes however they were cut. Once there is a `fault` it takes no more."""

    __slots__ = ("_most_bytes", "_needs", "_opcode", "_pieces", "_rest", "fault")

    def __init__(self, most_bytes: int) -> None:
        self.fault: Status | None = None
        self._most_bytes = most_bytes
        self._rest = bytearray()
        """The beginning of a frame that has not come whole."""
        self._needs = 0
        """Bytes without which there is no use in looking at the rest again; 0 where there is none."""
        self._opcode = 0
        """Of the message whose `_pieces` come; 0 where none does."""
        self._pieces = bytearray()

    def feed(self, data: bytes) -> list[Received]:
        """What is whole with these bytes, in order; what came before a fault is still given."""
        if self._needs:
            self._rest += data
            if len(self._rest) < self._needs:
                return []
            data = bytes(self._rest)
            self._rest.clear()
            self._needs = 0
        received: list[Received] = []
        at, end, needs = 0, len(data), 2
        while self.fault is None and end >= at + needs:
            first, second = data[at], data[at + 1]
            size, start, least = second & 0x7F, at + 2, 0
            if size > 125:
                start, least = (at + 4, 126) if size == 126 else (at + 10, 65536)
                if end < start:
                    needs = start - at
                    continue
                size = _SIZE_16(data, at + 2)[0] if size == 126 else _SIZE_64(data, at + 2)[0]
            is_plain = first == _WHOLE_TEXT and second >= _MASKED and not self._opcode
            if not is_plain or not least <= size <= self._most_bytes:
                self.fault = self._fault_of(first, second, size, least)
                if self.fault is not None:
                    break
            stop = start + 4 + size
            if end < stop:
                needs = stop - at
                continue
            payload = bytearray(data[start + 4 : stop])
            websocket_mask(data[start : start + 4], payload)
            received.append((_TEXT, payload) if is_plain else self._taken(first, payload))
            at, needs = stop, 2
        if at < end and self.fault is None:
            self._rest += data[at:]
            self._needs = needs
        return received

    def _fault_of(self, first: int, second: int, size: int, least: int) -> Status | None:
        """What is wrong with a frame, by its head. A length is written in the shortest form (section 5.2)."""
        opcode = first & 0x0F
        if opcode in _CONTROL:
            is_fit = bool(first & _FINAL) and size <= _MOST_CONTROL_BYTES  # section 5.5
        else:
            is_fit = opcode == Opcode.CONTINUATION if self._opcode else opcode in _NEW
        if not is_fit or first & _RESERVED or second < _MASKED or size < least:
            return Status.PROTOCOL_ERROR
        return Status.TOO_BIG if len(self._pieces) + size > self._most_bytes else None

    def _taken(self, first: int, payload: bytearray) -> Received:
        opcode = first & 0x0F
        if opcode in _CONTROL or (first & _FINAL and not self._opcode):
            return opcode, payload
        self._opcode = self._opcode or opcode
        self._pieces += payload
        if not first & _FINAL:
            return Opcode.CONTINUATION, b""
        whole = self._opcode, bytes(self._pieces)
        self._opcode = 0
        self._pieces.clear()
        return whole
