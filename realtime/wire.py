"""Frames to JSON and back. Reading is strict: what is unknown, missing, too long or of another type is refused."""

from __future__ import annotations

import functools
import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import NoReturn, cast

import msgspec

from realtime.errors import BadField, FrameRefused, NotAFrame, NotText, UnknownFrame
from realtime.messages import Frame, Up

_ENCODER = msgspec.json.Encoder()
_ID = re.compile(r"[0-9A-Z]{26}\Z")
_FIELD = re.compile(r" - at `\$\.(\w+)`\Z")
"""Where msgspec says which field it is: it names those of the class, never what came."""
_TOO_LONG = " of length <= "


def encode(frame: Frame) -> bytes:
    """The frame's JSON object. A durable one still lacks its number: see `numbered`."""
    try:
        return _ENCODER.encode(frame)
    except UnicodeEncodeError:  # half a character, which another channel let through
        plain = msgspec.to_builtins(frame)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def numbered(body: bytes, seq: int) -> bytes:
    """The JSON object of a durable frame with its number. The same body goes to several links, numbers differ."""
    return b'{"seq":%d,%b' % (seq, body[1:])


class Reader:
    """Reads the frames of one direction of one socket."""

    def __init__(self, kinds: Mapping[str, type[Frame]]) -> None:
        self._kinds = kinds
        any_of_them = functools.reduce(operator.or_, kinds.values())
        self._decode = cast(Callable[[bytes | bytearray], Up], msgspec.json.Decoder(any_of_them).decode)

    def read(self, data: bytes | bytearray) -> Up:
        """The frame that `data` writes, a text of UTF-8. Raises `FrameRefused`."""
        try:
            return self._decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._refusal(data, str(error)) from None

    def _refusal(self, data: bytes | bytearray, why: str) -> FrameRefused:
        """What to answer. Looks again, without haste, at what is no frame: which command it was, if it was one."""
        try:
            whole = json.loads(data.decode(), parse_constant=_no_constant)
        except UnicodeDecodeError:
            return NotText()
        except (ValueError, RecursionError):
            return NotAFrame("no JSON")
        if not isinstance(whole, dict) or not isinstance(tag := whole.get("t"), str):
            return NotAFrame("no object that names its kind")
        command_id, cseq = _command_of(whole)
        if tag not in self._kinds:
            return UnknownFrame(command_id, cseq)
        field = _FIELD.search(why)
        return BadField(field[1] if field else "", command_id, cseq, too_long=_TOO_LONG in why)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _command_of(whole: Mapping[str, object]) -> tuple[str, int | None]:
    """Which command a refused frame was, as far as can be told."""
    given, cseq = whole.get("id"), whole.get("cseq")
    known = given if isinstance(given, str) and _ID.match(given) else ""
    return known, cseq if type(cseq) is int and cseq >= 0 else None
