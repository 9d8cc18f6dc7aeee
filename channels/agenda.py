"""What is unfinished, and when to look at it again: kept where any node finds it, so that none dies with one."""

from __future__ import annotations

import asyncio
import zlib

from channels.contract import ChannelError
from session.errors import YihaoError
from session.ports import SharedState, StoreUnavailable

_AT_ONCE = 16


class AgendaFull(ChannelError):
    """More is unfinished than is kept: nothing is acknowledged, so that whoever brought it brings it again."""

    retryable = True
    retry_after_s = 60.0

    def __init__(self) -> None:
        super().__init__("too much is unfinished")


class Agenda:
    """Names with a time, in maps of at most 64 fields each (`SharedState.put_field`)."""

    def __init__(self, shared: SharedState, key: str, *, maps: int, ttl_s: float) -> None:
        """`ttl_s` after the last change nobody looks any more."""
        self._shared, self._key, self._maps, self._ttl_s = shared, key, maps, ttl_s

    async def put(self, name: str, due_at: float) -> None:
        """Look at `name` at `due_at` by the store's clock; again moves it. Raises `AgendaFull`, `StoreUnavailable`."""
        try:
            await self._shared.put_field(self._map_of(name), name, repr(due_at).encode(), ttl_s=self._ttl_s)
        except StoreUnavailable:
            raise
        except YihaoError as refused:
            raise AgendaFull from refused

    async def done(self, name: str) -> None:
        """Nothing is left to do for it."""
        await self._shared.delete_field(self._map_of(name), name)

    async def due(self, now: float) -> list[str]:
        """What is to be looked at, the oldest first."""
        found: list[tuple[float, str]] = []
        for start in range(0, self._maps, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, self._maps))
            maps = await asyncio.gather(*(self._shared.fields(f"{self._key}:{number}") for number in numbers))
            found += [(float(at), name) for fields in maps for name, at in fields.items()]
        return [name for at, name in sorted(found) if at <= now]

    def _map_of(self, name: str) -> str:
        return f"{self._key}:{zlib.crc32(name.encode()) % self._maps}"
