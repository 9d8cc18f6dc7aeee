"""Files that citizens and agents send, kept in the data folder under random names."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, ParamSpec, TypeVar

from session.ids import FileId
from session.ports import StoredFile
from storage.content import HEAD_BYTES, KINDS, Kind, kind_of
from storage.errors import FileUnknown, KindRefused, NotWhatItSays, StorageUnavailable, TooLarge

P = ParamSpec("P")
T = TypeVar("T")

LARGEST_BYTES = 10 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_BATCH_BYTES = 256 * 1024
"""Written at once: a thread's hop for each small chunk would cost more than the writing."""

# <random>-<how the type was said>.<kind>: what a file is can be read from its name, and nothing else.
_NAME = re.compile(r"([0-9a-f]{32})-([0-9])\.([a-z0-9]{2,4})\Z")


class FileStore:
    """`session.ports.Files` in a folder. Nodes on several machines share the folder by their file system."""

    def __init__(self, folder: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
        self._folder, self._largest_bytes = folder, largest_bytes

    async def keep(self, chunks: AsyncIterator[bytes], claimed_type: str) -> StoredFile:
        """Store a file; it is on disk when this returns. Raises `FileRefused`, and then keeps nothing."""
        draft = self._folder / f"{secrets.token_hex(16)}.part"
        file = await _on_disk(_make, draft)
        try:
            kind, size_bytes = await self._write(file, chunks, claimed_type)
            name = _name_for(kind, claimed_type)
            await _on_disk(_settle, file, draft, self._folder / name)
        finally:
            with contextlib.suppress(OSError):
                file.close()
                draft.unlink(missing_ok=True)
        return StoredFile(FileId(name), kind.type_for(claimed_type), size_bytes)

    async def read(self, file: FileId) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """A kept file. Raises `FileUnknown`."""
        named = _NAME.match(file)
        kind = KINDS.get(named[3]) if named else None
        if named is None or kind is None or int(named[2]) >= len(kind.types):
            raise FileUnknown(file)
        path = self._folder / file
        try:
            size_bytes = (await asyncio.to_thread(path.stat)).st_size
        except OSError as error:
            raise FileUnknown(file) from error
        return StoredFile(file, kind.types[int(named[2])], size_bytes), _chunks_of(path)

    async def _write(self, file: BinaryIO, chunks: AsyncIterator[bytes], claimed_type: str) -> tuple[Kind, int]:
        """Refuses as soon as it can: a wrong kind by its first bytes, a large file at the first byte too many."""
        batch = bytearray()
        kind: Kind | None = None
        size_bytes = 0
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > self._largest_bytes:
                raise TooLarge(self._largest_bytes)
            batch += chunk
            if kind is None and size_bytes >= HEAD_BYTES:
                kind = _checked(bytes(batch[:HEAD_BYTES]), claimed_type)
            if len(batch) >= _BATCH_BYTES:
                await _on_disk(file.write, bytes(batch))
                batch.clear()
        kind = kind or _checked(bytes(batch), claimed_type)
        await _on_disk(file.write, bytes(batch))
        return kind, size_bytes


def _checked(head: bytes, claimed_type: str) -> Kind:
    kind = kind_of(head)
    if kind is None:
        raise KindRefused
    if not kind.agrees(claimed_type):
        raise NotWhatItSays(kind.types[0])
    return kind


def _name_for(kind: Kind, claimed_type: str) -> str:
    return f"{secrets.token_hex(16)}-{kind.types.index(kind.type_for(claimed_type))}.{kind.suffix}"


async def _on_disk(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Done in a thread; a full or broken disk is a `StorageUnavailable`, unlike a sender's broken connection."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except OSError as error:
        raise StorageUnavailable(error.strerror or "the disk") from error


def _make(draft: Path) -> BinaryIO:
    draft.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _settle(file: BinaryIO, draft: Path, final: Path) -> None:
    """A name stands for a whole file, on disk: its message is acknowledged next."""
    file.flush()
    os.fsync(file.fileno())
    file.close()
    draft.rename(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _chunks_of(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        file.close()
