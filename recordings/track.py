"""Where in the recording each packet of one channel belongs. Pure; positions are samples since its beginning.

RTP timestamps say how packets lie to one another: a lost packet leaves a gap and shifts nothing. Arrival says where
the stream as a whole lies: in each batch the packet that the network delayed least shows the true offset, and the
stream is moved when it is off by more than a few milliseconds. Both channels are laid against one clock, so they
stay within 2 × 20 ms of each other however long the call and however the far ends' clocks drift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Expansion = tuple[bytes, bytes]
"""Two `bytes.translate` tables that give the low and the high octet of the sample in an octet."""

Noted = tuple[float, int, bytes, Expansion]
"""A packet as the tap hands it over: time of arrival in seconds, timestamp, payload, expansion."""

SAMPLE_RATE = 8000

_MAX_LEAP = 8000
"""A timestamp further than a second from the one before belongs to another run."""

_EARLY = 40
"""5 ms: nothing arrives before it was said, so an early packet proves the offset wrong."""

_LATE = 160
"""20 ms: a whole batch that is later means that the far end's clock is slow, or it paused without counting."""

_ENOUGH = 10
"""Fewer packets than this may all have been late by chance."""


class Stretch(NamedTuple):
    """Packets without a gap. `begun` is the sample at which its first could have been spoken at the latest."""

    begun: float
    timestamp: int
    packets: int
    octets: bytes
    expansion: Expansion


class Placed(NamedTuple):
    """A stretch and the position of its first sample; negative when it was said before the recording began."""

    position: int
    octets: bytes
    expansion: Expansion


def _leap(later: int, earlier: int) -> int:
    return ((later - earlier + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def stretches(packets: Iterable[Noted], started_s: float) -> Iterator[Stretch]:
    """Join packets that follow one another: this looks at each packet, all that comes after at few stretches."""
    parts: list[bytes] = []
    begun, first, size = 0.0, 0, 0
    expected, law = -1, (b"", b"")
    for arrived_s, timestamp, payload, expansion in packets:
        if timestamp != expected or expansion is not law:
            if parts:
                yield Stretch(begun, first, len(parts), b"".join(parts), law)
            parts, size, first, law, begun = [], 0, timestamp, expansion, float("inf")
        parts.append(payload)
        size += len(payload)
        expected = (first + size) & 0xFFFFFFFF
        spoken = (arrived_s - started_s) * SAMPLE_RATE - size
        if spoken < begun:  # noqa: PLR1730  for every packet: a call of `min` costs more than all else
            begun = spoken
    if parts:
        yield Stretch(begun, first, len(parts), b"".join(parts), law)


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
        enough = sum(stretch.packets for stretch in run) >= _ENOUGH
        if is_new or late < -_EARLY or (late > _LATE and enough):
            positions = [at + late for at in positions]
        last = run[-1]
        self._timestamp = (last.timestamp + len(last.octets)) & 0xFFFFFFFF
        self._position = positions[-1] + len(last.octets)
        return [Placed(at, stretch.octets, stretch.expansion) for at, stretch in zip(positions, run, strict=True)]
