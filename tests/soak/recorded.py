"""Where in a recording what a crowd said lies, moment by moment, in either channel."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from tests.peers.sound import A_LAW
from tests.soak.crowd import FRAME, page, voices

RATE = 8000
_STRAYS = RATE
"""How far from where it ought to be something is looked for: a second."""
_BEGINS_WITHIN = 30 * RATE
"""Who is asked to record does so before anybody speaks, by as long as a busy machine likes."""
_HALF_A_SECOND = 25
"""Ticks: long enough that something of it is there, whatever was lost."""


class Moment(NamedTuple):
    """A tick that is in both channels, and at which sample."""

    tick: int
    citizen: int
    agent: int


@dataclass(frozen=True)
class Found:
    """What a recording has shown. Milliseconds."""

    moments: int
    missed: int
    """Moments of which half a second is in no channel, or in one only."""
    apart_ms: float
    """By how much the channels are, at worst."""
    strays_ms: float
    """By how much the last tenth lies otherwise than the first, by the clock of who spoke."""


def found(path: Path, call: int, ticks: int, every: int) -> Found:
    """Look at its beginning, its end, and each so many ticks between. Raises `LookupError` where nothing is there."""
    wanted = [*range(0, ticks - _HALF_A_SECOND, every), ticks - _HALF_A_SECOND]
    seen = list(_seen(_channels(path), call, wanted))
    if not seen:
        raise LookupError("nothing of what was said is in it")
    lags = [moment.citizen - moment.tick * FRAME for moment in seen]
    tenth = -(-len(lags) // 10)
    apart = max(abs(moment.citizen - moment.agent) for moment in seen)
    strays = median(lags[-tenth:]) - median(lags[:tenth])
    return Found(len(seen), len(wanted) - len(seen), apart * 1000 / RATE, strays * 1000 / RATE)


def _channels(path: Path) -> tuple[bytes, bytes]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples[0::2].tobytes(), samples[1::2].tobytes()


def _seen(channels: tuple[bytes, bytes], call: int, wanted: list[int]) -> Iterator[Moment]:
    """Of each moment the first tick that both channels have, near where the moment before lets it be expected."""
    citizen, agent = voices(call)
    before: Moment | None = None
    for first in wanted:
        for tick in range(first, first + _HALF_A_SECOND):
            since = (tick - before.tick) * FRAME if before else 0
            near = (before.citizen + since, before.agent + since) if before else (0, 0)
            within = _STRAYS if before else _BEGINS_WITHIN
            left = _place(channels[0], page(citizen, tick), near[0], within)
            right = _place(channels[1], page(agent, tick), near[1], within)
            if left is not None and right is not None:
                before = Moment(tick, left, right)
                yield before
                break


def _place(channel: bytes, said: bytes, near: int, within: int) -> int | None:
    samples = A_LAW[np.frombuffer(said, "u1")].astype("<i2").tobytes()
    at = channel.find(samples, 2 * max(0, near - within), 2 * (near + within + FRAME))
    return at // 2 if at >= 0 else None
