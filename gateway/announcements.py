"""The operator's own sounds: taken in any usual form, made into the telephone's, and what may be said of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from media.announcement import PIECES
from media.decoder import Decoder
from media.errors import PromptUnreadable, Undecodable
from media.g711 import SAMPLE_RATE, Law
from media.prompts import read_sound
from rulebook.document import Document
from rulebook.kinds import Proof
from rulebook.prompts import Prompts
from session.errors import YihaoError
from storage.database import Database
from storage.sounds import Sounds, Uploaded

LARGEST_BYTES = 10 * 1024 * 1024
LONGEST_MUSIC_S = 600.0
LONGEST_S = 60.0
SHORTEST_S = 0.1
MUSIC = "music"
_LONGEST_FILE_NAME = 255
_ROUNDED_S = 0.1


class PromptRefused(YihaoError):
    """A sound that is not put in place. `code` is for the page's dictionary."""

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why)


class SoundBook:
    """Takes sounds in."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._sounds, self._decoder = Sounds(database), decoder

    async def add(self, data: bytes, *, file: str, author: str) -> Uploaded:
        """Keep one; nobody hears it until a document says so. Raises `PromptRefused`, `StorageError`."""
        if len(data) > LARGEST_BYTES:
            raise PromptRefused("too_large", f"at most {LARGEST_BYTES // 2**20} MiB")
        try:
            sound = await self._decoder.wave(data, rate_hz=SAMPLE_RATE, longest_s=LONGEST_MUSIC_S)
            law = (await asyncio.to_thread(read_sound, sound))[Law.PCMA]
        except (Undecodable, PromptUnreadable) as error:
            raise PromptRefused("no_sound", f"{error} (at most {LONGEST_MUSIC_S:.0f} s)") from error
        duration_s = len(law) / SAMPLE_RATE
        if duration_s < SHORTEST_S:
            raise PromptRefused("too_short", f"at least {SHORTEST_S} s")
        named = (file or "sound")[:_LONGEST_FILE_NAME]
        return await self._sounds.keep(sound, duration_s=duration_s, file=named, author=author, at=time.time())


def proof(database: Database) -> Proof:
    """That a document names pieces and sounds that there are, and none that would last too long."""
    sounds = Sounds(database)

    async def holds(document: Document) -> None:
        if not isinstance(document, Prompts):
            return
        spoken = document.spoken()
        known = await sounds.known({one.sound for _, one in spoken})
        for piece, one in spoken:
            if piece not in PIECES:
                raise ValueError(f"there is no piece {piece!r}; `yihao prompts list` names all")
            if one.sound not in known:
                raise ValueError(f"the sound of {one.file!r} is not here: upload it first")
            if abs(known[one.sound] - one.seconds) > _ROUNDED_S:
                raise ValueError(f"{one.file!r} lasts {known[one.sound]:.1f} s")
            if piece != MUSIC and known[one.sound] > LONGEST_S:
                raise ValueError(f"{one.file!r} lasts more than {LONGEST_S:.0f} s, which only music may")

    return holds


async def write_sounds(database: Database, document: Prompts, folder: Path) -> None:
    """What a document names, as files beside it: `sounds/<id>.wav`."""
    sounds = Sounds(database)
    for _, one in document.spoken():
        data = await sounds.read(one.sound)
        if data is not None:
            await asyncio.to_thread(_write, folder / f"{one.sound}.wav", data)


async def read_sounds(database: Database, folder: Path, author: str) -> None:
    """Keep what `write_sounds` has written. Raises `PromptRefused`, `PromptUnreadable`, `StorageError`."""
    sounds = Sounds(database)
    for path in sorted(await asyncio.to_thread(lambda: list(folder.glob("*.wav")))):
        data = await asyncio.to_thread(path.read_bytes)
        law = (await asyncio.to_thread(read_sound, data))[Law.PCMA]
        duration_s = len(law) / SAMPLE_RATE
        await sounds.keep(data, duration_s=duration_s, file=path.name, author=author, at=time.time())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
