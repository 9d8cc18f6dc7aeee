"""One connection to the server, on which many callers' commands are under way at once (RESP, version 2).

What is asked in one turn of the loop leaves in few pieces, whatever is still unanswered; replies come in the order of
their commands, so each is whoever's has waited longest. redis-py has no such thing: its connection is one caller's at
a time, and to get one, to read each reply through three layers and to limit its time cost more than the command.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import ExitStack
from typing import Any, cast

import hiredis
from redis.asyncio.connection import SSLConnection, parse_url

PIECE = 8
"""So many commands leave together. A turn with many to ask sends the first while it makes out the rest; else this
process and the server would take turns, and each wait for the other.
"""

_Waiting = tuple[asyncio.Future[Any], float]
"""Where a reply goes, and when its command was sent by the loop's clock."""


class PipeBroken(ConnectionError):
    """The connection is gone. Whether what was under way was done is unknown."""


class Pipe(asyncio.Protocol):
    """Use `open_pipe`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, patience_s: float) -> None:
        """A server that leaves a command unanswered for `patience_s` is given up, with all that is under way."""
        self._loop, self._patience_s = loop, patience_s
        self._replies = hiredis.Reader()
        self._outgoing: list[bytes] = []
        self._waiting: deque[_Waiting] = deque()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] = loop.create_future()

    @property
    def is_broken(self) -> bool:
        """Takes no more commands."""
        return self._transport is None

    def send(self, command: bytes) -> asyncio.Future[Any]:
        """A packed command. The reply ends as `hiredis.ReplyError` where it is one, or as `PipeBroken`."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self._transport is None:
            answer.set_exception(PipeBroken())
            return answer
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(command)
        self._waiting.append((answer, self._loop.time()))
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience_s, self._look)
        if len(self._outgoing) == PIECE:
            self._flush()
        return answer

    async def close(self) -> None:
        """Let what somebody still waits for end, and disconnect."""
        while asked := [answer for answer, _ in self._waiting if not answer.done()]:
            await asyncio.wait(asked)
        self.abort()
        await self._gone

    def abort(self) -> None:
        """Nothing of it may be used again."""
        if self._transport is not None:
            self._transport.abort()
            self._break()

    # --- what asyncio tells -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        try:
            while (reply := self._replies.gets()) is not False:
                answer, _ = self._waiting.popleft()
                if answer.done():  # whoever asked has given up
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        except (hiredis.ProtocolError, IndexError):  # no server of ours: nobody's reply can be told from another's
            self.abort()

    def connection_lost(self, _: Exception | None) -> None:
        self._break()
        if not self._gone.done():
            self._gone.set_result(None)

    # --- within -------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._transport is not None and self._outgoing:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def _look(self) -> None:
        """One timer for all: the oldest has waited the longest."""
        self._watch = None
        if not self._waiting:
            return
        left_s = self._waiting[0][1] + self._patience_s - self._loop.time()
        if left_s <= 0:
            self.abort()
        else:
            self._watch = self._loop.call_later(left_s, self._look)

    def _break(self) -> None:
        self._transport = None
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            answer, _ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(PipeBroken())


async def open_pipe(url: str, *, within_s: float, patience_s: float) -> Pipe:
    """Connect, log in and choose the database, as the URL says (`redis://`, `rediss://`, `unix://`).

    Raises `OSError`, `TimeoutError`, `hiredis.ReplyError`.
    """
    loop = asyncio.get_running_loop()
    asked: dict[str, Any] = dict(parse_url(url))
    kind = asked.pop("connection_class", None)
    pipe = Pipe(loop, patience_s)
    with ExitStack() as unless_open:
        unless_open.callback(pipe.abort)
        async with asyncio.timeout(within_s):
            if "path" in asked:
                await loop.create_unix_connection(lambda: pipe, asked["path"])
            else:
                context = SSLConnection(**asked).ssl_context.get() if kind is SSLConnection else None
                await loop.create_connection(
                    lambda: pipe, asked.get("host", "localhost"), asked.get("port", 6379), ssl=context
                )
            for command in _greeting(asked):
                await pipe.send(hiredis.pack_command(command))
        unless_open.pop_all()
    return pipe


def _greeting(asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a connection begins with. A server that stands still takes connections all the same, but answers nothing:
    what is sent to it is carried out when it goes on, long after whoever sent it was told that it was not.
    """
    commands: list[tuple[Any, ...]] = []
    if asked.get("password"):
        user = (asked["username"],) if asked.get("username") else ()
        commands.append(("AUTH", *user, asked["password"]))
    if asked.get("db"):
        commands.append(("SELECT", str(asked["db"])))
    commands.append(("PING",))
    return commands
