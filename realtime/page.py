"""One WebSocket of a page, over aiohttp."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import WSMsgType, web

from realtime.errors import NotAFrame
from realtime.messages import Control
from realtime.settings import SocketSettings
from realtime.wire import encode

_CLOSING_S = 2.0
"""How long a far end that does not answer our close is waited for."""


class Page:
    """A socket that is open. Closing it is started at once and ends by itself, whatever the far end does."""

    __slots__ = ("_closing", "_transport", "wire")

    def __init__(self, wire: web.WebSocketResponse, transport: asyncio.WriteTransport) -> None:
        self.wire = wire
        self._transport = transport
        self._closing: asyncio.Task[None] | None = None

    @classmethod
    async def accept(cls, request: web.Request, settings: SocketSettings) -> Page:
        """Answer the upgrade. The library pings a silent far end and gives it up after `dead_s` in all."""
        wire = web.WebSocketResponse(
            heartbeat=settings.dead_s / 1.5,  # a ping after this, and half of it again for the pong
            timeout=_CLOSING_S,
            max_msg_size=settings.frame_bytes,
            compress=False,
        )
        await wire.prepare(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the far end left during the upgrade")
        return cls(wire, cast(asyncio.WriteTransport, transport))

    async def receive(self) -> str | None:
        """The next text; None once the socket is closing. Raises `NotAFrame` for bytes."""
        message = await self.wire.receive()
        if message.type is WSMsgType.TEXT:
            return str(message.data)
        if message.type is WSMsgType.BINARY:
            raise NotAFrame("bytes")
        return None

    def waiting_bytes(self) -> int:
        """Bytes that were written and that the far end has not taken."""
        return self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str, last_word: Control | None = None) -> None:
        """Start closing, after a last word; the first reason given stands."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(code, reason, last_word))

    async def closed(self) -> None:
        """Wait until a close that was started has ended."""
        if self._closing is not None:
            await self._closing

    async def _close(self, code: int, reason: str, last_word: Control | None) -> None:
        try:
            async with asyncio.timeout(2 * _CLOSING_S):
                if last_word is not None:
                    await self.wire.send_frame(encode(last_word), WSMsgType.TEXT)
                await self.wire.close(code=code, message=reason.encode())
        except (TimeoutError, ConnectionError, RuntimeError):
            return
        finally:
            if self.waiting_bytes():
                self._transport.abort()
