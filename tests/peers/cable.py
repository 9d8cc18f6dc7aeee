"""The cable between a browser and a server, which a test can cut: the same address before, during and after."""

import asyncio
from contextlib import suppress
from typing import Self
from urllib.parse import urlsplit


class Cable:
    """A port of 127.0.0.1 that leads to `address` (`http://host:port`) as long as it is whole."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        assert parts.port is not None
        self._far_end = (parts.hostname, parts.port)
        self._whole = True
        self._server: asyncio.Server | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """All connections are gone at once, and no new one comes about."""
        self._whole = False
        for end in list(self._ends):
            end.transport.abort()

    def mend(self) -> None:
        """New connections come about again."""
        self._whole = True

    def lead_to(self, address: str) -> None:
        """From now on new connections go to another server."""
        parts = urlsplit(address)
        self._far_end = (str(parts.hostname), int(parts.port or 0))

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._lead(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _lead(self, near: asyncio.StreamReader, near_end: asyncio.StreamWriter) -> None:
        self._ends.add(near_end)
        with suppress(OSError):
            if self._whole:
                far, far_end = await asyncio.open_connection(*self._far_end)
                self._ends.add(far_end)
                await asyncio.gather(self._carry(near, far_end), self._carry(far, near_end))
                self._ends.discard(far_end)
        near_end.transport.abort()
        self._ends.discard(near_end)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        with suppress(OSError):
            sink.close()
