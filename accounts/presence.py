"""The log of presence: who was ready, on a break or away, when and why (考勤)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select

from accounts.tables import PRESENCE
from session.ids import AssigneeId
from storage.database import Database

_LONGEST_REASON = 64


@dataclass(frozen=True, slots=True)
class PresenceNote:
    """From `at` on, until the next note."""

    login: AssigneeId
    at: float
    """Seconds since 1970 by the store's clock."""
    presence: str
    reason: str = ""


class PresenceLog:
    """Appended to, never changed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, note: PresenceNote) -> None:
        """One more note."""
        row = {"login": note.login, "at": note.at, "presence": note.presence, "reason": note.reason[:_LONGEST_REASON]}
        async with self._database.writing() as connection:
            await connection.execute(insert(PRESENCE).values(row))

    async def between(self, login: AssigneeId, since: float, until: float, *, limit: int = 1000) -> list[PresenceNote]:
        """An agent's notes from `since` to before `until`, in order, and the one in force at `since` before them."""
        theirs = select(PRESENCE).where(PRESENCE.c.login == login)
        earlier = theirs.where(PRESENCE.c.at < since).order_by(PRESENCE.c.at.desc(), PRESENCE.c.id.desc()).limit(1)
        within = theirs.where(PRESENCE.c.at >= since, PRESENCE.c.at < until)
        async with self._database.reading() as connection:
            rows = [*await connection.execute(earlier)]
            rows += await connection.execute(within.order_by(PRESENCE.c.at, PRESENCE.c.id).limit(limit))
        return [PresenceNote(AssigneeId(row.login), row.at, row.presence, row.reason) for row in rows]
