"""Call-progress tones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.prompts.shape import SAMPLE_RATE_HZ, SPEECH_DBFS, amplitude, soft_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _sine(hz: float, duration_s: float, edge_s: float) -> NDArray[np.float64]:
    """A sine as loud as the voice, with soft edges."""
    t = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tone = np.sqrt(2) * amplitude(SPEECH_DBFS) * np.sin(2 * np.pi * hz * t)
    return soft_ends(tone, round(edge_s * SAMPLE_RATE_HZ))


def ringback() -> NDArray[np.float64]:
    """China's ringback tone (回铃音): 450 Hz, one second on and four off; one period (ITU-T E.180)."""
    return np.concatenate([_sine(450, 1.0, 0.005), np.zeros(4 * SAMPLE_RATE_HZ)])


def beep() -> NDArray[np.float64]:
    """A short tone, as before a recording begins."""
    return _sine(1000, 0.2, 0.015)
