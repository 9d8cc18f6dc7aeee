"""Shared state in memory, by a clock that the test turns."""

from collections.abc import Mapping

from session.ports import SharedState


class SharedStateInMemory(SharedState):
    """The whole port: values with a time to live, maps, token buckets, leases."""

    def __init__(self) -> None:
        self.clock_s = 1_790_000_000.0
        self.values: dict[str, tuple[bytes, float]] = {}
        self.maps: dict[str, dict[str, bytes]] = {}
        self.buckets: dict[str, tuple[float, float]] = {}
        self.leases: dict[str, tuple[str, float, int]] = {}
        self.writes = 0

    async def now(self) -> float:
        return self.clock_s

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self.writes += 1
        self.values[key] = (value, self.clock_s + ttl_s)

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        if await self.get(key) is not None:
            return False
        await self.put(key, value, ttl_s=ttl_s)
        return True

    async def get(self, key: str) -> bytes | None:
        value, until = self.values.get(key, (None, 0.0))
        return value if self.clock_s < until else None

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        self.maps.setdefault(key, {})[name] = value

    async def fields(self, key: str) -> Mapping[str, bytes]:
        return self.maps.get(key, {})

    async def delete_field(self, key: str, name: str) -> None:
        self.maps.get(key, {}).pop(name, None)

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        level, at = self.buckets.get(bucket, (float(burst), self.clock_s))
        level = min(burst, level + (self.clock_s - at) * rate_per_s)
        self.buckets[bucket] = (level - 1 if level >= 1 else level, self.clock_s)
        return level >= 1

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        held_by, until, fence = self.leases.get(name, ("", 0.0, 0))
        if held_by not in ("", holder) and self.clock_s < until:
            return None
        self.leases[name] = (holder, self.clock_s + ttl_s, fence + (held_by != holder))
        return self.leases[name][2]
