"""Sounds that administrators have uploaded (提示音): kept for ever, since every version names its own."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from sqlalchemy import Column, Float, LargeBinary, String, Table, insert, select
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.metadata import METADATA, Instant

SOUNDS = Table(
    "sounds",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("sound", LargeBinary, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("file", String(255), nullable=False),
    Column("author", String(64), nullable=False),
    Column("at", Instant, nullable=False),
)
"""`sound` is a WAVE file as the engine plays it, `id` the beginning of its SHA-256, `file` what its owner called it."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """One of them, without what it sounds like."""

    id: str
    duration_s: float
    file: str
    author: str
    at: float


class Sounds:
    """All that were ever uploaded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, sound: bytes, *, duration_s: float, file: str, author: str, at: float) -> Uploaded:
        """Keep one; what is here already is here once."""
        kept = Uploaded(hashlib.sha256(sound).hexdigest()[:32], duration_s, file, author, at)
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(SOUNDS).values(**asdict(kept), sound=sound))
        except IntegrityError:  # the same sound, by whatever name
            pass
        return kept

    async def known(self, ids: Collection[str]) -> Mapping[str, float]:
        """Those of them that are here, and how long they last, in seconds."""
        wanted = select(SOUNDS.c.id, SOUNDS.c.duration_s).where(SOUNDS.c.id.in_(ids))
        async with self._database.reading() as connection:
            return {row[0]: row[1] for row in await connection.execute(wanted)}

    async def read(self, sound: str) -> bytes | None:
        """The WAVE file."""
        wanted = select(SOUNDS.c.sound).where(SOUNDS.c.id == sound)
        async with self._database.reading() as connection:
            found: bytes | None = await connection.scalar(wanted)
        return found
