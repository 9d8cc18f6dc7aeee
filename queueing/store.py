"""`contract.Store` over Redis (7.0 or newer) or Valkey."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from queueing.errors import StoreAbsent, UnsafeStore
from queueing.kin import RedisKin
from queueing.library import Library
from queueing.line import RedisQueue
from queueing.log import RedisLog
from queueing.mail import RedisMail
from queueing.mailboxes import RedisMailboxes
from queueing.server import Server
from queueing.settings import QueueSettings
from queueing.shared import RedisShared
from queueing.wire import Blinding
from session.ports import StoreUnavailable

OLDEST = (7, 0)
"""The first Redis that has functions."""
DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
"""Measured: with `everysec`, acknowledged writes are lost even when only the process is killed."""


class RedisStore:
    """Everything under `yihao:{tenant}:`. Open it by `connect`."""

    def __init__(self, server: Server, prefix: str, pepper: bytes, settings: QueueSettings) -> None:
        self.server, self._prefix, self._settings = server, prefix, settings
        blinding = Blinding(pepper)
        self.log = RedisLog(server, prefix, blinding, settings.settle_s)
        self.kin = RedisKin(server, blinding)
        self.queue = RedisQueue(server, prefix, settings)
        self.mailboxes = RedisMailboxes(server, prefix, self.log, self.queue)
        self.shared = RedisShared(server, prefix)
        self.mail = RedisMail(server, prefix)

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str,
        *,
        tenant: str,
        pepper: bytes,
        settings: QueueSettings | None = None,
        library: Library | None = None,
    ) -> AsyncIterator[RedisStore]:
        """A store at that URL. Raises `UnfitAddress`, `StoreAbsent`, `UnsafeStore`.

        `pepper` is a secret that blinds citizens' addresses in key names; it must stay the same. A `library` other
        than the settings' own is for tests.
        """
        settings = settings or QueueSettings()
        prefix = f"yihao:{{{tenant}}}:"
        server = Server(url, prefix, library or Library.of(settings), settings.connections)
        try:
            try:
                await _check_version(server)
            except StoreUnavailable as error:
                raise StoreAbsent(error.what) from error
            if not settings.accept_unsafe and (faults := await _faults(server)):
                raise UnsafeStore(faults)
            await server.load()
            yield cls(server, prefix, pepper, settings)
        finally:
            await server.close()

    async def wakes(self) -> AsyncIterator[None]:
        """Whenever an offer may be made."""
        async for session in self.server.heard("wake"):
            if not session:  # a node of an earlier release also names each session that grew
                yield

    async def say(self, word: bytes) -> None:
        await self.server.send("PUBLISH", f"{self._prefix}word", word)

    def words(self) -> AsyncIterator[bytes]:
        return self.server.heard("word")

    async def ready(self) -> bool:
        try:
            return self._settings.accept_unsafe or not await _faults(self.server)
        except StoreUnavailable:
            return False


async def _check_version(server: Server) -> None:
    info = (await server.send("INFO", "server")).decode()
    version = next((line.partition(":")[2] for line in info.splitlines() if line.startswith("redis_version:")), "0")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise UnsafeStore((f"it is Redis {version}, which has no functions (mend: run Redis 7.0, or any Valkey)",))


async def _faults(server: Server) -> tuple[str, ...]:
    flat = [part.decode() for part in await server.send("CONFIG", "GET", *DURABLE)]
    held = dict(zip(flat[::2], flat[1::2], strict=True))
    return tuple(
        f"{name} is {held.get(name, 'unknown')} (mend: CONFIG SET {name} {wanted}, and the same in its file)"
        for name, wanted in DURABLE.items()
        if held.get(name) != wanted
    )
