"""Where recordings lie, and who writes them: one thread for all, so that no disk ever holds up a call.

    <root>/<two letters>/<session>/<recording>.wav      the sound
                                  /<recording>.json     its card, once it is finished
                                  /<recording>.peaks    its waveform
    <root>/running/<two letters>~<session>~<recording>  a mark while it is written

Names are ids only. After a crash the marks say which files are to be mended; nothing else is looked at.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from recordings import card
from recordings.errors import RecordingError, RecordingNotFound, UnsafeName
from recordings.mending import mend
from recordings.tape import Gathered, Tape
from session.audio import RecordingResult
from session.ids import RecordingId, SessionId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from types import TracebackType

logger = logging.getLogger(__name__)

_FLUSH_EVERY_S = 1.0
_FLUSH_STEPS = 20
_CHUNK_BYTES = 65_536
_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", re.ASCII)

T = TypeVar("T")


def keep_as_it_is(sound: Path) -> Path:
    """The seal of those who seal nothing.

    A seal is one function, run on a thread, through which each finished file passes: it gives back where the file
    lies then (encrypted, moved, or as it was).
    """
    return sound


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording."""

    session: SessionId
    id: RecordingId
    path: Path
    card: card.Card


class _RunningTape:
    """A `media.tap.Tap`: a tape, and what must be done when it ends."""

    def __init__(self, tape: Tape, store: RecordingStore) -> None:
        self._store = store
        self._tape = tape
        self.ear = tape.ear

    async def finish(self) -> RecordingResult:
        """Complete the file."""
        return await self._store.finish(self._tape)


class RecordingStore:
    """An async context manager; a `media.tap.Recorder`. Entering mends what a crash left, leaving finishes all."""

    def __init__(self, root: Path, *, seal: Callable[[Path], Path] = keep_as_it_is) -> None:
        self._root = root
        self._running = root / "running"
        self._seal = seal
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        self._tapes: deque[Tape] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self.mended: tuple[Recording, ...] = ()
        """What entering has mended: each deserves its `RecordingFinished` with `whole=False`."""

    async def __aenter__(self) -> Self:
        self.mended = tuple(await asyncio.to_thread(self._mend_all))
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

    # Writing

    def path(self, session: SessionId, recording: RecordingId) -> Path:
        """Where a recording lies or will lie. Raises `UnsafeName`."""
        return self._folder(session) / f"{_safe(recording)}.wav"

    async def begin(self, path: Path) -> _RunningTape:
        """A new recording, its time running from now. Raises `AlreadyRecorded`, `UnsafeName`, `OSError`."""
        tape = await self._on_thread(partial(self._create, path))
        self._tapes.append(tape)
        return _RunningTape(tape, self)

    async def finish(self, tape: Tape) -> RecordingResult:
        """Complete a recording: its last sound, its card, its seal."""
        with suppress(ValueError):
            self._tapes.remove(tape)
        await self._on_thread(partial(tape.finish, tape.gathered()))
        # Syncing takes long, and hashing an hour a second: not on the thread that others' sound waits for.
        return await asyncio.to_thread(self._complete, tape)

    def _create(self, path: Path) -> Tape:
        mark = self._mark(path)
        self._running.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.touch(mode=0o600)
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
        self._mark(tape.path).unlink(missing_ok=True)
        return RecordingResult(sealed, found.duration_s, found.size_bytes, found.sha256)

    async def _flush_always(self) -> None:
        """A twentieth of all tapes every 50 ms, so that a thousand calls make no wave."""
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S / _FLUSH_STEPS)
            due = -(-len(self._tapes) // _FLUSH_STEPS)
            gathered = [(self._tapes[index], self._tapes[index].gathered()) for index in range(due)]
            self._tapes.rotate(-due)
            if gathered:
                await self._on_thread(partial(_flush, gathered))

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # Finding and reading

    async def get(self, session: SessionId, recording: RecordingId) -> Recording:
        """A finished recording. Raises `RecordingNotFound`, `UnsafeName`, `RecordingUnreadable`."""
        sound = self.path(session, recording)
        found = await asyncio.to_thread(card.read, sound)
        if found is None:
            raise RecordingNotFound(recording)
        return Recording(session, recording, sound, found)

    async def find(self, session: SessionId) -> list[Recording]:
        """A session's finished recordings by name; what cannot be read is left out and logged."""
        return await asyncio.to_thread(self._find, session)

    async def peaks(self, recording: Recording) -> bytes:
        """The waveform: an octet a channel and 100 ms, citizen and agent by turns, |sample| / 128."""
        return await asyncio.to_thread(card.peaks_path(recording.path).read_bytes)

    async def read(self, recording: Recording, first: int = 0, last: int | None = None) -> AsyncIterator[bytes]:
        """The octets from `first` to `last` inclusive, as `byterange.parse` gives them, in pieces of 64 KiB."""
        end = recording.card.size_bytes if last is None else last + 1
        file = await asyncio.to_thread(recording.path.open, "rb")
        try:
            await asyncio.to_thread(file.seek, first)
            while first < end and (piece := await asyncio.to_thread(file.read, min(_CHUNK_BYTES, end - first))):
                first += len(piece)
                yield piece
        finally:
            file.close()

    def _find(self, session: SessionId) -> list[Recording]:
        found = []
        for lying in sorted(self._folder(session).glob("*.json")):
            sound = lying.with_suffix(".wav")
            try:
                its_card = card.read(sound)
            except RecordingError as error:
                logger.warning("recording left out: %s", error)
                continue
            if its_card is not None:
                found.append(Recording(session, RecordingId(sound.stem), sound, its_card))
        return found

    # Names and marks

    def _folder(self, session: SessionId) -> Path:
        shard = hashlib.sha256(session.encode()).hexdigest()[:2]
        return self._root / shard / _safe(session)

    def _mark(self, path: Path) -> Path:
        """The mark of a file while it is written."""
        parts = path.relative_to(self._root).parts if path.is_relative_to(self._root) else ()
        if len(parts) != 3 or path.suffix != ".wav":
            raise UnsafeName(path.name)
        return self._running / "~".join((parts[0], _safe(parts[1]), _safe(path.stem)))

    def _mend_all(self) -> list[Recording]:
        """Mend every marked file that no living process writes."""
        mended = []
        for mark in sorted(self._running.glob("*~*~*")):
            shard, session, recording = mark.name.split("~")
            sound = self._root / shard / session / f"{recording}.wav"
            try:
                its_card = mend(sound) if card.read(sound) is None else None
            except FileNotFoundError:
                mark.unlink(missing_ok=True)
                continue
            except (RecordingError, OSError) as error:
                logger.warning("recording not mended: %s", error)
                continue
            if its_card is not None:
                mended.append(Recording(SessionId(session), RecordingId(recording), sound, its_card))
            if card.card_path(sound).exists():
                mark.unlink(missing_ok=True)
        return mended


def _safe(name: str) -> str:
    if _SAFE.fullmatch(name) is None:
        raise UnsafeName(name)
    return name


def _flush(tapes: list[tuple[Tape, Gathered]]) -> None:
    for tape, gathered in tapes:
        tape.flush(gathered)
