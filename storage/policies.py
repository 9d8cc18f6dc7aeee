"""Policy: what a supervisor changes while it runs. Each kind is a row of versions; the highest is in force."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, String, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError

from storage.database import Database
from storage.errors import StorageError
from storage.metadata import METADATA, Instant

POLICIES = Table(
    "policies",
    METADATA,
    Column("kind", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Column("author", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("kind", "version"),
)
"""`body` is the whole policy of that version, as its owner writes it."""


class PolicyMoved(StorageError):
    """Somebody else has written that version meanwhile: look again."""

    retryable = True

    def __init__(self, kind: str, version: int) -> None:
        self.kind, self.version = kind, version
        super().__init__(f"version {version} of the {kind} policy is written already")


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one kind."""

    kind: str
    version: int
    body: str


class Policies:
    """All kinds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def current(self, kind: str) -> Policy | None:
        """The version in force."""
        wanted = select(POLICIES).where(POLICIES.c.kind == kind).order_by(POLICIES.c.version.desc()).limit(1)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return Policy(kind, row.version, row.body) if row else None

    async def write(self, kind: str, version: int, body: str, *, author: str, at: float) -> Policy:
        """Put a version in force. Raises `PolicyMoved` where it is there already."""
        row = {"kind": kind, "version": version, "body": body, "author": author, "at": at}
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(POLICIES).values(row))
        except IntegrityError as error:
            raise PolicyMoved(kind, version) from error
        return Policy(kind, version, body)
