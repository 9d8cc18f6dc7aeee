"""SIP over WebSocket (RFC 7118), for telephones that are pages: on the web server, one message a frame."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from channels.phone.flow import Flow, Protocol3261
from channels.phone.sip.framing import MESSAGE_LIMIT, frame_datagram
from realtime.origin import may_connect

if TYPE_CHECKING:
    from channels.phone.transport import Transport

PATH = "/api/phone/sip"
SUBPROTOCOL = "sip"

_UNSENT_LIMIT = 64
_HEARTBEAT_S = 20.0
_PING, _PONG = "\r\n\r\n", "\r\n"


class Pages:
    """The web server's end: takes the handshake, and serves each socket until it closes."""

    def __init__(self, owner: Transport, origins: Collection[str]) -> None:
        """`origins`: of pages that may connect besides the server's own."""
        self._owner = owner
        self._origins = origins

    def routes(self) -> tuple[web.RouteDef, ...]:
        """Where pages connect."""
        return (web.get(PATH, self.handle),)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One socket. A page that is not ours is refused, and so is one that does not ask for SIP (section 4.2)."""
        if not may_connect(request.headers.get("Origin"), request.host, self._origins):
            return web.json_response({"error": "origin"}, status=403)
        offered = request.headers.get("Sec-WebSocket-Protocol", "")
        if SUBPROTOCOL not in (one.strip() for one in offered.split(",")):
            return web.json_response({"error": "subprotocol"}, status=400)
        host = request.remote or ""
        if self._owner.guard.is_banned(host, asyncio.get_running_loop().time()):
            return web.json_response({"error": "too_many_attempts"}, status=429)
        page = Page(self._owner, self._free_flow(request, host))
        if not self._owner.joined(page):
            return web.json_response({"error": "full"}, status=503, headers={"Retry-After": "5"})
        try:
            return await page.serve(request)
        finally:
            self._owner.left(page)

    def _free_flow(self, request: web.Request, host: str) -> Flow:
        """Behind a proxy two pages of one address may come by the same port of it, hence the search."""
        protocol = Protocol3261.WSS if request.scheme == "https" else Protocol3261.WS
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        flow = Flow(protocol, (host, peer[1] if peer else 1))
        while flow in self._owner.links:
            flow = Flow(protocol, (host, flow.remote[1] % 65535 + 1))
        return flow


class Page:
    """One socket. What is sent waits in a short queue; a page that does not read is cut off."""

    def __init__(self, owner: Transport, flow: Flow) -> None:
        self.flow = flow
        self._owner = owner
        self._unsent: asyncio.Queue[bytes | None] = asyncio.Queue(_UNSENT_LIMIT)
        self._wire = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), heartbeat=_HEARTBEAT_S, max_msg_size=MESSAGE_LIMIT, compress=False
        )

    def write(self, data: bytes) -> None:
        """Send a message."""
        try:
            self._unsent.put_nowait(data)
        except asyncio.QueueFull:
            self.abort()

    def keep(self, idle_s: float) -> None:
        """Nothing to do: the socket's own pings tell whether the page lives."""

    def abort(self) -> None:
        """End it."""
        while not self._unsent.empty():
            self._unsent.get_nowait()
        self._unsent.put_nowait(None)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Until it closes."""
        await self._wire.prepare(request)
        sending = asyncio.create_task(self._send())
        try:
            async for message in self._wire:
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY} or not self._came(message.data):
                    break
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await self._wire.close()
        return self._wire

    def _came(self, data: str | bytes) -> bool:
        """Text or binary, as the page likes (section 5); False where it is to be cut off."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        guard, host, now = self._owner.guard, self.flow.remote[0], asyncio.get_running_loop().time()
        if not guard.admit(host, now) or guard.is_scan(host, raw, now):
            return False
        frame = frame_datagram(raw)
        if frame is not None:
            self._owner.receiver.received(frame, self.flow)
        elif raw == _PING.encode():
            self.write(_PONG.encode())
        return True

    async def _send(self) -> None:
        with suppress(ConnectionError):
            while (data := await self._unsent.get()) is not None:
                try:
                    await self._wire.send_str(data.decode())
                except UnicodeDecodeError:
                    await self._wire.send_bytes(data)
        await self._wire.close()
