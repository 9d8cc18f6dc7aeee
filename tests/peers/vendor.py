"""An HTTP server that stands in for a carrier's API: answers as a test tells it, and keeps what it was asked."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(frozen=True)
class Asked:
    path: str
    """With the query, as it was written."""
    headers: dict[str, str]
    body: bytes
    query: dict[str, str]


@dataclass
class Vendor:
    """`answers` are given one after the other; the last one stays."""

    answers: deque[tuple[int, Any]] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    drops: bool = False
    """Takes the request, and cuts the connection."""
    url: str = ""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.raw_path, headers, body, dict(request.query)))
        if self.drops:
            assert request.transport is not None
            request.transport.close()
        if self.hangs is not None:
            await self.hangs.wait()
        status, answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, bytes):
            return web.Response(status=status, body=answer)
        return web.json_response(answer, status=status)


@asynccontextmanager
async def open_vendor(*answers: tuple[int, Any]) -> AsyncIterator[Vendor]:
    vendor = Vendor(deque(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    vendor.url = f"http://{host}:{port}"
    try:
        yield vendor
    finally:
        if vendor.hangs is not None:
            vendor.hangs.set()
        await runner.cleanup()
