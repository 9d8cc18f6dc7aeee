"""Announcements and music of the operator's own (提示音), in place of those that come with the product."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from sqlalchemy import (
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.errors import StorageError
from storage.metadata import METADATA, Instant

PROMPTS = Table(
    "prompts",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sound", LargeBinary, nullable=True),
    Column("duration_s", Float, nullable=False),
    Column("file", String(255), nullable=False),
    Column("author", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("version"),
)
"""One row a piece. `version` rises over all of them, so that a node reads only what is new; a row without a sound says
that the product's own is heard again. `file` is what its owner called it.
"""


class PromptMoved(StorageError):
    """Somebody else has put another prompt in place at the same moment: try again."""

    retryable = True

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the prompt {name!r} was not put in place: another one was at the same moment")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A piece as it stands; `sound` is a WAVE file as the engine plays it, None for the product's own."""

    name: str
    version: int
    duration_s: float
    file: str
    author: str
    at: float
    sound: bytes | None = None


class Prompts:
    """All pieces that were ever replaced."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, prompt: Prompt) -> Prompt:
        """Put one in place, with the next version. Raises `PromptMoved`."""
        try:
            async with self._database.writing() as connection:
                last = (await connection.execute(select(func.max(PROMPTS.c.version)))).scalar_one_or_none() or 0
                put = replace(prompt, version=last + 1)
                await connection.execute(delete(PROMPTS).where(PROMPTS.c.name == prompt.name))
                await connection.execute(insert(PROMPTS).values(asdict(put)))
        except IntegrityError as error:
            raise PromptMoved(prompt.name) from error
        return put

    async def since(self, version: int) -> list[Prompt]:
        """What was put in place after a version, with its sound, in order."""
        wanted = select(PROMPTS).where(PROMPTS.c.version > version).order_by(PROMPTS.c.version)
        async with self._database.reading() as connection:
            return [Prompt(**row) for row in (await connection.execute(wanted)).mappings()]

    async def listed(self) -> list[Prompt]:
        """Those that are the operator's own, by name, without their sounds."""
        silent = [column for column in PROMPTS.c if column is not PROMPTS.c.sound]
        wanted = select(*silent).where(PROMPTS.c.sound.is_not(None)).order_by(PROMPTS.c.name)
        async with self._database.reading() as connection:
            return [Prompt(**row) for row in (await connection.execute(wanted)).mappings()]
