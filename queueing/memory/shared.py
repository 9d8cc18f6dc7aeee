"""`session.ports.SharedState` in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from queueing.errors import TooLarge
from queueing.shared import FIELDS
from session.ports import Note


class MemoryShared:
    """Dictionaries whose entries run out."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        self._maps: dict[str, tuple[dict[str, bytes], float]] = {}
        self._buckets: dict[str, tuple[float, float]] = {}
        self._leases: dict[str, tuple[str, float, int]] = {}

    async def now(self) -> float:
        return self._clock()

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self._values[key] = (value, self._clock() + ttl_s)

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        if await self.get(key) is not None:
            return False
        await self.put(key, value, ttl_s=ttl_s)
        return True

    async def put_if(self, key: str, was: bytes | None, value: bytes, *, ttl_s: float) -> bool:
        if self.held(key) != was:
            return False
        self._values[key] = (value, self._clock() + ttl_s)
        return True

    async def get(self, key: str) -> bytes | None:
        return self.held(key)

    def held(self, key: str) -> bytes | None:
        """For those who must not give way between a look and what they do then."""
        value, until = self._values.get(key, (None, 0.0))
        return value if until > self._clock() else None

    def note(self, notes: Iterable[Note]) -> None:
        """Keep what comes with a commit."""
        for note in notes:
            self._values[note.key] = (note.value, self._clock() + note.ttl_s)

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)
        self._maps.pop(key, None)

    async def delete_if(self, key: str, value: bytes) -> None:
        if self.held(key) == value:
            del self._values[key]

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        held, until = self._live(key)
        if name not in held and len(held) >= FIELDS:
            raise TooLarge("fields of one map", FIELDS + 1, FIELDS)
        self._maps[key] = ({**held, name: value}, max(until, self._clock() + ttl_s))

    def _live(self, key: str) -> tuple[dict[str, bytes], float]:
        held, until = self._maps.get(key, ({}, 0.0))
        return (held, until) if until > self._clock() else ({}, 0.0)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        return dict(self._live(key)[0])

    async def delete_field(self, key: str, name: str) -> None:
        self._live(key)[0].pop(name, None)

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        now = self._clock()
        tokens, at = self._buckets.get(bucket, (float(burst), now))
        tokens = min(float(burst), tokens + (now - at) * rate_per_s)
        taken = tokens >= 1
        self._buckets[bucket] = (tokens - taken, now)
        return taken

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        now = self._clock()
        held_by, until, fence = self._leases.get(name, ("", 0.0, 0))
        if until > now and held_by != holder:
            return None
        fence += until <= now
        self._leases[name] = (holder, now + ttl_s, fence)
        return fence
