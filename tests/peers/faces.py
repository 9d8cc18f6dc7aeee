"""A server that a name is made to mean, and another at an address that it must not mean: the stage of DNS rebinding."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.peers.ports import free_pair

FIRST, SECOND = "127.0.0.2", "127.0.0.1"
"""Where the name leads when it is looked at, and afterwards; the tests say which of the two may be asked."""


@dataclass
class Faces:
    """What each has been asked."""

    port: int
    body: bytes
    redirects: bool = False
    """The first sends whoever comes on to itself, by its name, where a name is looked up anew."""
    first: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    async def answer_first(self, request: web.Request) -> web.Response:
        self.first.append(request.path)
        response = web.Response(body=self.body, content_type="application/octet-stream")
        if self.redirects and request.path != "/again":
            response = web.Response(status=302, headers={"Location": f"http://{request.host}/again"})
        response.force_close()
        return response

    async def answer_second(self, request: web.Request) -> web.Response:
        self.second.append(request.path)
        return web.Response(body=self.body, content_type="application/octet-stream")


@asynccontextmanager
async def two_faces(body: bytes) -> AsyncIterator[Faces]:
    """Both on one port, as a rebinding needs it."""
    faces = Faces(free_pair(), body)
    runners = []
    for address, answer in ((FIRST, faces.answer_first), (SECOND, faces.answer_second)):
        app = web.Application()
        app.router.add_get("/{rest:.*}", answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, address, faces.port).start()
        runners.append(runner)
    yield faces
    for runner in runners:
        await runner.cleanup()
