"""All recordings: who writes them here, how they are found and read, and the mending of what a crash cut short."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from recordings import card
from recordings.errors import RecordingError, RecordingNotFound
from recordings.mending import mend
from recordings.shelf import Shelf
from recordings.writer import RecordingWriter, keep_as_it_is
from session.ids import RecordingId, SessionId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from types import TracebackType

logger = logging.getLogger(__name__)

_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording."""

    session: SessionId
    id: RecordingId
    path: Path
    card: card.Card


class RecordingStore:
    """An async context manager. Entering mends what a crash left; what `writer` writes, leaving finishes."""

    def __init__(self, root: Path, *, seal: Callable[[Path], Path] = keep_as_it_is) -> None:
        self._shelf = Shelf(root)
        self.writer = RecordingWriter(self._shelf, seal=seal)
        self.path = self._shelf.path
        self.mended: tuple[Recording, ...] = ()
        """What entering has mended: each deserves its `RecordingFinished` with `whole=False`."""

    async def __aenter__(self) -> Self:
        self.mended = await self.mend()
        await self.writer.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.writer.__aexit__(kind, error, trace)

    async def mend(self, pid: int | None = None) -> tuple[Recording, ...]:
        """Complete what a process that has died was writing; or what any was, that no living process writes."""
        return tuple(await asyncio.to_thread(self._mend, pid))

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
        for lying in sorted(self._shelf.folder(session).glob("*.json")):
            sound = lying.with_suffix(".wav")
            try:
                its_card = card.read(sound)
            except RecordingError as error:
                logger.warning("recording left out: %s", error)
                continue
            if its_card is not None:
                found.append(Recording(session, RecordingId(sound.stem), sound, its_card))
        return found

    def _mend(self, pid: int | None) -> list[Recording]:
        mended = []
        for one in self._shelf.marked():
            if pid is not None and not one.is_of(pid):
                continue
            try:
                its_card = mend(one.sound) if card.read(one.sound) is None else None
            except FileNotFoundError:
                one.mark.unlink(missing_ok=True)
                continue
            except (RecordingError, OSError) as error:
                logger.warning("recording not mended: %s", error)
                continue
            if its_card is not None:
                mended.append(Recording(one.session, one.recording, one.sound, its_card))
            if card.card_path(one.sound).exists():
                one.mark.unlink(missing_ok=True)
        return mended
