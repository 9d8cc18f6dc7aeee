"""Sounds that some browsers do not play, made into such that every browser does; the original stays as it is.

Made when somebody first wants to hear one (`media.decoder`), and kept beside the files: what
is kept here may be deleted at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from media.decoder import Decoder
from media.errors import Undecodable
from session.errors import YihaoError
from session.ids import FileId
from session.ports import Files

RATES_HZ = {"audio/amr": 0, "audio/amr-wb": 0, "audio/3gpp": 0, "audio/webm": 16_000, "audio/ogg": 16_000}
"""At which rate each is made; 0: at its own. No browser knows the first; Safari plays the last ones badly, and what
pages record has no length in it, by which a player could be drawn. Opus is of 48 kHz, more than speech is worth."""


class NotPlayable(YihaoError):
    """The sound could not be made into another: it is none, it is too long, or the decoder is not installed."""

    def __init__(self, file: FileId) -> None:
        self.file = file
        super().__init__("the sound cannot be played")


class Playable:
    """Of one node. Nodes that share the folder of files share this too."""

    def __init__(self, files: Files, folder: Path, decoder: Decoder) -> None:
        self._files, self._folder, self._decoder = files, folder, decoder

    async def sound(self, file: FileId) -> bytes:
        """The WAVE file of a kept sound. Raises `NotPlayable`, and what `Files.read` does."""
        kept, chunks = await self._files.read(file)
        if kept.content_type not in RATES_HZ:
            raise NotPlayable(file)
        path = self._folder / f"{file}.wav"
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(path.read_bytes)
        data = b"".join([chunk async for chunk in _bounded(chunks, kept.size_bytes)])
        try:
            sound = await self._decoder.wave(data, rate_hz=RATES_HZ[kept.content_type])
        except Undecodable as error:
            raise NotPlayable(file) from error
        with contextlib.suppress(OSError):  # a full disk makes it anew each time
            await asyncio.to_thread(_keep, path, sound)
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
