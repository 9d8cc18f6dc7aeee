"""A page's link: what outlives its sockets. One writer a socket, with a pointer into the backlog."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import Protocol

from aiohttp import WSMsgType

from realtime.backlog import Backlog
from realtime.messages import Close, Control, Durable, Ephemeral
from realtime.settings import SocketSettings
from realtime.wire import encode, numbered

_log = logging.getLogger(__name__)

_MOST_REPLIES = 1000
"""That wait to be written: a page that asks and never reads."""


class Wire(Protocol):
    """What a link writes to: an `aiohttp.web.WebSocketResponse`, as far as it is needed."""

    async def send_frame(self, message: bytes, opcode: WSMsgType, compress: int | None = None) -> None:
        """Write one frame; waits while the far end does not read."""
        ...


class Endpoint(Protocol):
    """One socket, as the link sees it."""

    @property
    def wire(self) -> Wire:
        """Where frames are written."""
        ...

    def waiting_bytes(self) -> int:
        """Bytes that were written and that the far end has not taken."""
        ...

    def close(self, code: Close, reason: str) -> None:
        """Start closing."""
        ...


class Link:
    """Durable frames are numbered, kept until confirmed, and replayed; the newest ephemeral one of a key is kept
    while a socket is there. Nothing here waits: `publish` and its like only note, and wake the writer.
    """

    __slots__ = (
        "_backlog",
        "_endpoint",
        "_ephemeral",
        "_is_writing",
        "_pointer",
        "_replies",
        "_settings",
        "_unsent_bytes",
        "_writer",
        "expects",
        "sid",
        "subject",
    )

    def __init__(self, sid: str, subject: str, settings: SocketSettings) -> None:
        self.sid, self.subject = sid, subject
        self.expects: int | None = None
        """The `cseq` of the next command; None until there was one."""
        self._settings = settings
        self._backlog = Backlog(
            frames=settings.backlog_frames, keep_s=settings.resume_s, most_bytes=settings.backlog_bytes
        )
        self._endpoint: Endpoint | None = None
        self._pointer = 1
        """The number of the next durable frame to write."""
        self._unsent_bytes = 0
        self._replies: deque[bytes] = deque()
        self._ephemeral: dict[str, bytes] = {}
        self._is_writing = False
        self._writer: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether a socket is there."""
        return self._endpoint is not None

    @property
    def last(self) -> int:
        """The number of the newest durable frame."""
        return self._backlog.last

    # --- what the peer does ------------------------------------------------------------------------------------

    def publish(self, frame: Durable) -> int:
        """Show it for certain; gives its number."""
        return self.publish_body(encode(frame))

    def publish_body(self, body: bytes) -> int:
        """The same, for a frame that was encoded once for several links."""
        seq = self._backlog.append(body, time.monotonic())
        if self._endpoint is not None:
            self._unsent_bytes += len(body)
            if self._is_too_slow(self._endpoint):
                self._give_up()
            else:
                self._wake()
        return seq

    def mention(self, frame: Ephemeral) -> None:
        """Show it if the page is there; a newer one of its key takes its place."""
        if self._endpoint is not None:
            self._ephemeral[frame.key] = encode(frame)
            self._wake()

    # --- what the socket does ----------------------------------------------------------------------------------

    def can_resume(self, last: int) -> bool:
        """Whether a page that has everything up to `last` can go on."""
        return self._backlog.holds_after(last)

    def attach(self, endpoint: Endpoint, welcome: Control, after: int) -> Endpoint | None:
        """Serve this socket from now on: `welcome`, then every durable frame after `after`. Gives the former one."""
        former, self._endpoint = self._endpoint, endpoint
        self._replies.clear()
        self._ephemeral.clear()
        self._backlog.confirm(after)
        self._pointer = after + 1
        self._unsent_bytes = 0
        self._is_writing = False
        self.reply(welcome)
        return former

    def detach(self) -> None:
        """No socket serves any more."""
        self._endpoint = None
        self._replies.clear()
        self._ephemeral.clear()

    def close(self, code: Close, reason: str) -> None:
        """Close the socket that serves; the link stays."""
        endpoint = self._endpoint
        if endpoint is not None:
            self.detach()
            endpoint.close(code, reason)

    def reply(self, frame: Control) -> None:
        """Answer on the socket that serves; lost with it, since the page asks again."""
        if self._endpoint is not None:
            self._replies.append(encode(frame))
            if len(self._replies) > _MOST_REPLIES:
                self._give_up()
            else:
                self._wake()

    def confirm(self, seq: int) -> bool:
        """The page has everything up to `seq`. False where that was never sent."""
        if seq >= self._pointer:
            return False
        self._backlog.confirm(seq)
        return True

    # --- the writer ----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._is_writing and self._endpoint is not None:
            self._is_writing = True
            self._writer = asyncio.get_running_loop().create_task(self._write(self._endpoint))

    async def _write(self, endpoint: Endpoint) -> None:
        """The one writer of a socket: runs while there is something to write."""
        wire = endpoint.wire
        try:
            while self._endpoint is endpoint:
                body = self._next()
                if body is None:
                    break
                await wire.send_frame(body, WSMsgType.TEXT)
        except (ConnectionError, RuntimeError):
            _log.debug("a socket broke while it was written to")  # its reader hears of it, and detaches
        finally:
            if self._endpoint is endpoint:
                self._is_writing = False

    def _next(self) -> bytes | None:
        if self._replies:
            return self._replies.popleft()
        body = self._backlog.body(self._pointer)
        if body is not None:
            self._pointer += 1
            self._unsent_bytes -= min(self._unsent_bytes, len(body))
            return numbered(body, self._pointer - 1)
        if self._ephemeral:
            return self._ephemeral.pop(next(iter(self._ephemeral)))
        return None

    def _is_too_slow(self, endpoint: Endpoint) -> bool:
        """Bytes count, not only frames: the kernel swallows half a megabyte before a count of frames would show it.

        What a resumed page is sent again is not counted; the backlog bounds it.
        """
        waiting = self._unsent_bytes + endpoint.waiting_bytes()
        return waiting > self._settings.slow_bytes or self._backlog.first > self._pointer

    def _give_up(self) -> None:
        """The page does not read: what it lacks is kept for when it comes back, as far as the backlog goes."""
        _log.info("a page reads too slowly; its socket is closed")
        self.close(Close.SLOW, "slow")
