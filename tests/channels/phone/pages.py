"""A telephone that is a page: SIP over WebSocket, as JsSIP and SIP.js speak it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp
from aiohttp import web

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.framing import frame_datagram
from channels.phone.sip.reading import read
from channels.phone.websocket import PATH
from tests.channels.phone.telephone import Telephone

HOST = "df7jal23ls0d.invalid"


@asynccontextmanager
async def web_server(phone: PhoneChannel) -> AsyncIterator[str]:
    """The channel's routes on a web server; gives its address as `http://…`."""
    app = web.Application()
    app.add_routes(phone.routes())
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class PagePhone(Telephone):
    """`server` is what it writes into its URIs; the socket goes to `http`."""

    http: str = ""
    binary: bool = False

    async def __aenter__(self) -> Self:
        self._news = asyncio.Event()
        self._session = aiohttp.ClientSession()
        self._wire = await self._session.ws_connect(
            self.http + PATH, protocols=("sip",), origin=self.http, ssl=self.tls or True
        )
        self.port, self.host = 0, HOST
        self._task = asyncio.create_task(self._hear())
        self._outbox: asyncio.Queue[bytes] = asyncio.Queue()
        self._writer = asyncio.create_task(self._say())
        self._write = self._outbox.put_nowait
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (self._task, self._writer):
            task.cancel()
        await asyncio.gather(self._task, self._writer, return_exceptions=True)
        await self._wire.close()
        await self._session.close()
        await asyncio.sleep(0)

    async def _say(self) -> None:
        while True:
            data = await self._outbox.get()
            await (self._wire.send_bytes(data) if self.binary else self._wire.send_str(data.decode()))

    async def _hear(self) -> None:
        async for message in self._wire:
            data = message.data.encode() if isinstance(message.data, str) else message.data
            self.raw.append(data)
            frame = frame_datagram(data)
            if frame is not None:
                self.take(read(frame))
            self._news.set()
        self.is_closed = True
        self._news.set()

    def disconnect(self) -> None:
        """As if the page were closed."""
        assert self._wire._response.connection is not None
        self._wire._response.connection.transport.abort()  # type: ignore[union-attr]  # it is there

    @property
    def way(self) -> str:
        return "wss" if self.tls else "ws"
