"""From a synthesiser's sound to a telephone's: 8 kHz, trimmed, level, with soft ends."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 8_000
PEAK_DBFS = -3.0
SPEECH_DBFS = -15.5  # of the frames in which somebody speaks; the limiter then touches a few peaks only

_FRAME = SAMPLE_RATE_HZ // 100  # 10 ms
_SILENT_BELOW_LOUDEST_DB = 38.0  # at 35 the s- of 三 and 四 is lost, and 三 is heard as 增
_SPEAKING_BELOW_LOUDEST_DB = 25.0


def amplitude(dbfs: float) -> float:
    """Linear amplitude of a level, 1.0 being full scale."""
    return float(10 ** (dbfs / 20))


def level_dbfs(samples: NDArray[np.float64]) -> float:
    """Root mean square in dB below full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


def to_telephone_band(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Down to 8 kHz by a whole factor, with a linear-phase filter that lets 80–3600 Hz through."""
    factor = rate_hz // SAMPLE_RATE_HZ
    reach = 40 * factor
    n = np.arange(-reach, reach + 1)
    cutoff = 2 * 3750 / rate_hz
    low_pass = cutoff * np.sinc(cutoff * n) * np.kaiser(len(n), 8.0)
    slow = np.convolve(samples, low_pass / low_pass.sum(), mode="same")[::factor]
    return _without_rumble(slow)


def _without_rumble(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Takes away what lies below 80 Hz: nothing of a voice, and a click where two pieces meet."""
    spectrum = np.fft.rfft(samples, 2 * len(samples))
    hz = np.fft.rfftfreq(2 * len(samples), 1 / SAMPLE_RATE_HZ)
    kept: NDArray[np.float64] = np.fft.irfft(spectrum * np.clip((hz - 50) / 40, 0, 1))
    return kept[: len(samples)]


def _frame_levels(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels: NDArray[np.float64] = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-10)
    return levels


def cut(samples: NDArray[np.float64], start_s: float, end_s: float) -> NDArray[np.float64]:
    """The sound between two moments, each moved to the quietest 10 ms nearby.

    The synthesiser's own timing is coarse (25 ms) and late: a syllable is heard some 50 ms before its span.
    """
    levels = _frame_levels(samples)
    first, last = (round(s * SAMPLE_RATE_HZ / _FRAME) for s in (start_s, end_s))
    start = _quietest(levels, first - 15, first)
    end = _quietest(levels, last - 6, last + 10) + 1
    return samples[start * _FRAME : end * _FRAME]


def _quietest(levels: NDArray[np.float64], first: int, after: int) -> int:
    first = max(first, 0)
    return first + int(levels[first:after].argmin())


def trim(samples: NDArray[np.float64], silence_ms: int = 40) -> NDArray[np.float64]:
    """Leaves `silence_ms` of quiet before the first sound and after the last, faded at both ends."""
    levels = _frame_levels(samples)
    sounding = np.flatnonzero(levels > levels.max() - _SILENT_BELOW_LOUDEST_DB)
    margin = silence_ms * SAMPLE_RATE_HZ // 1000
    start, end = sounding[0] * _FRAME, (sounding[-1] + 1) * _FRAME
    padded = np.pad(samples, margin)[start : end + 2 * margin]
    return soft_ends(padded, margin * 3 // 4)


def soft_ends(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Raised-cosine edges of `length` samples, so that nothing clicks."""
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
    shaped = samples.copy()
    shaped[:length] *= edge
    shaped[-length:] *= edge[::-1]
    return shaped


def level_speech(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Brings the speaking frames to SPEECH_DBFS and the peaks to at most PEAK_DBFS."""
    for _ in range(3):  # the limiter takes some level away; twice more settles it within 0.1 dB
        levels = _frame_levels(samples)
        speaking = levels[levels > levels.max() - _SPEAKING_BELOW_LOUDEST_DB]
        now_dbfs = 10 * np.log10(np.mean(10 ** (speaking / 10)))
        samples = limit(samples * amplitude(SPEECH_DBFS - now_dbfs))
    return samples


def limit(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Holds peaks at PEAK_DBFS by turning the volume down around them, over 10 ms, instead of clipping."""
    reach = SAMPLE_RATE_HZ // 200
    needed = np.minimum(1.0, amplitude(PEAK_DBFS) / np.maximum(np.abs(samples), 1e-9))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(needed, 2 * reach, constant_values=1.0), 2 * reach + 1)
    held = windows.min(axis=1)
    smooth = np.hanning(2 * reach + 3)[1:-1]
    return samples * np.convolve(held, smooth / smooth.sum(), mode="valid")


def write_wav(path: Path, samples: NDArray[np.float64]) -> None:
    """Mono PCM16 at 8 kHz."""
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.tobytes())
