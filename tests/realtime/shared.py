"""A small shared state for tests of one process: keys that expire, by the loop's clock."""

import asyncio


class SharedKeys:
    """As much of `session.ports.SharedState` as tokens and visitors ask for; `is_away` makes it unreachable."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[float, bytes]] = {}

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def now(self) -> float:
        return self._now()

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self.values[key] = (self._now() + ttl_s, value)

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        if await self.get(key) is not None:
            return False
        await self.put(key, value, ttl_s=ttl_s)
        return True

    async def put_if(self, key: str, was: bytes | None, value: bytes, *, ttl_s: float) -> bool:
        if await self.get(key) != was:
            return False
        await self.put(key, value, ttl_s=ttl_s)
        return True

    async def get(self, key: str) -> bytes | None:
        ends_at, value = self.values.get(key, (0.0, b""))
        return value if ends_at > self._now() else None

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)

    async def delete_if(self, key: str, value: bytes) -> None:
        if await self.get(key) == value:
            await self.delete(key)

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        await self.put(f"{key}\0{name}", value, ttl_s=ttl_s)

    async def fields(self, key: str) -> dict[str, bytes]:
        names = [name for name in self.values if name.startswith(f"{key}\0")]
        return {name.partition("\0")[2]: self.values[name][1] for name in names}

    async def delete_field(self, key: str, name: str) -> None:
        await self.delete(f"{key}\0{name}")

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        return True

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        return 1
