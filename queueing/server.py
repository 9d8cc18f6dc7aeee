"""The way to the Redis or Valkey server: one pipe, many callers, no retry.

Calls do not wait for each other's replies (`queueing.pipe`): with `appendfsync always` one fsync then serves all that
the server found when it looked. What blocks, or listens, has a connection of its own. A call whose reply does not come
ends as `StoreUnavailable`, and is never sent twice by this file; who may repeat it is decided above, where it is known
to be safe. The one exception is a function that the server says it does not have: nothing has run then, so the library
is loaded and the call sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import hiredis
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from queueing.errors import UnfitAddress
from queueing.library import Library
from queueing.pipe import Pipe, open_pipe
from session.ports import StoreUnavailable

CONNECT_S = 2.0
COMMAND_S = 5.0
REDIAL_S = 0.2
"""Pause before a broken subscription is tried again."""

Argument = str | bytes | int | float
_Broken = (exceptions.ConnectionError, exceptions.TimeoutError, OSError, TimeoutError)


class Caller(Protocol):
    """Who can run the library's functions and plain commands."""

    async def call(self, function: str, *arguments: Argument) -> Any: ...
    async def send(self, *command: Argument) -> Any: ...


class Server:
    """One server, by URL. Replies are raw (bytes, int, lists)."""

    def __init__(self, url: str, prefix: str, library: Library, connections: int) -> None:
        self._prefix, self._library = prefix, library
        self._names: dict[str, str] = {}
        self._url = url
        self._pipe: Pipe | None = None
        self._opening: asyncio.Task[Pipe] | None = None
        # Without a limit: redis-py would send under `asyncio.wait_for`, which before Python 3.12 may swallow a
        # cancellation.
        self._patient = _pool(url, connections)

    async def close(self) -> None:
        """Let what is under way end, and disconnect."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._pipe is not None:
            await self._pipe.close()
        await self._patient.disconnect()

    async def load(self) -> None:
        """Give the server our functions. One that has them keeps them: it knows how late it was (`prelude.lua`)."""
        try:
            await self._submit(("FUNCTION", "LOAD", self._library.code))
        except hiredis.ReplyError as error:
            if "already exists" not in str(error):
                raise _unavailable(error) from error

    async def call(self, function: str, *arguments: Argument) -> Any:
        """Run a function of the library over our keys. Raises `StoreUnavailable`."""
        name = self._names.get(function)
        if name is None:
            name = self._names.setdefault(function, self._library.function(function))
        command = ("FCALL", name, 1, self._prefix, *arguments)
        try:
            return await self._submit(command)
        except hiredis.ReplyError as error:
            if "Function not found" not in str(error):
                raise _unavailable(error) from error
        await self.load()
        return await self.send(*command)

    async def send(self, *command: Argument) -> Any:
        """Run one command. Raises `StoreUnavailable`."""
        try:
            return await self._submit(command)
        except hiredis.ReplyError as error:
            raise _unavailable(error) from error

    async def wait_for(self, block_s: float, *command: Argument) -> Any:
        """Run a command that may block for `block_s`, on a connection of its own. Raises `StoreUnavailable`."""
        async with _Connection(self._patient) as connection:
            async with asyncio.timeout(block_s + COMMAND_S):
                await connection.send_command(*command)
                return await connection.read_response()

    async def heard(self, channel: str) -> AsyncIterator[bytes]:
        """What is published on a channel of ours, without end: a broken subscription is begun again."""
        while True:
            try:
                async with Redis(connection_pool=self._patient).pubsub() as subscription:
                    await subscription.subscribe(self._prefix + channel)
                    async for message in subscription.listen():
                        if message["type"] == "message":
                            yield message["data"]
            except (exceptions.RedisError, OSError):
                await asyncio.sleep(REDIAL_S)

    async def _submit(self, command: tuple[Any, ...]) -> Any:
        packed = hiredis.pack_command(command)  # redis-py packs in Python, at a fifth of all our time
        pipe = self._pipe
        try:
            if pipe is None or pipe.is_broken:
                pipe = await asyncio.shield(self._open())
            return await pipe.send(packed)
        except _Broken as error:
            raise _unavailable(error) from error

    def _open(self) -> asyncio.Task[Pipe]:
        """Once for all who wait for it, or they would find out one after the other that nobody is there."""
        if self._opening is None:
            opening = open_pipe(self._url, within_s=CONNECT_S, patience_s=COMMAND_S)
            self._opening = asyncio.get_running_loop().create_task(opening, name="queueing pipe")
            self._opening.add_done_callback(self._opened)
        return self._opening

    def _opened(self, opening: asyncio.Task[Pipe]) -> None:
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._pipe = opening.result()


class _Connection:
    """A connection of the pool for one exchange; broken, it is closed, so that nobody reads another's reply."""

    def __init__(self, pool: BlockingConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None

    async def __aenter__(self) -> AbstractConnection:
        try:
            connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py's decorator
            self._connection = connection
        except (exceptions.RedisError, *_Broken) as error:
            raise _unavailable(error) from error
        return connection

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        assert self._connection is not None  # noqa: S101 - entered
        if error is not None:
            await self._connection.disconnect(nowait=True)
        await self._pool.release(self._connection)
        if isinstance(error, (exceptions.RedisError, *_Broken)):
            raise _unavailable(error) from error


def _pool(url: str, connections: int) -> BlockingConnectionPool:
    """A pool without redis-py's default of ten retries, which ran a script four times whose reply was lost.

    Raises `UnfitAddress`.
    """
    try:
        return BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=CONNECT_S,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            retry_on_error=[],
            protocol=2,
        )
    except ValueError as error:
        raise UnfitAddress from error


def _unavailable(error: BaseException) -> StoreUnavailable:
    """Says the kind of failure only: a server's sentence may repeat what was sent."""
    code = str(error).split(" ", 1)[0] if isinstance(error, hiredis.ReplyError | exceptions.ResponseError) else ""
    return StoreUnavailable(" ".join(filter(None, (type(error).__name__, code))))
