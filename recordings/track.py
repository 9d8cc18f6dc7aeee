"""Where in the recording each packet of one channel belongs. Pure; positions are samples since its beginning.

RTP timestamps say how packets lie to one another: a lost packet leaves a gap and shifts nothing. Arrival says where
the stream as a whole lies: in each batch the packet that the network delayed least shows the true offset, and the
stream is moved when it is off by more than a few milliseconds. Both channels are laid against one clock, so they
stay within 2 × 20 ms of each other however long the call and however the far ends' clocks drift.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Expansion = tuple[bytes, bytes]
"""Two `bytes.translate` tables that give the low and the high octet of the sample in an octet."""

SAMPLE_RATE = 8000

_MAX_LEAP = 8000
"""A timestamp further than a second from the one before belongs to another run."""

_EARLY = 40
"""5 ms: nothing arrives before it was said, so an early packet proves the offset wrong."""

_LATE = 160
"""20 ms: a whole batch that is later means that the far end's clock is slow, or it paused without counting."""

_MAX_STRETCH = 16_000
"""2 s: far more than is gathered between two flushes."""

_MAX_WAITING = 480_000
"""A minute: what a stalled disk may cost in memory. Then what comes is given up."""

_ENOUGH = 1600
"""200 ms: packets of less than this may all have been late by chance."""


class Stretch(NamedTuple):
    """Packets without a gap. `begun` is the sample at which its first could have been spoken at the latest."""

    begun: float
    timestamp: int
    octets: bytes
    expansion: Expansion


class Placed(NamedTuple):
    """A stretch and the position of its first sample; negative when it was said before the recording began."""

    position: int
    octets: bytes
    expansion: Expansion


def _leap(later: int, earlier: int) -> int:
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


class Gathering:
    """Joins packets that follow one another, as they come: no object is kept for a packet, only its octets.

    A `media.tap.Ear`, and the `Reel` of it.
    """

    __slots__ = ("_begun", "_expansion", "_first", "_started", "_turn", "_waiting", "_whole", "least", "octets")

    def __init__(self, started_s: float) -> None:
        self.octets = bytearray()
        """Of the stretch that grows. It stays the same object, since a run adds to it."""
        self.least = math.inf
        self._turn = 0.0
        """What makes of `least` when the first octet could have been spoken."""
        self._started = started_s * SAMPLE_RATE
        self._begun = math.inf
        """The same by packets that were noted."""
        self._first = 0
        self._expansion: Expansion = (b"", b"")
        self._whole: list[Stretch] = []
        self._waiting = 0

    def note(self, arrived_s: float, timestamp: int, payload: bytes, expansion: Expansion) -> None:
        """Take a packet, on the event loop: nothing more is done here."""
        self._follow(timestamp, expansion)
        octets = self.octets
        octets += payload
        begun = arrived_s * SAMPLE_RATE - self._started - len(octets)
        if begun < self._begun:  # noqa: PLR1730  a call of `min` costs more than all else here
            self._begun = begun
        self.trim()

    def reel(self, timestamp: int, samples: int, expansion: Expansion) -> Self:
        """This one, for a run."""
        self._follow(timestamp, expansion)
        self._begun, self.least = self._earliest, math.inf
        self._turn = timestamp - len(self.octets) - samples - self._started
        return self

    def trim(self) -> None:
        """A stretch that has grown long enough is whole."""
        if len(self.octets) > _MAX_STRETCH:
            self._cut()

    def take(self) -> list[Stretch]:
        """What has been gathered since the last time; on the event loop as well, and in the middle of a run."""
        self._cut()
        whole, self._whole, self._waiting = self._whole, [], 0
        return whole

    @property
    def _earliest(self) -> float:
        return min(self._begun, self.least + self._turn)

    def _follow(self, timestamp: int, expansion: Expansion) -> None:
        """What comes next has that timestamp: behind a gap, or under another law, it begins a stretch."""
        if timestamp != (self._first + len(self.octets)) & 0xFFFFFFFF or expansion is not self._expansion:
            self._cut()
            self._first, self._expansion = timestamp, expansion

    def _cut(self) -> None:
        """The stretch is whole; what follows it begins another."""
        size = len(self.octets)
        if size and self._waiting + size <= _MAX_WAITING:
            self._waiting += size
            self._whole.append(Stretch(self._earliest, self._first, bytes(self.octets), self._expansion))
        self.octets.clear()
        self._begun = self.least = math.inf
        self._first = (self._first + size) & 0xFFFFFFFF
        self._turn += size


class Track:
    """One channel's sense of where its stream lies."""

    def __init__(self) -> None:
        self._timestamp: int | None = None
        self._position = 0

    def place(self, found: Iterable[Stretch]) -> list[Placed]:
        """Positions for a batch, in order of arrival."""
        placed: list[Placed] = []
        for run in self._runs(found):
            placed += self._place_run(run)
        return placed

    def _runs(self, found: Iterable[Stretch]) -> Iterator[list[Stretch]]:
        """Split where the timestamp leaps."""
        run: list[Stretch] = []
        for stretch in found:
            if run and abs(_leap(stretch.timestamp, run[-1].timestamp)) > _MAX_LEAP:
                yield run
                run = []
            run.append(stretch)
        if run:
            yield run

    def _place_run(self, run: list[Stretch]) -> list[Placed]:
        first = run[0]
        is_new = self._timestamp is None or abs(_leap(first.timestamp, self._timestamp)) > _MAX_LEAP
        if self._timestamp is None or is_new:
            position = round(first.begun)
        else:
            position = self._position + _leap(first.timestamp, self._timestamp)
        positions = [position + _leap(stretch.timestamp, first.timestamp) for stretch in run]
        late = round(min(stretch.begun - at for stretch, at in zip(run, positions, strict=True)))
        enough = sum(len(stretch.octets) for stretch in run) >= _ENOUGH
        if is_new or late < -_EARLY or (late > _LATE and enough):
            positions = [at + late for at in positions]
        last = run[-1]
        self._timestamp = (last.timestamp + len(last.octets)) & 0xFFFFFFFF
        self._position = positions[-1] + len(last.octets)
        return [Placed(at, stretch.octets, stretch.expansion) for at, stretch in zip(positions, run, strict=True)]
