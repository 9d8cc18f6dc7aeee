"""`contract.Store` in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from queueing.memory.kin import MemoryKin
from queueing.memory.line import MemoryQueue
from queueing.memory.log import MemoryLog
from queueing.memory.mail import MemoryMail
from queueing.memory.mailboxes import MemoryMailboxes
from queueing.memory.shared import MemoryShared
from queueing.memory.world import World
from queueing.settings import QueueSettings

HINTS_KEPT = 1000
"""A listener that is further behind loses hints, which nobody trusts."""


class MemoryStore:
    """`clock` gives seconds since 1970; a test may hand in one that it moves itself."""

    def __init__(self, settings: QueueSettings | None = None, clock: Callable[[], float] = time.time) -> None:
        self._listeners: set[asyncio.Queue[None]] = set()
        self._hearers: set[asyncio.Queue[bytes]] = set()
        world = World(settings or QueueSettings(), clock, self._wake)
        self.mailboxes = MemoryMailboxes(world)
        self.shared = MemoryShared(clock)
        self.log = MemoryLog(world, self.shared, self.mailboxes.hold)
        self.kin = MemoryKin(world)
        self.queue = MemoryQueue(world)
        self.mail = MemoryMail(world, self.mailboxes.reachable)

    def _wake(self) -> None:
        for hints in self._listeners:
            if not hints.full():
                hints.put_nowait(None)

    async def wakes(self) -> AsyncIterator[None]:
        """Whenever anything changed: an offer may be possible then."""
        hints: asyncio.Queue[None] = asyncio.Queue(HINTS_KEPT)
        self._listeners.add(hints)
        try:
            while True:
                await hints.get()
                yield
        finally:
            self._listeners.discard(hints)

    async def say(self, word: bytes) -> None:
        for words in self._hearers:
            if not words.full():
                words.put_nowait(word)

    async def words(self) -> AsyncIterator[bytes]:
        """What is said."""
        words: asyncio.Queue[bytes] = asyncio.Queue(HINTS_KEPT)
        self._hearers.add(words)
        try:
            while True:
                yield await words.get()
        finally:
            self._hearers.discard(words)

    async def ready(self) -> bool:
        return True
