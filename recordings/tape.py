"""One recording under way: packets come in on the event loop, sound goes out to the file on the writer's thread."""

from __future__ import annotations

import fcntl
import os
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from recordings import wav
from recordings.errors import AlreadyRecorded
from recordings.track import Expansion, Gathering, Placed, Stretch, Track
from session.audio import Slot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_RECORDING_S = 12 * 3600.0
"""Far from the 37 h at which the header's 32-bit lengths end; the call goes on, its recording does not."""

_LATEST_SAMPLES = 1600
"""200 ms for packets to come late or out of order; after that their place in the file is written."""


@lru_cache(maxsize=8)
def _levels(expansion: Expansion) -> tuple[int, ...]:
    """The sample that each octet stands for."""
    return tuple(int.from_bytes(bytes(octets), "little", signed=True) for octets in zip(*expansion, strict=True))


@lru_cache(maxsize=8)
def _silence(expansion: Expansion) -> bytes:
    """The octet whose sample is nearest nought."""
    levels = _levels(expansion)
    return bytes([min(range(256), key=lambda octet: abs(levels[octet]))])


@lru_cache(maxsize=8)
def _loudness(expansion: Expansion) -> bytes:
    """A table from octet to |sample| / 128."""
    return bytes(wav.loudness(level) for level in _levels(expansion))


@lru_cache(maxsize=8)
def _recoding(source: Expansion, target: Expansion) -> bytes:
    """A table from an octet of one law to the nearest of the other."""
    levels = _levels(target)
    return bytes(min(range(256), key=lambda octet: abs(levels[octet] - wanted)) for wanted in _levels(source))


class _Channel:
    """One side's packets on their way into the file."""

    def __init__(self, started_s: float) -> None:
        self.gathering = Gathering(started_s)
        self._track = Track()
        self._early: list[Placed] = []

    def window(self, said: list[Stretch], start: int, count: int) -> tuple[bytes, Expansion] | None:
        """The octets from `start` on with their expansion; None when nothing was said there."""
        placed = self._early + self._track.place(said)
        end = start + count
        self._early = [each for each in placed if each.position + len(each.octets) > end]
        if not any(each.position < end for each in placed):
            return None
        expansion = placed[0].expansion
        window = bytearray(_silence(expansion) * count)
        for position, its_octets, its_expansion in placed:
            octets = its_octets
            if its_expansion != expansion:
                octets = its_octets.translate(_recoding(its_expansion, expansion))
            at = position - start
            part = octets[max(0, -at) : max(0, count - at)]
            at = max(0, at)
            window[at : at + len(part)] = part
        return bytes(window), expansion


class Gathered(NamedTuple):
    """What is handed from the event loop to the writer's thread."""

    until_s: float
    citizen: list[Stretch]
    agent: list[Stretch]

    @property
    def said(self) -> tuple[list[Stretch], list[Stretch]]:
        """Left, right."""
        return self.citizen, self.agent


class Tape:
    """A file that grows with its call.

    `ear` and `gathered` belong to the event loop, everything else to one other thread at a time; nothing is shared
    between the two but what `gathered` hands over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.peaks = bytearray()
        self.failure: OSError | None = None
        self._written = 0
        self._file = _create(path)
        self._started_s = time.monotonic()
        self._channels = {slot: _Channel(self._started_s) for slot in (Slot.CITIZEN, Slot.AGENT)}

    def ear(self, slot: Slot) -> Callable[[float, int, bytes, Expansion], None]:
        """What notes a slot's packets."""
        return self._channels[slot].gathering.note

    def gathered(self) -> Gathered:
        """What both have said since the last time, and until when: to be handed to `flush` or `finish`."""
        citizen, agent = (channel.gathering.take() for channel in self._channels.values())
        return Gathered(time.monotonic(), citizen, agent)

    def flush(self, gathered: Gathered, late_s: float = 0.0) -> None:
        """Write what is old enough that nothing can come before it, in whole peaks; we ourselves read so late."""
        end = self._clock(gathered.until_s - late_s) - _LATEST_SAMPLES
        self._write_until(end - end % wav.PEAK_SAMPLES, gathered)

    def finish(self, gathered: Gathered) -> None:
        """Write all there is; the file stays ours until `close`."""
        self._write_until(self._clock(gathered.until_s), gathered)

    def sync(self) -> None:
        """Make what is written durable. Takes as long as the disk likes."""
        try:
            os.fsync(self._file)
        except OSError as error:
            self.failure = self.failure or error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    @property
    def duration_s(self) -> float:
        """How much sound is in the file."""
        return self._written / wav.SAMPLE_RATE

    def _clock(self, now_s: float) -> int:
        return int(min(now_s - self._started_s, MAX_RECORDING_S) * wav.SAMPLE_RATE)

    def _write_until(self, end: int, gathered: Gathered) -> None:
        count = max(0, end - self._written)
        windows = [
            channel.window(said, self._written, count)
            for channel, said in zip(self._channels.values(), gathered.said, strict=True)
        ]
        if count == 0 or self.failure is not None:
            return
        frames = bytearray(count * wav.FRAME_BYTES)
        for place, window in zip((0, 2), windows, strict=True):
            if window is not None:
                octets, (low, high) = window
                frames[place :: wav.FRAME_BYTES] = octets.translate(low)
                frames[place + 1 :: wav.FRAME_BYTES] = octets.translate(high)
        try:
            self._append(frames)
        except OSError as error:  # a full disk ends the recording, not the call
            self.failure = error
            return
        citizen, agent = (_loudnesses(window, count) for window in windows)
        self.peaks += wav.loudest(citizen, agent)

    def _append(self, frames: bytearray) -> None:
        at = wav.HEADER_BYTES + self._written * wav.FRAME_BYTES
        rest = memoryview(frames)
        while rest:
            wrote = os.pwrite(self._file, rest, at)
            rest, at = rest[wrote:], at + wrote
        self._written += len(frames) // wav.FRAME_BYTES
        os.pwrite(self._file, wav.header(self._written * wav.FRAME_BYTES), 0)


def _loudnesses(window: tuple[bytes, Expansion] | None, count: int) -> bytes:
    """Loudness of every `PEAK_STEP`th sample of a window."""
    if window is None:
        return bytes(-(-count // wav.PEAK_STEP))
    octets, expansion = window
    return octets[:: wav.PEAK_STEP].translate(_loudness(expansion))


def _create(path: Path) -> int:
    """A new file, readable by us alone and locked as long as we write it: who mends files leaves it alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise AlreadyRecorded(path) from None
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.pwrite(file, wav.header(0), 0)
    return file
