"""Loss concealment and comfort noise, after ITU-T G.711 appendix I: a lost frame is the last pitch period again.

What was voiced goes on for a moment at its pitch and fades within 60 ms; under it lies noise as loud as the line's own
background, so that neither a gap nor a far end that sends nothing in pauses is dead air. The first good frame fades in
over what was made up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.g711 import FRAME_SAMPLES
from media.pcm import Samples, silence

_HISTORY = 480
_TEMPLATE = FRAME_SAMPLES
_SHORTEST_PITCH = 40
_LONGEST_PITCH = 120
"""200 Hz to 66 Hz, as the appendix has it: 5 to 15 ms."""
_WHOLE_SAMPLES = 80
_FADED_SAMPLES = 480
"""The made-up voice is whole for 10 ms and gone after 60."""
_MOST_PERIODS = 3
_SEAM = 32
_LOUDEST_NOISE = 120.0
"""Comfort noise is never louder than this, root mean square: about -49 dBm0."""
_LEAST_NOISE = 8.0
_FLOOR_RISE = np.float32(1.01)

_rng = np.random.default_rng(0x12345)
_NOISE: Samples = _rng.standard_normal(16_384).astype(np.float32)
_RAMP: Samples = (np.arange(1, _SEAM + 1) / (_SEAM + 1)).astype(np.float32)


class Concealer:
    """Makes one far end's stream whole."""

    def __init__(self) -> None:
        self._history = silence(_HISTORY)
        self._floor = np.float32(_LEAST_NOISE)
        self._lost = 0
        """Samples made up since the last good one."""
        self._cycle = silence(_SHORTEST_PITCH)
        self._noise_at = 0

    def good(self, frame: Samples) -> Samples:
        """A frame that came. It is given back, its beginning faded in where the one before was made up."""
        if self._lost:
            tail = self._made_up(_SEAM)
            frame = frame.copy()
            frame[:_SEAM] = frame[:_SEAM] * _RAMP + tail * (1 - _RAMP)
            self._lost = 0
        loudness = np.sqrt(np.dot(frame, frame) / FRAME_SAMPLES)
        self._floor = min(self._floor * _FLOOR_RISE + np.float32(0.05), loudness, np.float32(_LOUDEST_NOISE))
        self._remember(frame)
        return frame

    def lost(self) -> Samples:
        """A frame in place of one that did not come."""
        if self._lost % FRAME_SAMPLES == 0 and self._lost < _MOST_PERIODS * FRAME_SAMPLES:
            self._cycle = self._last_periods(1 + self._lost // FRAME_SAMPLES)
        frame = self._made_up(FRAME_SAMPLES)
        self._lost += FRAME_SAMPLES
        return frame

    def partly(self, frame: Samples, there: npt.NDArray[np.bool_]) -> Samples:
        """A frame of which some samples came."""
        if not there.any():
            return self.lost()
        whole = np.where(there, frame, self.lost()).astype(np.float32)
        self._lost = 0
        self._remember(whole)
        return whole

    def _remember(self, frame: Samples) -> None:
        self._history[:-FRAME_SAMPLES] = self._history[FRAME_SAMPLES:]
        self._history[-FRAME_SAMPLES:] = frame

    def _last_periods(self, count: int) -> Samples:
        """The last periods of what was heard, their end made to flow into their beginning."""
        pitch = self._pitch()
        length = min(count * pitch, _HISTORY - pitch)
        cycle = self._history[-length:].copy()
        seam = pitch // 4
        ramp = np.linspace(0, 1, seam, dtype=np.float32)
        before = self._history[-length - seam : -length]
        cycle[-seam:] = cycle[-seam:] * (1 - ramp) + before * ramp
        return cycle

    def _pitch(self) -> int:
        """The lag at which the last 20 ms are most like what was before them."""
        template = self._history[-_TEMPLATE:]
        reach = self._history[-_TEMPLATE - _LONGEST_PITCH : -_SHORTEST_PITCH]
        alike = np.correlate(reach, template, "valid")
        energy = np.convolve(reach * reach, np.ones(_TEMPLATE, np.float32), "valid")
        best = int(np.argmax(alike / np.sqrt(energy + 1)))
        return _LONGEST_PITCH - best

    def _made_up(self, count: int) -> Samples:
        """The next samples of the made-up voice, fading, over noise that comes up as it goes."""
        places = np.arange(self._lost, self._lost + count)
        share = np.clip((_FADED_SAMPLES - places) / (_FADED_SAMPLES - _WHOLE_SAMPLES), 0, 1).astype(np.float32)
        noise = self._noise(count) * max(self._floor, np.float32(_LEAST_NOISE)) * (1 - share)
        if self._lost >= _FADED_SAMPLES:
            return noise
        return self._cycle[places % len(self._cycle)] * share + noise

    def _noise(self, count: int) -> Samples:
        start = self._noise_at
        if start + count > len(_NOISE):
            start = 0
        self._noise_at = start + count
        return _NOISE[start : start + count]
