"""Policy: what administrators change while it runs. Each kind is a row of versions; the highest is in force."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, String, Table, Text, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

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
    Column("why", String(200), nullable=False),
    PrimaryKeyConstraint("kind", "version"),
)
"""`body` is the whole policy of that version, as its owner writes it."""


class PolicyMoved(StorageError):
    """Somebody else has written that version meanwhile: look again."""

    def __init__(self, kind: str, version: int) -> None:
        self.kind, self.version = kind, version
        super().__init__(f"version {version} of the {kind} policy is written already")


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of one kind."""

    kind: str
    version: int
    body: str
    author: str = ""
    at: float = 0.0
    why: str = ""


class Policies:
    """All kinds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self) -> Mapping[str, int]:
        """The version in force of each kind that has one."""
        wanted = select(POLICIES.c.kind, func.max(POLICIES.c.version)).group_by(POLICIES.c.kind)
        async with self._database.reading() as connection:
            return {row[0]: row[1] for row in await connection.execute(wanted)}

    async def version(self, kind: str, version: int) -> Policy | None:
        """One of them."""
        wanted = select(POLICIES).where(POLICIES.c.kind == kind, POLICIES.c.version == version)
        async with self._database.reading() as connection:
            row = (await connection.execute(wanted)).one_or_none()
        return Policy(*row) if row else None

    async def versions(self, kind: str, *, before: int | None = None, limit: int = 50) -> list[Policy]:
        """The newest first, without their bodies."""
        columns = [column for column in POLICIES.c if column.name != "body"]
        wanted = select(*columns).where(POLICIES.c.kind == kind).order_by(POLICIES.c.version.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(POLICIES.c.version < before)
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted)).all()
        return [Policy(row.kind, row.version, "", row.author, row.at, row.why) for row in rows]

    async def write(self, policy: Policy, along: Callable[[AsyncConnection], Awaitable[None]] | None = None) -> None:
        """Put a version in force, and what goes along with it, both or neither.

        Raises `PolicyMoved` where the version is there already, or the one before it is not.
        """
        last = select(func.max(POLICIES.c.version)).where(POLICIES.c.kind == policy.kind)
        row = {name: getattr(policy, name) for name in ("kind", "version", "body", "author", "at", "why")}
        async with self._database.writing() as connection:
            if (await connection.scalar(last) or 0) != policy.version - 1:
                raise PolicyMoved(policy.kind, policy.version)
            try:
                await connection.execute(insert(POLICIES).values(row))
            except IntegrityError as error:
                raise PolicyMoved(policy.kind, policy.version) from error
            if along is not None:
                await along(connection)
