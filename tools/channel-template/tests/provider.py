"""The provider: brings citizens' letters, and takes answers as the real one does."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from channels.postbox.letter import SIGNATURE, TIME, check, signed

SECRET = "a-secret-that-only-tests-have"


@dataclass
class Provider:
    """Its server, and its client of our webhook."""

    http: aiohttp.ClientSession
    url: str = ""
    hotline: str = ""
    """Where the gateway listens."""
    boxes: dict[str, list[str]] = field(default_factory=dict)
    """What citizens got, by name; each letter once by its id."""
    statuses: list[int] = field(default_factory=list)
    """Answered one after the other instead of taking a letter."""
    known: set[str] = field(default_factory=set)

    async def brings(self, letter: dict[str, Any] | bytes, **changes: str) -> int:
        """One try to bring a letter; the status that it is answered."""
        body = letter if isinstance(letter, bytes) else json.dumps(letter).encode()
        headers = {**signed(body, int(time.time()), SECRET), **changes}
        async with self.http.post(f"{self.hotline}/api/postbox/letters", data=body, headers=headers) as answer:
            return answer.status

    async def takes(self, request: web.Request) -> web.Response:
        body = await request.read()
        check(body, request.headers[SIGNATURE], request.headers[TIME], SECRET, now=time.time(), fresh_s=60.0)
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        letter = json.loads(body)
        if letter["id"] not in self.known:
            self.known.add(letter["id"])
            self.boxes.setdefault(letter["to"], []).append(letter["text"])
        return web.Response()


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """A provider that serves on this machine."""
    async with aiohttp.ClientSession() as http:
        provider = Provider(http)
        app = web.Application()
        app.add_routes([web.post("/letters", provider.takes)])
        async with serving(app) as provider.url:
            yield provider


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """An application on a free port of this machine."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
