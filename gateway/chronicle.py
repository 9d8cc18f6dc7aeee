"""A session's live log, however long: the store gives it a page at a time."""

from __future__ import annotations

from queueing.contract import Log
from session.ids import SessionId
from session.ports import Entry

PAGE = 1000


async def chronicle(log: Log, session: SessionId, after: int = 0) -> list[Entry]:
    """All events after a version, in order. Whoever stops at one page never gets to the end of a longer log."""
    whole: list[Entry] = []
    while True:
        page = await log.read(session, after=after + len(whole), limit=PAGE)
        whole += page
        if len(page) < PAGE:
            return whole
