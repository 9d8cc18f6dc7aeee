"""What is left of a hotline in its store and its history, read as any node reads it."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Entry
from storage.database import Database
from storage.history import History
from storage.timeline import read_timeline

KEYS = {"resume_key": "1" * 64, "cookie_key": "2" * 64, "pepper": "3" * 64}
"""What all nodes of a test work with."""


def debts_of(folders: Iterable[Path]) -> frozenset[str]:
    """Callers whom the core never heard of, as gateways have noted them in their data folders."""
    files = [file for folder in folders for file in (folder / "debts").glob("*")]
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines() if line]
    return frozenset(str(value).removeprefix("tel:").removeprefix("+86") for one in lines for value in one.values())


@dataclass(frozen=True)
class Remains:
    """Of one store and one history, by their URLs; `settings` are the nodes' own."""

    store: str
    database: str
    settings: QueueSettings

    async def sessions(self) -> list[SessionId]:
        """All that have ever been."""
        async with self._opened() as (store, history):
            found: dict[SessionId, None] = {}
            cursor = "0"
            while True:
                cursor, entries = await store.log.follow(cursor, block_s=0.01)
                if not entries:
                    break
                found.update((entry.session, None) for entry in entries)
            before: SessionId | None = None
            while page := await history.recent(limit=200, before=before):
                found.update((record.session.id, None) for record in page)
                before = page[-1].session.id
            return list(found)

    async def logs(self) -> dict[SessionId, list[Entry]]:
        """Every session's whole log."""
        return await self.logs_of(await self.sessions())

    async def logs_of(self, sessions: Iterable[SessionId]) -> dict[SessionId, list[Entry]]:
        """These sessions' whole logs."""
        async with self._opened() as (store, history):
            return {session: await read_timeline(store.log, history, session) for session in sessions}

    async def charges(self) -> dict[AssigneeId, frozenset[SessionId]]:
        """What each agent is charged for."""
        async with self._opened() as (store, _):
            roster = await store.queue.roster()
        return {view.profile.assignee: frozenset(charge.session for charge in view.charges) for view in roster}

    async def is_taken_over(self, log: Sequence[Entry], dead: NodeId) -> bool:
        """Whether that gateway is known to be dead, and another has read this session to its end."""
        async with self._opened() as (store, _):
            session = await store.log.open_session_of(log[0].session)
            return dead in await store.mailboxes.dead_nodes() and session is not None and session.version == len(log)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[tuple[RedisStore, History]]:
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                RedisStore.connect(self.store, tenant="main", pepper=KEYS["pepper"].encode(), settings=self.settings)
            )
            yield store, History(await stack.enter_async_context(Database.open(self.database)))
