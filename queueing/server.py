"""The way to the Redis or Valkey server: few connections, many callers, no retry.

Calls made in the same turn of the loop travel in one pipeline: with `appendfsync always` one fsync then serves them
all. A call whose reply does not come ends as `StoreUnavailable`, and is never sent twice by this file; who may
repeat it is decided above, where it is known to be safe. The one exception is a function that the server says it
does not have: nothing has run then, so the library is loaded and the call sent again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import hiredis
from redis import exceptions
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from queueing.library import Library
from session.ports import StoreUnavailable

CONNECT_S = 2.0
COMMAND_S = 5.0
LANES = 4
"""Pipelines under way at once. More only makes each shorter."""
BATCH = 64
"""Commands in one pipeline."""
REDIAL_S = 0.2
"""Pause before a broken subscription is tried again."""

Argument = str | bytes | int | float
_Sent = tuple[bytes, asyncio.Future[Any]]
"""A packed command, and where its reply goes."""
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
        self._pool = _pool(url, connections, COMMAND_S)
        # Without: redis-py would send under `asyncio.wait_for`, which before Python 3.12 may swallow a cancellation.
        self._patient = _pool(url, connections, None)
        self._waiting: deque[_Sent] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let what is under way end, and disconnect."""
        while self._lanes:
            await asyncio.gather(*self._lanes)
        await self._pool.disconnect()
        await self._patient.disconnect()

    async def load(self) -> None:
        """Give the server our functions. A library of that name has that content, so replacing changes nothing."""
        await self.send("FUNCTION", "LOAD", "REPLACE", self._library.code)

    async def call(self, function: str, *arguments: Argument) -> Any:
        """Run a function of the library over our keys. Raises `StoreUnavailable`."""
        name = self._names.get(function)
        if name is None:
            name = self._names.setdefault(function, self._library.function(function))
        command = ("FCALL", name, 1, self._prefix, *arguments)
        try:
            return await self._submit(command)
        except exceptions.ResponseError as error:
            if "Function not found" not in str(error):
                raise _unavailable(error) from error
        await self.load()
        return await self.send(*command)

    async def send(self, *command: Argument) -> Any:
        """Run one command. Raises `StoreUnavailable`."""
        try:
            return await self._submit(command)
        except exceptions.ResponseError as error:
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

    def _submit(self, command: tuple[Any, ...]) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        # redis-py packs in Python, at a fifth of all our time
        self._waiting.append((hiredis.pack_command(command), answer))
        if len(self._lanes) < LANES:
            lane = loop.create_task(self._run_lane(), name="queueing lane")
            self._lanes.add(lane)
        return answer

    async def _run_lane(self) -> None:
        try:
            while self._waiting:
                await self._empty()
        finally:
            # In the same turn in which nothing waited: a callback of the task's end would run later, and what came in
            # between would find all lanes taken, and none of them running.
            self._lanes = {lane for lane in self._lanes if lane is not asyncio.current_task()}

    async def _empty(self) -> None:
        """Send what waits, on one connection for as long as there is more: to get one costs as much as a command."""
        batch: list[_Sent] = []
        try:
            async with _Connection(self._pool) as connection:
                while self._waiting:
                    batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                    # One time limit for all of them: redis-py's own would be set and cleared for each reply.
                    async with asyncio.timeout(COMMAND_S):
                        await _exchange(connection, batch)
        except StoreUnavailable as error:
            if not batch:  # no connection: whoever waits has waited for nothing
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)


async def _exchange(connection: AbstractConnection, batch: Sequence[_Sent]) -> None:
    await connection.send_packed_command(b"".join([packed for packed, _ in batch]))
    for _, answer in batch:
        try:
            reply = await connection.read_response()
        except exceptions.ResponseError as error:
            if not answer.done():
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_result(reply)


class _Connection:
    """A connection of the pool for one exchange; broken, it is closed, so that nobody reads another's reply."""

    def __init__(self, pool: BlockingConnectionPool) -> None:
        self._pool = pool
        self._connection: AbstractConnection | None = None
        self._greeting_s: float | None = None
        """redis-py's own limit, set aside while it is in use: whoever uses it has one of their own."""

    async def __aenter__(self) -> AbstractConnection:
        try:
            connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call] # redis-py's decorator
            self._connection = connection
            self._greeting_s, connection.socket_timeout = connection.socket_timeout, None
        except (exceptions.RedisError, *_Broken) as error:
            raise _unavailable(error) from error
        return connection

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        assert self._connection is not None  # noqa: S101 - entered
        if error is not None:
            await self._connection.disconnect(nowait=True)
        # A store that stands still takes the next connection and says nothing: its greeting needs a limit too.
        self._connection.socket_timeout = self._greeting_s
        await self._pool.release(self._connection)
        if isinstance(error, (exceptions.RedisError, *_Broken)):
            raise _unavailable(error) from error


def _pool(url: str, connections: int, timeout_s: float | None) -> BlockingConnectionPool:
    """A pool without redis-py's default of ten retries, which ran a script four times whose reply was lost."""
    return BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=CONNECT_S,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        protocol=2,
    )


def _unavailable(error: BaseException) -> StoreUnavailable:
    """Says the kind of failure only: a server's sentence may repeat what was sent."""
    code = str(error).split(" ", 1)[0] if isinstance(error, exceptions.ResponseError) else ""
    return StoreUnavailable(" ".join(filter(None, (type(error).__name__, code))))
