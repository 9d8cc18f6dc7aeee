"""A file of lines that one living process holds: appended and synced, and free to be taken when its process dies.

Everything here blocks on the disk.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = ".jsonl"


class Journal:
    """Held by `flock`, which the kernel frees with the process, however that ends. Mode 600."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path) -> Journal:
        """A new one in that folder. Raises `OSError`."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        journal: Journal | None = None
        while journal is None:
            # Between its making and its locking another process may take a file for a dead one's, and remove it.
            journal = cls.take(folder / f"{secrets.token_hex(8)}{_SUFFIX}", os.O_CREAT | os.O_EXCL)
        _sync_folder(folder)
        return journal

    @classmethod
    def take(cls, path: Path, flags: int = 0) -> Journal | None:
        """The journal of that path; None where a living process holds it, or its holder has just removed it."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | flags, 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if not os.fstat(descriptor).st_nlink:
            os.close(descriptor)
            return None
        return cls(path, descriptor)

    @classmethod
    def take_free(cls, folder: Path) -> Iterable[Journal]:
        """Those of that folder whose processes are dead."""
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            journal = cls.take(path)
            if journal is not None:
                yield journal

    def lines(self) -> list[bytes]:
        """What stands in it; the last may be cut short."""
        return self._path.read_bytes().splitlines()

    def append(self, lines: Iterable[bytes]) -> None:
        """Return once these are on disk. The empty line before them ends one that a fault cut short."""
        rest = memoryview(b"\n" + b"".join(line + b"\n" for line in lines))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        os.fsync(self._descriptor)

    def clear(self) -> None:
        """Forget all lines. After a crash they may stand there again."""
        os.ftruncate(self._descriptor, 0)

    def remove(self) -> None:
        """Delete the file, and let it go."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let it go: anyone may take it now."""
        os.close(self._descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
