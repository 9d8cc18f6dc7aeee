"""Who was called to a session by a colleague's note (@), until they have looked.

The archive writes them in the transaction that keeps the note itself (`storage.history`), so that no mention is lost
where its note is kept, and none is told of a note that was never written.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select, update

from session.codec import decode_event
from session.events import NoteAdded
from session.ids import AssigneeId, SessionId
from storage.database import Database
from storage.history import EVENTS, MENTIONS

MOST = 50
"""Unseen ones that are told, the newest first."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A colleague's note that names somebody."""

    session: SessionId
    version: int
    at: float
    by: AssigneeId
    text: str


class Mentions:
    """Behind the live log by as much as the archiver has not yet drained."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unseen(self, login: AssigneeId) -> list[Mention]:
        """The newest that this agent has not looked at, the newest first."""
        its_event = and_(EVENTS.c.session == MENTIONS.c.session, EVENTS.c.version == MENTIONS.c.version)
        wanted = (
            select(EVENTS.c.session, EVENTS.c.version, EVENTS.c.at, EVENTS.c.body)
            .join(MENTIONS, its_event)
            .where(MENTIONS.c.login == login, MENTIONS.c.seen.is_(False))
            .order_by(EVENTS.c.at.desc())
            .limit(MOST)
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(wanted))
        found = [(row, decode_event(row.body, row.at)) for row in rows]
        return [
            Mention(SessionId(row.session), row.version, note.at, note.by, note.text)
            for row, note in found
            if isinstance(note, NoteAdded)
        ]

    async def look(self, login: AssigneeId, session: SessionId) -> None:
        """The agent has looked at a session, and so at all that called them there."""
        theirs = (MENTIONS.c.login == login) & (MENTIONS.c.session == session)
        async with self._database.writing() as connection:
            await connection.execute(update(MENTIONS).where(theirs).values(seen=True))
