"""What a party of a conference costs: one slot that hears the others, decoded, made whole, added up and encoded.

- ours: `media.mixer.Mix`, fed and asked as the engine does, for calls of two to four parties who all hear each other.
- limit: the sum alone, over samples that are decoded already, without buffer, concealment or codec.

The value is the processor's time for one party of three in 20 ms; the table says what share of a core that is, and
how many such conferences one core carries.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from media.g711 import EXPANSIONS, FRAME_SAMPLES, Law, encode
from media.mixer import Mix
from session.audio import Slot

FRAME_S = 0.02


def ours(others: int, frames: int) -> float:
    """Microseconds a frame."""
    mix, slots = Mix(), tuple(Slot)[:others]
    mix.hear(dict.fromkeys(slots, 0.0))
    rng = np.random.default_rng(1)
    packets = [encode(rng.normal(0, 3000, FRAME_SAMPLES).astype("<i2").tobytes(), Law.PCMA) for _ in range(16)]
    ears = [mix.ear(slot) for slot in slots]
    began = time.process_time()
    for index in range(frames):
        for ear in ears:
            ear.note(0.0, index * FRAME_SAMPLES & 0xFFFFFFFF, packets[index % 16], EXPANSIONS[Law.PCMA])
        mix.frame(Law.PCMA)
    return (time.process_time() - began) / frames * 1e6


def limit(others: int, frames: int) -> float:
    """Microseconds a frame."""
    rng = np.random.default_rng(1)
    voices = [rng.normal(0, 3000, FRAME_SAMPLES).astype(np.float32) for _ in range(others)]
    began = time.process_time()
    for _ in range(frames):
        total = np.zeros(FRAME_SAMPLES, np.float32)
        for voice in voices:
            total += voice
        np.clip(total, -32767, 32767).astype(np.int16).tobytes()
    return (time.process_time() - began) / frames * 1e6


def median(measure: Callable[[int, int], float], others: int, rounds: int, frames: int) -> float:
    return statistics.median(measure(others, frames) for _ in range(rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    short = parser.parse_args().short
    rounds, frames = (3, 1000) if short else (9, 5000)
    print(f"{'parties':>8} {'µs a party':>11} {'of a core':>10} {'conferences a core':>19}")
    for parties in (2, 3, 4):
        cost = median(ours, parties - 1, rounds, frames)
        share = cost / (FRAME_S * 1e6)
        print(f"{parties:>8} {cost:>11.1f} {share:>10.2%} {int(1 / (share * parties)):>19}")
    value, bare = median(ours, 2, rounds, frames), median(limit, 2, rounds, frames)
    line = {
        "name": "mix",
        "value": round(value, 1),
        "limit": round(bare, 1),
        "ratio": round(bare / value, 3),
        "unit": "µs a party and 20 ms",
    }
    print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
