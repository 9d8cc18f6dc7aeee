"""Sounds made and compared, 8 kHz, as arrays of samples in the range of 16 bits. G.711 is done anew here.

The peers share nothing with the product: an error made twice in the same way would not be heard.
"""

import wave
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RATE = 8000
FRAME = 160
"""Samples in 20 ms."""

Sound = np.ndarray[Any, np.dtype[np.float64]]


class Likeness(NamedTuple):
    """How alike two sounds are where they are most alike, and by how much the second is later."""

    correlation: float
    lag_ms: float


def speech(seconds: float, seed: int) -> Sound:
    """Like nothing but itself: noise below 1.5 kHz in syllables of 50 ms, so that codecs carry it and no shift fits."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    noise = np.convolve(rng.normal(0, 1, count + 15), np.hanning(16), "valid")[:count]
    syllables = np.repeat(rng.uniform(0.15, 1.0, count // 400 + 1), 400)[:count]
    shaped: Sound = noise * syllables
    return np.asarray(shaped / np.max(np.abs(shaped)) * 12000)


def tone(hertz: float, seconds: float) -> Sound:
    """A sine, as loud as `speech` is at most."""
    return np.asarray(np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE) * 12000)


def likeness(said: Sound, heard: Sound) -> Likeness:
    """The normalised correlation of all of `said` with the stretch of `heard` that is most like it.

    The lag says where that stretch begins in `heard`. What lies outside counts as silence, so that a piece that was
    cut off costs what it weighs.
    """
    if not len(heard) or not np.any(said):
        return Likeness(0.0, 0.0)
    padded = np.concatenate([np.zeros(len(said)), heard, np.zeros(len(said))])
    size = 1 << (len(padded) + len(said)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(padded, size) * np.conj(np.fft.rfft(said, size)), size)
    last = len(padded) - len(said)
    energy = np.concatenate([[0.0], np.cumsum(padded**2)])
    local = energy[len(said) :] - energy[: last + 1]
    weight = np.sqrt(np.maximum(local, 0.01 * np.sum(said**2)) * np.sum(said**2))
    scores = cross[: last + 1] / weight
    best = int(np.argmax(scores))
    return Likeness(float(scores[best]), (best - len(said)) * 1000 / RATE)


def loudness(sound: Sound) -> float:
    """Root mean square; 0 for no sound at all."""
    return float(np.sqrt(np.mean(sound**2))) if len(sound) else 0.0


def voice(seconds: float, seed: int) -> Sound:
    """Speech as a coder takes it for speech, which leaves of noise what an ear does: tones that move, in syllables."""
    count = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    steps = count // 800 + 1
    pitch = np.cumsum(np.repeat(rng.uniform(100, 300, steps), 800)[:count]) / RATE
    tones = sum((np.sin(2 * np.pi * pitch * order) / order for order in range(1, 8)), np.zeros(count))
    return tones * 5000 * np.repeat(rng.uniform(0.1, 1.0, steps), 800)[:count]


def read_wave(path: Path) -> list[Sound]:
    """A file's channels, of 8 or 16 bits; one at a multiple of our rate is brought down to that."""
    with wave.open(str(path), "rb") as file:
        step, odd = divmod(file.getframerate(), RATE)
        assert not odd, f"{path}: {file.getframerate()} Hz"
        channels, width = file.getnchannels(), file.getsampwidth()
        raw = file.readframes(file.getnframes())
    samples = np.frombuffer(raw, "<i2").astype(float) if width == 2 else (np.frombuffer(raw, "u1") - 128.0) * 256
    each = (samples[channel::channels] for channel in range(channels))
    return [one[: len(one) // step * step].reshape(-1, step).mean(axis=1) for one in each]


def write_wave(path: Path, sound: Sound) -> Path:
    """Keep a sound as 16 bits, mono; gives the path back."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.clip(-32768, 32767).astype("<i2").tobytes())
    return path


def _a_law_levels() -> Sound:
    """The sample of each of A-law's 256 octets (ITU-T G.711 §3): sign, three bits of segment, four of step."""
    octets = np.arange(256) ^ 0x55
    segment, step = (octets >> 4) & 7, octets & 15
    size = np.where(segment == 0, step * 16 + 8, (step * 16 + 264) << np.maximum(segment - 1, 0))
    return np.where(octets & 0x80, size, -size).astype(float)


A_LAW = _a_law_levels()
_BY_LEVEL = np.argsort(A_LAW)
_BORDERS = (A_LAW[_BY_LEVEL][1:] + A_LAW[_BY_LEVEL][:-1]) / 2


def a_law(sound: Sound) -> bytes:
    """The octet of the nearest level for each sample."""
    return _BY_LEVEL[np.searchsorted(_BORDERS, sound)].astype("u1").tobytes()


def from_a_law(octets: bytes) -> Sound:
    """The samples that A-law's octets stand for."""
    return np.asarray(A_LAW[np.frombuffer(octets, "u1")])
