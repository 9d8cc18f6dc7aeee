"""Drains the live log into SQL, exactly once, and lets the store forget what is safe here."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from session.errors import YihaoError
from session.ids import SessionId
from session.ports import Entry, SharedState
from storage.errors import EarlierMissing, StaleCursor
from storage.history import History

log = logging.getLogger(__name__)

LEASE = "archiver"
LEASE_S = 6.0
"""So long is the history behind where the node that kept it has died."""
BLOCK_S = 2.0
"""How long one look at the log waits for news; well under the lease, which is renewed before each."""
GATHER_S = 0.2
"""Pause after each commit, so that a busy log is written in large transactions: each costs an fsync."""
RETRY_S = 1.0


class DrainedLog(Protocol):
    """The part of `queueing`'s log that is drained."""

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """The events of a session after a version, in order."""
        ...

    async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        """All sessions' events after a cursor in the order of their commits, and the next cursor."""
        ...

    async def trim(self, cursor: str) -> None:
        """Events up to the cursor are safe elsewhere."""
        ...


class Archiver:
    """Runs on every node; works on the one that holds the lease.

    The lease only saves work. What makes it exactly once is that entries and cursor are one transaction, which fails
    where the cursor has been moved by another.
    """

    def __init__(self, log: DrainedLog, shared: SharedState, history: History, *, holder: str) -> None:
        self._log, self._shared, self._history, self._holder = log, shared, history, holder

    async def run(self) -> None:
        """Drain until cancelled. Store or database away: try again, nothing is lost meanwhile."""
        while True:
            try:
                worked = await self._turn()
            except StaleCursor:
                continue
            except YihaoError as error:
                log.warning("archive waits: %s", error)
                await asyncio.sleep(error.retry_after_s or RETRY_S)
            except Exception:  # a task's top: history that stops would fill the store until it is full
                log.exception("archive failed")
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(GATHER_S if worked else 0)

    async def _turn(self) -> bool:
        if await self._shared.lease(LEASE, self._holder, ttl_s=LEASE_S) is None:
            await asyncio.sleep(RETRY_S)
            return False
        return bool(await self.drain(block_s=BLOCK_S))

    async def drain(self, *, block_s: float = 0.0) -> int:
        """Archive what is next in the log; how many entries were new. Zero may also mean that none came in time."""
        since = await self._history.cursor()
        upto, entries = await self._log.follow(since, block_s=block_s)
        if upto == since:
            return 0
        written = await self._archive(entries, since, upto)
        await self._log.trim(upto)
        return written

    async def _archive(self, entries: list[Entry], since: str, upto: str) -> int:
        try:
            return await self._history.archive(entries, since=since, upto=upto)
        except EarlierMissing as missing:
            # The database is younger than the log's last trim: what the feed no longer has, each session's own log has.
            earlier = [entry for session, after in missing.after.items() for entry in await self._whole(session, after)]
        written = await self._history.archive([*earlier, *entries], since=since, upto=upto, holes=True)
        log.warning("archived %d entries, some from the sessions' own logs", written)
        return written

    async def _whole(self, session: SessionId, after: int) -> list[Entry]:
        found: list[Entry] = []
        while page := await self._log.read(session, after=found[-1].version if found else after):
            found += page
        return found
