"""Shared state by a clock that the test turns."""

import asyncio

from queueing.memory.shared import MemoryShared


class TurnedShared(MemoryShared):
    """The product's own, in memory; counts what is written."""

    def __init__(self) -> None:
        self.clock_s = 1_790_000_000.0
        self.writes = 0
        super().__init__(lambda: self.clock_s)

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self.writes += 1
        await super().put(key, value, ttl_s=ttl_s)

    async def get(self, key: str) -> bytes | None:
        found = await super().get(key)
        await asyncio.sleep(0)  # as with a store that is asked over a socket, others come between
        return found

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        if await super().get(key) is not None:
            return False
        await super().put(key, value, ttl_s=ttl_s)
        return True

    @property
    def names(self) -> list[str]:
        """Every key that there is."""
        return [*self._values, *self._maps, *self._buckets, *self._leases]
