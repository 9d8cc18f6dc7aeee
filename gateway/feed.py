"""Reads the log of all sessions as it is committed, and shows each event to mailboxes, channels, desks and bots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from queueing.contract import Log
from session.ports import Entry, StoreUnavailable

log = logging.getLogger(__name__)

Follower = Callable[[Entry], Awaitable[None]]
RETRY_S = 0.5


class Feed:
    """One task a node. A follower that fails is logged and misses that entry; it holds up nobody."""

    def __init__(self, source: Log, followers: Sequence[Follower]) -> None:
        self._log, self._followers = source, list(followers)
        self.cursor = "$"

    def show_to(self, follower: Follower) -> None:
        """One more follower. Before `run` it misses nothing since `start`."""
        self._followers.append(follower)

    async def start(self) -> None:
        """Fix the place from which to read, before anything can be committed that must be seen."""
        self.cursor, _ = await self._log.follow("$", block_s=0.0)

    async def run(self) -> None:
        """Read until cancelled. A store that is away is waited for, and read on from the same cursor."""
        while True:
            try:
                self.cursor, entries = await self._log.follow(self.cursor)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
                continue
            for entry in entries:
                for follower in self._followers:
                    await self._show(follower, entry)

    async def _show(self, follower: Follower, entry: Entry) -> None:
        try:
            await follower(entry)
        except Exception:  # a task's top: one follower's failure is not the others'
            log.exception("follower failed", extra={"session": entry.session})
