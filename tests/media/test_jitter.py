"""The jitter buffer and what stands in for lost packets, tick by tick without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.concealment import Concealer
from media.jitter import DEEPEST, FIRST_DEPTH, JitterBuffer
from media.pcm import silence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from media.pcm import Samples

FRAME = 160
WRAPS = 2**32 - 40 * FRAME
"""So that the timestamps of most tests run over."""


def numbered(count: int) -> Samples:
    """Samples of which no two frames are alike."""
    return np.arange(1, count * FRAME + 1).astype(np.float32)


def played(arrivals: Iterable[tuple[int, int]], ticks: int, sound: Samples, size: int = FRAME) -> Samples:
    """What is heard when packet `index` comes before tick `at`, for all `(index, at)`; nought where it did not come."""
    buffer, due = JitterBuffer(), sorted(arrivals, key=lambda one: one[1])
    heard = []
    for tick in range(ticks):
        while due and due[0][1] <= tick:
            index, _ = due.pop(0)
            buffer.put((WRAPS + index * size) & 0xFFFFFFFF, sound[index * size : (index + 1) * size])
        taken = buffer.take()
        if taken is not None:
            heard.append(taken.samples if taken.there is None else np.where(taken.there, taken.samples, 0))
    return np.concatenate(heard)


def test_what_comes_in_time_is_heard_whole_after_the_first_depth() -> None:
    sound = numbered(100)
    heard = played(((index, index) for index in range(100)), 102, sound)
    assert np.array_equal(heard[FIRST_DEPTH:], sound)
    assert not heard[:FIRST_DEPTH].any()


@given(st.lists(st.sampled_from([0, 0, 0, 0, 1]), min_size=60, max_size=60), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_order_and_doubles_change_nothing(delays: list[int], seed: int) -> None:
    sound = numbered(60)
    rng = np.random.default_rng(seed)
    arrivals = [(index, index + delay) for index, delay in enumerate([0, *delays[1:]])]
    arrivals += [arrivals[index] for index in rng.integers(0, 60, 10)]
    rng.shuffle(arrivals)
    heard = played(arrivals, 62, sound)
    assert np.array_equal(heard[FIRST_DEPTH:], sound)


@pytest.mark.parametrize("size", [80, 240, 320])
def test_packets_of_any_length(size: int) -> None:
    sound = numbered(60)
    count = len(sound) // size
    heard = played(((index, index * size // FRAME) for index in range(count)), 60, sound, size)
    whole = heard[FIRST_DEPTH:]
    assert np.array_equal(whole[: 50 * FRAME], sound[: 50 * FRAME])


def test_it_deepens_for_a_network_that_is_late_and_comes_back_when_it_is_not() -> None:
    """Six frames late for two seconds, then on time: what is late is heard again soon, and the delay is taken back."""
    count = 1200
    sound = np.zeros(count * FRAME, np.float32)
    for index in range(0, count, 2):
        sound[index * FRAME : (index + 1) * FRAME] = 1000 + index
    arrivals = [(index, index + (6 if 100 <= index < 200 and index % 3 else 0)) for index in range(count)]
    buffer, due = JitterBuffer(), sorted(arrivals, key=lambda one: one[1])
    depth: list[int] = []
    missing: list[bool] = []
    for tick in range(count):
        while due and due[0][1] <= tick:
            index, _ = due.pop(0)
            buffer.put(index * FRAME, sound[index * FRAME : (index + 1) * FRAME])
        taken = buffer.take()
        assert taken is not None
        missing.append(taken.there is not None)
        level = float(taken.samples.max())
        depth.append(tick - int(level - 1000) if level >= 1000 else depth[-1] if depth else 0)
    assert sum(missing[110:200]) < 12
    assert max(depth[120:200]) * FRAME <= DEEPEST
    assert max(depth[150:200]) >= 6
    assert max(depth[-50:]) <= 4
    assert sum(missing[400:]) == 0


@pytest.mark.parametrize("parts_per_million", [-300, 300])
def test_a_far_clock_that_drifts_is_followed(parts_per_million: int) -> None:
    """Ten minutes of it: hardly a frame is missing, and the delay stays as it was."""
    count = 30_000
    rate = 1 + parts_per_million / 1e6
    buffer, missing, leads, sent = JitterBuffer(), 0, [], 0
    quiet = silence()
    for tick in range(count):
        while sent < tick * rate + 0.5:
            buffer.put(sent * FRAME, quiet)
            sent += 1
        taken = buffer.take()
        missing += taken is not None and taken.there is not None
        leads.append(sent)
    assert missing < 40 + count * abs(parts_per_million) / 1e6
    assert buffer.late < 80


def test_a_leap_begins_anew() -> None:
    sound = numbered(10)
    buffer = JitterBuffer()
    for start in (0, 3_000_000_000, 1_000):
        for index in range(10):
            buffer.put((start + index * FRAME) & 0xFFFFFFFF, sound[index * FRAME : (index + 1) * FRAME])
        heard = [buffer.take() for _ in range(12)]
        assert all(one is not None for one in heard)
        assert np.array_equal(np.concatenate([one.samples for one in heard[2:] if one is not None]), sound)


def test_a_lost_frame_of_a_vowel_goes_on_at_its_pitch() -> None:
    """A tone with overtones, 125 Hz: what is made up is nearly what was lost, and joins without a click."""
    time = np.arange(40 * FRAME) / 8000
    overtones = [np.sin(2 * np.pi * 125 * n * time + n) * 4000 / n for n in range(1, 8)]
    vowel = np.sum(overtones, axis=0).astype(np.float32)
    frames = vowel.reshape(-1, FRAME)
    concealer, out = Concealer(), []
    for index, frame in enumerate(frames):
        out.append(concealer.lost() if index in (20, 30, 31) else concealer.good(frame))
    heard = np.concatenate(out)
    made_up, lost = heard[20 * FRAME : 21 * FRAME], frames[20]
    assert float(made_up @ lost / np.linalg.norm(made_up) / np.linalg.norm(lost)) > 0.95
    assert np.abs(np.diff(heard)).max() < 1.3 * np.abs(np.diff(vowel)).max()


def test_a_far_end_that_sends_nothing_is_comfort_noise_and_no_dead_air() -> None:
    rng = np.random.default_rng(5)
    concealer = Concealer()
    for _ in range(100):
        concealer.good(rng.normal(0, 40, FRAME).astype(np.float32))
    long = np.concatenate([concealer.lost() for _ in range(50)])[FRAME * 5 :]
    loudness = float(np.sqrt(np.mean(long**2)))
    assert 15 < loudness < 80, "about as loud as the line was"
    loud = Concealer()
    for _ in range(100):
        loud.good(rng.normal(0, 8000, FRAME).astype(np.float32))
    assert float(np.sqrt(np.mean(np.concatenate([loud.lost() for _ in range(50)])[FRAME * 5 :] ** 2))) < 200
