"""Sounds that no browser plays, made into such that every browser does; the original stays as it is.

Made when somebody first wants to hear one, in a process of its own (`media.unpack`), and kept beside the files: what
is kept here may be deleted at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from session.errors import YihaoError
from session.ids import FileId
from session.ports import Files

UNPLAYABLE = frozenset({"audio/amr", "audio/amr-wb", "audio/3gpp"})
"""Types of sounds that browsers do not know."""
PROGRAM = "media.unpack"
_AT_ONCE = 2
_PATIENCE_S = 20.0


class NotPlayable(YihaoError):
    """The sound could not be made into another: it is none, it is too long, or the decoder is not installed."""

    def __init__(self, file: FileId) -> None:
        self.file = file
        super().__init__("the sound cannot be played")


class Playable:
    """Of one node. Nodes that share the folder of files share this too."""

    def __init__(self, files: Files, folder: Path, *, program: str = PROGRAM) -> None:
        self._files, self._folder, self._program = files, folder, program
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def sound(self, file: FileId) -> bytes:
        """The WAVE file of a kept sound. Raises `NotPlayable`, and what `Files.read` does."""
        kept, chunks = await self._files.read(file)
        if kept.content_type not in UNPLAYABLE:
            raise NotPlayable(file)
        path = self._folder / f"{file}.wav"
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(path.read_bytes)
        async with self._turns:
            sound = await self._made(file, b"".join([chunk async for chunk in _bounded(chunks, kept.size_bytes)]))
        with contextlib.suppress(OSError):  # a full disk makes it anew each time
            await asyncio.to_thread(_keep, path, sound)
        return sound

    async def _made(self, file: FileId, data: bytes) -> bytes:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_PATIENCE_S):
                sound, _ = await child.communicate(data)
        except TimeoutError:
            raise NotPlayable(file) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if child.returncode or not sound:
            raise NotPlayable(file)
        return sound


async def _bounded(chunks: AsyncIterator[bytes], size_bytes: int) -> AsyncIterator[bytes]:
    """No more than the file had when it was looked at."""
    left = size_bytes
    async for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def _keep(path: Path, sound: bytes) -> None:
    """Whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{secrets.token_hex(8)}.part")
    draft.write_bytes(sound)
    draft.replace(path)
