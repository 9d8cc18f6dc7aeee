"""Who writes recordings: one thread for all of a process, so that no disk ever holds up a call."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from recordings import card
from recordings.shelf import Shelf
from recordings.tape import Piece, Tape
from session.audio import RecordingResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

logger = logging.getLogger(__name__)

_FLUSH_EVERY_S = 1.0
_FLUSH_STEPS = 20
_STEP_S = _FLUSH_EVERY_S / _FLUSH_STEPS
_CATCHES_UP = 4
"""A loop that was held up may need so many times as long to read what has come meanwhile."""
_MOST_LATE_S = 5.0
"""A socket's buffer holds no more packets than of so long."""

T = TypeVar("T")


def keep_as_it_is(sound: Path) -> Path:
    """The seal of those who seal nothing.

    A seal is one function, run on a thread, through which each finished file passes: it gives back where the file
    lies then (encrypted, moved, or as it was).
    """
    return sound


class _RunningTape:
    """A `media.tap.Tap`: a tape, and what must be done when it ends."""

    def __init__(self, tape: Tape, writer: RecordingWriter) -> None:
        self._writer = writer
        self._tape = tape
        self.ear = tape.ear

    async def finish(self) -> RecordingResult:
        """Complete the file."""
        return await self._writer.finish(self._tape)


class RecordingWriter:
    """An async context manager and a `media.tap.Recorder`; leaving it finishes all."""

    def __init__(self, shelf: Shelf, *, seal: Callable[[Path], Path] = keep_as_it_is) -> None:
        self._shelf, self._seal = shelf, seal
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        self._tapes: deque[Tape] = deque()
        self._pieces: list[Piece] = []
        """Cut, in the order in which they are to be written."""
        self._flusher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._flusher = asyncio.create_task(self._flush_always(), name="recordings flush")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flusher is not None:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        await asyncio.gather(*(self.finish(tape) for tape in tuple(self._tapes)))
        await asyncio.to_thread(self._thread.shutdown)

    async def begin(self, path: Path) -> _RunningTape:
        """A new recording, its time running from now. Raises `AlreadyRecorded`, `UnsafeName`, `OSError`."""
        tape = await self._on_thread(partial(self._create, path))
        self._tapes.append(tape)
        return _RunningTape(tape, self)

    async def finish(self, tape: Tape) -> RecordingResult:
        """Complete a recording: its last sound, its card, its seal."""
        with suppress(ValueError):
            self._tapes.remove(tape)
        self._pieces.append(tape.rest(time.monotonic()))
        await self._write()
        # Syncing takes long, and hashing an hour a second: not on the thread that others' sound waits for.
        return await asyncio.to_thread(self._complete, tape)

    def _create(self, path: Path) -> Tape:
        self._shelf.mark(path, os.getpid())
        return Tape(path)

    def _complete(self, tape: Tape) -> RecordingResult:
        try:
            tape.sync()
            if tape.failure is not None:
                logger.error("recording %s stopped early: %s", tape.path.stem, tape.failure.strerror)
            found = card.Card(
                duration_s=tape.duration_s,
                size_bytes=tape.path.stat().st_size,
                sha256=card.digest(tape.path),
                finished_s=time.time(),
                whole=tape.failure is None,
            )
            card.write(tape.path, found, bytes(tape.peaks))
            sealed = self._seal(tape.path)
        finally:
            tape.close()
        self._shelf.unmark(tape.path)
        return RecordingResult(sealed, found.duration_s, found.size_bytes, found.sha256)

    async def _flush_always(self) -> None:
        """A twentieth of all tapes every 50 ms, so that a thousand calls make no wave.

        What came while the loop was held up waits in the sockets still: its place is not written before it is read.
        """
        late_s, looked_s = 0.0, time.monotonic()
        while True:
            await asyncio.sleep(_STEP_S)
            now_s = time.monotonic()
            passed_s, looked_s = now_s - looked_s, now_s
            late_s = min(_MOST_LATE_S, max(passed_s - _STEP_S, late_s - passed_s / _CATCHES_UP))
            due = -(-len(self._tapes) // _FLUSH_STEPS)
            for _ in range(due):
                if self._tapes:  # some end meanwhile
                    self._pieces.append(self._tapes[0].cut(now_s - late_s))
                    self._tapes.rotate(-1)
                    await asyncio.sleep(0)  # packets wait; a piece takes as long as ten of them
            if self._pieces:
                await self._write()

    async def _write(self) -> None:
        pieces, self._pieces = self._pieces, []
        await self._on_thread(partial(_write, pieces))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _write(pieces: list[Piece]) -> None:
    for piece in pieces:
        piece.write()
