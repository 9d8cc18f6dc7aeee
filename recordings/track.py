"""Where in the recording each packet of one channel belongs. Pure; positions are samples since its beginning.

RTP timestamps say how packets lie to one another: a lost packet leaves a gap and shifts nothing. Arrival says where
the stream as a whole lies: in each batch the packet that the network delayed least shows the true offset, and the
stream is moved when it is off by more than a few milliseconds. Both channels are laid against one clock, so they
stay within 2 × 20 ms of each other however long the call and however the far ends' clocks drift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAX_LEAP = 8000
"""A timestamp further than a second from the one before belongs to another run."""

_EARLY = 40
"""5 ms: nothing arrives before it was said, so an early packet proves the offset wrong."""

_LATE = 160
"""20 ms: a whole batch that is later means that the far end's clock is slow, or it paused without counting."""

_ENOUGH = 10
"""Fewer packets than this may all have been late by chance."""


class Voice(NamedTuple):
    """A packet: `arrived` is the sample at which its last sample could have been spoken at the latest."""

    arrived: int
    timestamp: int
    payload: bytes
    expansion: tuple[bytes, bytes]


class Placed(NamedTuple):
    """A packet and the position of its first sample; negative when it was said before the recording began."""

    position: int
    voice: Voice


def _leap(later: int, earlier: int) -> int:
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Track:
    """One channel's sense of where its stream lies."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._position = 0

    def place(self, voices: Sequence[Voice]) -> list[Placed]:
        """Positions for a batch, in order of arrival."""
        placed: list[Placed] = []
        for run in self._runs(voices):
            placed += self._place_run(run)
        return placed

    def _runs(self, voices: Sequence[Voice]) -> Iterator[list[Voice]]:
        """Split where the timestamp leaps; a run that goes on from the last batch is not begun anew."""
        run: list[Voice] = []
        last = self._timestamp
        for voice in voices:
            if run and last is not None and abs(_leap(voice.timestamp, last)) > _MAX_LEAP:
                yield run
                run = []
            run.append(voice)
            last = voice.timestamp
        if run:
            yield run

    def _place_run(self, run: list[Voice]) -> list[Placed]:
        first = run[0]
        if self._timestamp is None or abs(_leap(first.timestamp, self._timestamp)) > _MAX_LEAP:
            position = first.arrived - len(first.payload)
            fresh = True
        else:
            position = self._position + _leap(first.timestamp, self._timestamp)
            fresh = False
        positions = [position + _leap(voice.timestamp, first.timestamp) for voice in run]
        late = min(voice.arrived - len(voice.payload) - at for voice, at in zip(run, positions, strict=True))
        if late < -_EARLY or fresh or (late > _LATE and len(run) >= _ENOUGH):
            positions = [at + late for at in positions]
        self._timestamp, self._position = run[-1].timestamp, positions[-1]
        return [Placed(at, voice) for at, voice in zip(positions, run, strict=True)]
