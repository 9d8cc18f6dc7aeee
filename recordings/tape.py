"""One recording under way: packets come in on the event loop, sound goes out to the file on the writer's thread."""

from __future__ import annotations

import fcntl
import os
import time
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from recordings import wav
from recordings.errors import AlreadyRecorded
from recordings.track import Expansion, Gathering, Placed, Track
from session.audio import Slot

if TYPE_CHECKING:
    from pathlib import Path

MAX_RECORDING_S = 12 * 3600.0
"""Far from the 37 h at which the header's 32-bit lengths end; the call goes on, its recording does not."""

_LATEST_SAMPLES = 1600
"""200 ms for packets to come late or out of order; after that their place in the file is written."""


@lru_cache(maxsize=8)
def _levels(expansion: Expansion) -> wav.Samples:
    """The sample that each octet stands for."""
    return np.frombuffer(bytes(octet for both in zip(*expansion, strict=True) for octet in both), dtype="<i2")


class _Channel:
    """One side's packets on their way into the file."""

    def __init__(self, started_s: float) -> None:
        self.gathering = Gathering(started_s)
        self._track = Track()
        self._early: list[Placed] = []

    def lay(self, start: int, still: wav.Samples) -> None:
        """Put into `still`, from whose beginning on the file is at `start`, what has been said for there."""
        placed = self._early + self._track.place(self.gathering.take())
        end = start + len(still)
        self._early = [each for each in placed if each.position + len(each.octets) > end]
        for position, octets, expansion in placed:
            first, last = max(position, start), min(position + len(octets), end)
            if first < last:
                there = np.frombuffer(octets, np.uint8, last - first, first - position)
                still[first - start : last - start] = _levels(expansion).take(there)


class Piece(NamedTuple):
    """What is handed from the event loop to the writer's thread: sound that follows what is in the file already."""

    tape: Tape
    frames: memoryview
    peaks: bytes

    def write(self) -> None:
        """Blocks."""
        self.tape.append(self)


class Tape:
    """A file that grows with its call.

    `ear`, `cut` and `rest` belong to the event loop, everything else to one other thread at a time; nothing is shared
    between the two but the pieces, which are to be written in the order in which they were cut.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.peaks = bytearray()
        self.failure: OSError | None = None
        self._cut = self._written = 0
        self._file = _create(path)
        self._started_s = time.monotonic()
        self._channels = {slot: _Channel(self._started_s) for slot in (Slot.CITIZEN, Slot.AGENT)}

    def ear(self, slot: Slot) -> Gathering:
        """What is told of a slot's packets."""
        return self._channels[slot].gathering

    def cut(self, now_s: float) -> Piece:
        """What is old enough that nothing can come before it, in whole peaks."""
        end = self._clock(now_s) - _LATEST_SAMPLES
        return self._piece(end - end % wav.PEAK_SAMPLES)

    def rest(self, now_s: float) -> Piece:
        """All there is. The file stays ours until `close`."""
        return self._piece(self._clock(now_s))

    def append(self, piece: Piece) -> None:
        """Write it."""
        if not piece.frames or self.failure is not None:
            return
        try:
            self._append(piece.frames)
        except OSError as error:  # a full disk ends the recording, not the call
            self.failure = error
            return
        self.peaks += piece.peaks

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

    def _piece(self, end: int) -> Piece:
        frames = np.zeros((max(0, end - self._cut), 2), dtype="<i2")
        for side, channel in enumerate(self._channels.values()):
            channel.lay(self._cut, frames[:, side])
        self._cut += len(frames)
        return Piece(self, frames.view(np.uint8).reshape(-1).data, wav.peaks(frames))

    def _append(self, rest: memoryview) -> None:
        samples = len(rest) // wav.FRAME_BYTES
        at = wav.HEADER_BYTES + self._written * wav.FRAME_BYTES
        while rest:
            wrote = os.pwrite(self._file, rest, at)
            rest, at = rest[wrote:], at + wrote
        self._written += samples
        os.pwrite(self._file, wav.header(self._written * wav.FRAME_BYTES), 0)


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
