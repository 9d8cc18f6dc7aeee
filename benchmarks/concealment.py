"""How well speech is understood through a lossy network: concealed as the mixer does it, beside silence in the gaps.

The speech is the Mandarin that the product itself says; packets of 20 ms are lost at random, by twos on average.
Intelligibility is STOI (Taal, Hendriks, Heusdens and Jensen, 2011: "An Algorithm for Intelligibility Prediction of
Time–Frequency Weighted Noisy Speech"), 1 for unharmed, computed here after the paper.

- value: STOI with 10 % lost; limit: the same without concealment; ratio: the least of ours / theirs over all steps.
"""

from __future__ import annotations

import argparse
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np

from media.g711 import EXPANSIONS, FRAME_SAMPLES, Law, encode
from media.jitter import FIRST_DEPTH, JitterBuffer
from media.mixer import Voice
from media.pcm import expand

RATE = 8000
STEPS = (0, 2, 5, 10, 15, 20)
BURST = 2.0
PROMPTS = Path(__file__).parents[1] / "media" / "prompts" / "zh"
Sound = np.ndarray[Any, np.dtype[np.float64]]


def speech() -> Sound:
    """All that the product says, music aside."""
    pieces = []
    for path in sorted(PROMPTS.glob("*.wav")):
        if path.stem in ("music", "ringback", "beep"):
            continue
        with wave.open(str(path), "rb") as file:
            pieces.append(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float))
    whole = np.concatenate(pieces)
    return whole[: len(whole) // FRAME_SAMPLES * FRAME_SAMPLES]


def losses(count: int, percent: int, seed: int) -> Sound:
    """Which packets are lost: Gilbert's model, bursts of `BURST` on average."""
    rng = np.random.default_rng(seed)
    leave = 1 / BURST
    enter = leave * percent / (100 - percent)
    lost, state = np.zeros(count, bool), False
    for index in range(count):
        state = rng.random() >= leave if state else rng.random() < enter
        lost[index] = state
    return lost


def through(sound: Sound, lost: Sound, *, concealed: bool) -> Sound:
    """What is heard of it, packet by packet through the product's own parts."""
    octets = encode(sound.astype("<i2").tobytes(), Law.PCMA)
    voice, bare = Voice(), JitterBuffer()
    heard = []
    for index, is_lost in enumerate([*lost, *([True] * (FIRST_DEPTH // FRAME_SAMPLES))]):
        if not is_lost:
            packet = octets[index * FRAME_SAMPLES : (index + 1) * FRAME_SAMPLES]
            voice.note(0.0, index * FRAME_SAMPLES, packet, EXPANSIONS[Law.PCMA])
            bare.put(index * FRAME_SAMPLES, expand(packet, EXPANSIONS[Law.PCMA]))
        taken = bare.take()
        frame = voice.frame()
        if taken is None or frame is None:
            heard.append(np.zeros(FRAME_SAMPLES))
        else:
            bare_frame = taken.samples if taken.there is None else np.where(taken.there, taken.samples, 0)
            heard.append((frame if concealed else bare_frame).astype(float))
    return np.concatenate(heard)[FIRST_DEPTH : FIRST_DEPTH + len(sound)].astype(float)


def stoi(clean: Sound, heard: Sound) -> float:
    """Mean correlation of short-time third-octave envelopes, silent frames left out."""
    clean, heard = (np.interp(np.arange(0, len(one), 0.8), np.arange(len(one)), one) for one in (clean, heard))
    window = np.hanning(258)[1:-1]
    frames = [np.lib.stride_tricks.sliding_window_view(one, 256)[::128] * window for one in (clean, heard)]
    energy = 20 * np.log10(np.linalg.norm(frames[0], axis=1) + 1e-9)
    kept = energy > energy.max() - 40
    bands = _third_octaves()
    x, y = (np.sqrt(np.abs(np.fft.rfft(one[kept], 512)) ** 2 @ bands.T).T for one in frames)
    segments = [np.lib.stride_tricks.sliding_window_view(one, 30, axis=1) for one in (x, y)]
    clean_seg, heard_seg = segments
    scaled = heard_seg * np.linalg.norm(clean_seg, axis=2, keepdims=True)
    scaled = scaled / (np.linalg.norm(heard_seg, axis=2, keepdims=True) + 1e-9)
    clipped = np.minimum(scaled, clean_seg * (1 + 10 ** (15 / 20)))
    one = clean_seg - clean_seg.mean(axis=2, keepdims=True)
    two = clipped - clipped.mean(axis=2, keepdims=True)
    norm = np.linalg.norm(one, axis=2) * np.linalg.norm(two, axis=2) + 1e-9
    return float(np.mean(np.sum(one * two, axis=2) / norm))


def _third_octaves() -> Sound:
    """Fifteen bands from 150 Hz, over the bins of 512 points at 10 kHz."""
    bins = np.linspace(0, 5000, 257)
    centres = 150 * 2 ** (np.arange(15) / 3)
    low, high = centres * 2 ** (-1 / 6), centres * 2 ** (1 / 6)
    return np.array([(bins >= a) & (bins < b) for a, b in zip(low, high, strict=True)], float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    rounds = 1 if parser.parse_args().short else 5
    sound = speech()
    count = len(sound) // FRAME_SAMPLES
    scores: dict[int, tuple[float, float]] = {}
    print(f"{len(sound) / RATE:.0f} s of Mandarin, STOI")
    print(f"{'lost':>6} {'concealed':>10} {'silence':>8}")
    for percent in STEPS:
        both = []
        for concealed in (True, False):
            heard = [through(sound, losses(count, percent, seed), concealed=concealed) for seed in range(rounds)]
            both.append(float(np.mean([stoi(sound, one) for one in heard])))
        scores[percent] = (both[0], both[1])
        print(f"{percent:>5}% {both[0]:>10.3f} {both[1]:>8.3f}")
    value, limit = scores[10]
    ratio = min(ours / theirs for percent, (ours, theirs) in scores.items() if percent)
    print(
        json.dumps(
            {
                "name": "concealment",
                "value": round(value, 3),
                "limit": round(limit, 3),
                "ratio": round(ratio, 3),
                "unit": "STOI",
            }
        )
    )


if __name__ == "__main__":
    main()
