"""Digits as RTP telephone-events (RFC 4733): read once each, and written with their three last packets."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from media.rtp import ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGITS = "0123456789*#ABCD"
"""Event codes 0–15 (RFC 4733, table 3); the others (16 is flash) are no digits and are passed over."""

_PAYLOAD = struct.Struct("!BBH")
_VOLUME_DBM0 = 10
_FRAME_SAMPLES = 160
_TONE_FRAMES = 5
_LAST_PACKETS = 3
_PAUSE_FRAMES = 4
_SAMPLES_PER_MS = 8
_FORGOTTEN_AFTER_S = 0.5


class Heard(NamedTuple):
    """A digit and how long it was pressed."""

    digit: str
    duration_ms: int


class _Press(NamedTuple):
    digit: str
    timestamp: int
    duration: int
    updated_s: float

    @property
    def heard(self) -> Heard:
        return Heard(self.digit, self.duration // _SAMPLES_PER_MS)


class DigitReader:
    """Turns the packets of events into digits; an event is known by its timestamp, its end by the end bit."""

    def __init__(self) -> None:
        self._pressed: _Press | None = None
        self._reported: int | None = None

    def take(self, payload: bytes, timestamp: int, now_s: float) -> list[Heard]:
        """The digits that this packet completes: its own, and one before it whose last packets were all lost."""
        if len(payload) < _PAYLOAD.size:
            return []
        code, flags, duration = _PAYLOAD.unpack_from(payload)
        if code >= len(DIGITS) or self._is_old(timestamp):
            return []
        heard = []
        if self._pressed is not None and self._pressed.timestamp != timestamp:
            heard.append(self._report(self._pressed))
        longest = max(duration, self._pressed.duration) if self._pressed else duration
        press = _Press(DIGITS[code], timestamp, longest, now_s)
        self._pressed = press
        if flags & 0x80:
            heard.append(self._report(press))
        return heard

    def expire(self, now_s: float) -> list[Heard]:
        """The digit under way, when nothing more of it has come for half a second."""
        press = self._pressed
        if press is None or now_s - press.updated_s < _FORGOTTEN_AFTER_S:
            return []
        return [self._report(press)]

    def restart(self) -> None:
        """The stream's clock is another one: timestamps say nothing about those before."""
        self._pressed = self._reported = None

    def _is_old(self, timestamp: int) -> bool:
        if self._reported is not None and ahead(timestamp, self._reported, 32) <= 0:
            return True
        return self._pressed is not None and ahead(timestamp, self._pressed.timestamp, 32) < 0

    def _report(self, press: _Press) -> Heard:
        self._pressed = None
        self._reported = press.timestamp
        return press.heard


class Written(NamedTuple):
    """One 20 ms step of sending digits: an event's payload, or a pause (None)."""

    payload: bytes | None
    first: bool


def write(digits: str) -> Iterator[Written]:
    """The steps that send these digits: 100 ms of tone, the end thrice (RFC 4733, 2.5.1.4), 80 ms of pause."""
    for digit in digits:
        code = DIGITS.index(digit)
        for frame in range(1, _TONE_FRAMES + 1):
            yield Written(_PAYLOAD.pack(code, _VOLUME_DBM0, frame * _FRAME_SAMPLES), first=frame == 1)
        end = _PAYLOAD.pack(code, 0x80 | _VOLUME_DBM0, _TONE_FRAMES * _FRAME_SAMPLES)
        for _ in range(_LAST_PACKETS):
            yield Written(end, first=False)
        for _ in range(_PAUSE_FRAMES):
            yield Written(None, first=False)
