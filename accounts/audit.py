"""Who did what (操作审计): logins, what was listened to or revealed, what was forced or changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import insert, select

from accounts.tables import AUDIT
from storage.database import Database

_LONGEST = 200


class Deed(StrEnum):
    """What can be done that is noted. The values are promises: they stand in the table."""

    LOG_IN = "login"
    LOGIN_REFUSED = "login_refused"
    LOG_OUT = "logout"
    FORCE = "presence_forced"
    BROADCAST = "broadcast"
    SUPERVISE = "supervised"
    LISTEN = "recording_played"
    REVEAL = "address_revealed"
    CAPTURE = "capture_read"
    CHANGE = "rules_changed"
    PROMPT = "prompt_changed"
    RENEW = "passwords_renewed"


@dataclass(frozen=True, slots=True)
class Note:
    """One deed. `on` is what it was done to, `detail` how; neither holds what only the deed itself may show."""

    id: int
    at: float
    by: str
    """A login; empty where nobody is known."""
    deed: Deed
    on: str
    detail: str


class Audit:
    """Appended to, never changed: the database itself refuses it."""

    def __init__(self, database: Database, clock: Callable[[], Awaitable[float]]) -> None:
        self._database, self._clock = database, clock

    async def note(self, by: str, deed: Deed, on: str = "", detail: str = "") -> None:
        """One more. It comes before the deed's answer: what cannot be noted is not done. Raises `StorageError`."""
        what = {"by": by, "deed": deed.value, "on": on[:_LONGEST], "detail": detail[:_LONGEST]}
        now = await self._clock()
        async with self._database.writing() as connection:
            await connection.execute(insert(AUDIT).values(at=now, **what))

    async def recent(self, *, by: str = "", deed: str = "", before: int | None = None, limit: int = 50) -> list[Note]:
        """The newest first; those of one person, of one kind, before one of them."""
        wanted = select(AUDIT).order_by(AUDIT.c.id.desc()).limit(limit)
        if by:
            wanted = wanted.where(AUDIT.c.by == by)
        if deed:
            wanted = wanted.where(AUDIT.c.deed == deed)
        if before is not None:
            wanted = wanted.where(AUDIT.c.id < before)
        async with self._database.reading() as connection:
            return [
                Note(row.id, row.at, row.by, Deed(row.deed), row.on, row.detail)
                for row in await connection.execute(wanted)
            ]
