"""The jitter buffer: packets in as the network brings them, 20 ms of sound out at each tick of our own clock.

Needed only where sound is decoded (`media.mixer`): a stream that is relayed has its buffer in the far end's telephone.
Sound lies in a ring at the place that its RTP timestamp says, so that order, doubles and odd packet sizes need no
care. One number, `play`, is what is heard next; the buffer's depth is how far packets arrive ahead of it. It grows when
packets come too late, and shrinks, over silence where there is any, when all have come early for seconds; so a far
end's clock that runs fast or slow is followed too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from media.g711 import FRAME_SAMPLES
from media.rtp import ahead

if TYPE_CHECKING:
    from media.pcm import Samples

FIRST_DEPTH = 2 * FRAME_SAMPLES
"""40 ms: a frame for the two clocks' phase, a frame for the network."""

DEEPEST = 10 * FRAME_SAMPLES
"""200 ms: later than that, a word is lost rather than everything late."""

_RING = 16_384
_MASK = _RING - 1
_WINDOW_TICKS = 50
_LATE_ALLOWED = 1
"""Packets in a window that may come too late before the buffer deepens."""
_LATE_RUN = 10
"""So many late packets one after the other are a stream whose timestamps went back."""
_PATIENT_WINDOWS = 4
"""For so long a moment of silence is awaited in which a frame is left out unheard."""
_QUIET = 200.0
_FRAME = np.arange(FRAME_SAMPLES)


class Taken(NamedTuple):
    """Twenty milliseconds. `there` says which samples came; None where all did."""

    samples: Samples
    there: npt.NDArray[np.bool_] | None


class JitterBuffer:
    """One far end's stream."""

    def __init__(self) -> None:
        self.late = 0
        """Packets that came when their time was over, in all."""
        self._ring = np.zeros(_RING, np.float32)
        self._there = np.zeros(_RING, np.bool_)
        self._play: int | None = None
        self._ticks = 0
        self._late_now = 0
        self._late_run = 0
        self._least = _RING
        self._spare_windows = 0

    def put(self, timestamp: int, samples: Samples) -> None:
        """A packet; at most a second of sound."""
        lead = FIRST_DEPTH if self._play is None else ahead(timestamp, self._play, 32)
        if self._play is None or not -_RING // 2 < lead <= _RING // 2:
            self._begin(timestamp)
            lead = FIRST_DEPTH
        if lead < 0:
            lead = self._take_late(timestamp, lead, len(samples))
            samples = samples[-lead:] if lead < 0 else samples
        else:
            self._late_run = 0
            self._least = min(self._least, lead)
        if len(samples) == 0 or self._play is None:
            return
        start = (self._play + max(0, lead)) & _MASK
        first = min(len(samples), _RING - start)
        self._ring[start : start + first] = samples[:first]
        self._there[start : start + first] = True
        if first < len(samples):
            rest = len(samples) - first
            self._ring[:rest] = samples[first:]
            self._there[:rest] = True

    def take(self) -> Taken | None:
        """What is heard next; None before the first packet."""
        if self._play is None:
            return None
        start = self._play & _MASK
        # A slice where it can be one: it costs a third of picking out places.
        straight = start <= _RING - FRAME_SAMPLES
        places = slice(start, start + FRAME_SAMPLES) if straight else (start + _FRAME) & _MASK
        there = self._there[places].copy()
        taken = Taken(self._ring[places].copy(), None if there.all() else there)
        self._there[places] = False
        self._play = (self._play + FRAME_SAMPLES) & 0xFFFFFFFF
        self._ticks += 1
        if self._ticks == _WINDOW_TICKS or (self._spare_windows and _is_quiet(taken)):
            self._adapt(taken)
        return taken

    def _begin(self, timestamp: int) -> None:
        """A stream's first packet, or one that leaps."""
        self._there[:] = False
        self._play = (timestamp - FIRST_DEPTH) & 0xFFFFFFFF
        self._late_run = self._late_now = self._spare_windows = 0
        self._least = _RING

    def _take_late(self, timestamp: int, lead: int, size: int) -> int:
        """Deepen where lateness has become usual; gives the packet's lead after that."""
        self.late += 1
        self._late_now += 1
        self._late_run += 1
        if self._late_run > _LATE_RUN:
            self._begin(timestamp)
            return FIRST_DEPTH
        if self._late_now > _LATE_ALLOWED and -lead <= DEEPEST and self._play is not None:
            step = -(lead // FRAME_SAMPLES) * FRAME_SAMPLES
            self._play = (self._play - step) & 0xFFFFFFFF
            self._late_now = 0
            return lead + step
        return max(lead, -size)

    def _adapt(self, taken: Taken) -> None:
        """Leave a frame out where packets have come early enough without it for a while."""
        if self._spare_windows and (self._spare_windows > _PATIENT_WINDOWS or _is_quiet(taken)):
            self._skip()
            self._spare_windows = 0
        if self._ticks < _WINDOW_TICKS:
            return
        has_spare = FIRST_DEPTH < self._least < _RING
        self._spare_windows = self._spare_windows + 1 if has_spare else 0
        self._ticks = self._late_now = 0
        self._least = _RING

    def _skip(self) -> None:
        if self._play is not None:
            self._there[(self._play + _FRAME) & _MASK] = False
            self._play = (self._play + FRAME_SAMPLES) & 0xFFFFFFFF
            self._least -= FRAME_SAMPLES


def _is_quiet(taken: Taken) -> bool:
    return taken.there is not None or float(np.abs(taken.samples).max()) < _QUIET
