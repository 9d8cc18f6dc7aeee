"""The hold music: a quiet pentatonic tune, composed here from a fixed seed and therefore our own.

Sixteen bars at 64 beats a minute are sixty seconds. Every note and the room's echo run round the end into the
beginning, so that the loop has no seam.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.prompts.shape import SAMPLE_RATE_HZ, amplitude, level_dbfs

if TYPE_CHECKING:
    from numpy.typing import NDArray

MUSIC_DBFS = -23.0  # over 6 dB below the voice, so that an announcement is plainly heard beside it

_SEED = 12345
_BEAT = SAMPLE_RATE_HZ * 60 // 64
_BARS = 16
_LENGTH = _BARS * 4 * _BEAT

_SCALE = (67, 69, 72, 74, 76, 79, 81, 84, 86, 88)  # MIDI numbers of 宫商角徵羽 on C, from G4 to E6
_CHORDS: dict[str, tuple[int, ...]] = {
    "C": (60, 64, 67, 72),
    "Am": (57, 64, 69, 72),
    "F": (60, 65, 69, 72),
    "G": (59, 62, 67, 74),
    "Dm": (62, 65, 69, 74),
    "Em": (59, 64, 67, 71),
}
_HARMONY = ("C", "Am", "F", "G", "C", "Am", "Dm", "C", "F", "G", "Em", "Am", "C", "Am", "Dm", "C")
# Lengths in beats of the notes of one bar.
_RHYTHMS = ((1.0, 1.0, 2.0), (1.5, 0.5, 2.0), (1.0, 0.5, 0.5, 2.0), (2.0, 1.0, 1.0), (1.5, 0.5, 1.0, 1.0))


@dataclass(frozen=True, slots=True)
class Note:
    """One plucked note: when it begins, how high, how strongly."""

    beat: float
    midi: int
    strength: float


def compose(dice: np.random.Generator) -> list[Note]:
    """A melody in the form A A' B A': each bar walks in small steps and begins near a tone of its chord."""
    question, answer = _phrase(dice, 0, 4), _phrase(dice, 4, 6)
    middle = _phrase(dice, 8, 6)
    tune = [question, answer, middle, answer]
    notes = [
        Note(16 * n + beat, _SCALE[step], 0.75 + 0.25 * (beat % 4 == 0))
        for n, phrase in enumerate(tune)
        for beat, step in phrase
    ]
    return notes + [Note(4 * bar + at, midi, 0.33) for bar in range(_BARS) for at, midi in _arpeggio(bar)]


def _phrase(dice: np.random.Generator, first_bar: int, start: int) -> list[tuple[float, int]]:
    """Four bars of (beat, step of the scale); the last bar is one long note of its chord."""
    notes: list[tuple[float, int]] = []
    step = start
    for bar in range(3):
        step = _nearest_chord_tone(step, _HARMONY[first_bar + bar])
        beat = 4.0 * bar
        for length in _RHYTHMS[dice.integers(len(_RHYTHMS))]:
            notes.append((beat, step))
            beat += length
            step = int(np.clip(step + dice.choice((-2, -1, -1, 1, 1, 2)), 0, len(_SCALE) - 1))
    return [*notes, (12.0, _nearest_chord_tone(step, _HARMONY[first_bar + 3]))]


def _nearest_chord_tone(step: int, chord: str) -> int:
    classes = {midi % 12 for midi in _CHORDS[chord]}
    return min((n for n, midi in enumerate(_SCALE) if midi % 12 in classes), key=lambda n: abs(n - step))


def _arpeggio(bar: int) -> list[tuple[float, int]]:
    low, second, third, high = _CHORDS[_HARMONY[bar]]
    return list(zip((0, 0.5, 1, 1.5, 2, 2.5, 3), (low, second, third, high, third, second, third), strict=True))


def _hz(midi: int) -> float:
    return float(440.0 * 2 ** ((midi - 69) / 12))


def pluck(midi: int, strength: float) -> NDArray[np.float64]:
    """A soft string: harmonics that are weaker, and die sooner, the higher they are."""
    t = np.arange(int(2.6 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hz = _hz(midi)
    sound = np.zeros_like(t)
    for k in range(1, 8):
        if k * hz < 3400:
            sound += np.sin(2 * np.pi * k * hz * t) * np.exp(-t * (1.3 + 1.1 * k)) * strength ** (k / 2) / k**1.7
    attack = np.minimum(1.0, t / 0.012)
    release = np.minimum(1.0, (t[-1] - t) / 0.1)
    plucked: NDArray[np.float64] = strength * sound * attack * release
    return plucked


def pad(midi: int) -> NDArray[np.float64]:
    """One chord tone held over a bar: two slightly mistuned voices that swell and ebb into the next bar."""
    length = int(5.5 * _BEAT)
    t = np.arange(length) / SAMPLE_RATE_HZ
    hz = _hz(midi)
    swell = np.sin(np.pi * np.arange(length) / length) ** 1.5
    voices = [
        swell * np.sin(2 * np.pi * k * hz * detune * t + phase) / k**2
        for detune, phase in ((0.9985, 0.0), (1.0015, 2.0))
        for k in (1, 2, 3)
    ]
    held: NDArray[np.float64] = np.sum(voices, axis=0)
    return held


def _add_round(track: NDArray[np.float64], at: int, sound: NDArray[np.float64]) -> None:
    track[(at + np.arange(len(sound))) % len(track)] += sound


def _echo(track: NDArray[np.float64], dice: np.random.Generator) -> NDArray[np.float64]:
    """A small hall: decaying noise, convolved in a circle."""
    t = np.arange(int(1.2 * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    hall = dice.standard_normal(len(t)) * np.exp(-t * 4.5) * np.minimum(1.0, t / 0.02)
    hall = np.convolve(hall, np.hanning(9), mode="same")
    hall /= np.sqrt(np.sum(hall**2))
    wet: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(track) * np.fft.rfft(hall, len(track)), len(track))
    return wet


def hold_music() -> NDArray[np.float64]:
    """Sixty seconds that may be played round and round."""
    dice = np.random.default_rng(_SEED)
    track = np.zeros(_LENGTH)
    for note in compose(dice):
        late = int(dice.integers(0, SAMPLE_RATE_HZ // 80))  # a player is not a clock
        _add_round(track, round(note.beat * _BEAT) + late, pluck(note.midi, note.strength))
    for bar, chord in enumerate(_HARMONY):
        for midi in _CHORDS[chord]:
            _add_round(track, int((4 * bar - 0.75) * _BEAT), 0.045 * pad(midi))
    track += 0.3 * _echo(track, dice)
    return track * amplitude(MUSIC_DBFS - level_dbfs(track))
