"""Shared state by a clock that the test turns."""

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

    @property
    def names(self) -> list[str]:
        """Every key that there is."""
        return [*self._values, *self._maps, *self._buckets, *self._leases]
