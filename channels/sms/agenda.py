"""What is unfinished, and when to look at it again: kept where any node finds it, so that none dies with one."""

from __future__ import annotations

import asyncio
import zlib

from channels.sms.errors import AgendaFull
from session.errors import YihaoError
from session.ports import SharedState, StoreUnavailable

_SHARDS = 64
_TTL_S = 7 * 24 * 3600.0
_AT_ONCE = 16


class Agenda:
    """Names with a time, in maps of at most 64 fields each (`SharedState.put_field`): some thousands in all."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def put(self, name: str, due_at: float) -> None:
        """Look at `name` at `due_at` by the store's clock; again moves it. Raises `AgendaFull`, `StoreUnavailable`."""
        try:
            await self._shared.put_field(_shard(name), name, repr(due_at).encode(), ttl_s=_TTL_S)
        except StoreUnavailable:
            raise
        except YihaoError as refused:
            raise AgendaFull from refused

    async def done(self, name: str) -> None:
        """Nothing is left to do for it."""
        await self._shared.delete_field(_shard(name), name)

    async def due(self, now: float) -> list[str]:
        """What is to be looked at, the oldest first."""
        found: list[tuple[float, str]] = []
        for start in range(0, _SHARDS, _AT_ONCE):
            maps = await asyncio.gather(*(self._shared.fields(_key(n)) for n in range(start, start + _AT_ONCE)))
            found += [(float(at), name) for fields in maps for name, at in fields.items()]
        return [name for at, name in sorted(found) if at <= now]


def _shard(name: str) -> str:
    return _key(zlib.crc32(name.encode()) % _SHARDS)


def _key(number: int) -> str:
    return f"sms:agenda:{number}"
