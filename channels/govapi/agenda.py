"""Sessions whose events are brought to a callback, with when to look at each again: kept where any node finds them."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

from session.errors import YihaoError
from session.ids import SessionId
from session.ports import SharedState, StoreUnavailable

_SHARDS = 128
_AT_ONCE = 16
_TTL_S = 30 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One session, and the client that is told of it."""

    client: str
    session: SessionId

    def __str__(self) -> str:
        return f"{self.client}/{self.session}"


class Agenda:
    """Maps of at most 64 fields each (`SharedState.put_field`): some eight thousand open sessions in all."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def put(self, one: Watched, due_at: float) -> bool:
        """Look at it at `due_at` by the store's clock; again moves it. False where there are too many.

        Raises `StoreUnavailable`.
        """
        try:
            await self._shared.put_field(_shard(one), str(one), repr(due_at).encode(), ttl_s=_TTL_S)
        except StoreUnavailable:
            raise
        except YihaoError:  # the map is full
            return False
        return True

    async def done(self, one: Watched) -> None:
        """Nothing is left to do for it."""
        await self._shared.delete_field(_shard(one), str(one))

    async def due(self, now: float) -> list[Watched]:
        """What is to be looked at."""
        found: list[Watched] = []
        for start in range(0, _SHARDS, _AT_ONCE):
            maps = await asyncio.gather(*(self._shared.fields(_key(n)) for n in range(start, start + _AT_ONCE)))
            for fields in maps:
                for name, at in fields.items():
                    client, _, session = name.partition("/")
                    if float(at) <= now:
                        found.append(Watched(client, SessionId(session)))
        return found


def _shard(one: Watched) -> str:
    return _key(zlib.crc32(str(one).encode()) % _SHARDS)


def _key(number: int) -> str:
    return f"govapi:agenda:{number}"
