"""`session.ports.SharedState` in Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from queueing.errors import TooLarge
from queueing.policy import milliseconds
from queueing.server import Server

FIELDS = 64


class RedisShared:
    """Plain keys, hashes and a few scripts."""

    def __init__(self, server: Server, prefix: str) -> None:
        self._server, self._prefix = server, f"{prefix}shared:"

    async def now(self) -> float:
        return int(await self._server.call("now")) / 1000

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        await self._server.send("SET", self._prefix + key, value, "PX", milliseconds(ttl_s))

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        return await self._server.send("SET", self._prefix + key, value, "PX", milliseconds(ttl_s), "NX") is not None

    async def put_if(self, key: str, was: bytes | None, value: bytes, *, ttl_s: float) -> bool:
        return bool(await self._server.call("put_if", key, was or b"", value, milliseconds(ttl_s)))

    async def get(self, key: str) -> bytes | None:
        return cast("bytes | None", await self._server.send("GET", self._prefix + key))

    async def delete(self, key: str) -> None:
        await self._server.send("DEL", self._prefix + key)

    async def delete_if(self, key: str, value: bytes) -> None:
        await self._server.call("delete_if", key, value)

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        if not await self._server.call("put_field", key, name, value, milliseconds(ttl_s)):
            raise TooLarge("fields of one map", FIELDS + 1, FIELDS)

    async def fields(self, key: str) -> Mapping[str, bytes]:
        flat = await self._server.send("HGETALL", self._prefix + key)
        return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}

    async def delete_field(self, key: str, name: str) -> None:
        await self._server.send("HDEL", self._prefix + key, name)

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        return bool(await self._server.call("take", bucket, rate_per_s, burst))

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        return int(await self._server.call("lease", name, holder, milliseconds(ttl_s))) or None
