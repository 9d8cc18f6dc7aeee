"""The web server by itself: who is slow is let go, and who is quick does not notice."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from config.loading import load
from gateway import serving
from gateway.listening import Address

SOON_S = 15.0
HALF = b"GET /quick HTTP/1.1\r\nHost: here\r\nX-Slow:"


@asynccontextmanager
async def server() -> AsyncIterator[Address]:
    async def quick(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def reads(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def fails(_: web.Request) -> web.Response:
        raise TimeoutError

    async def talks(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = serving.application(())
    app.add_routes([web.get("/quick", quick), web.post("/reads", reads), web.post("/fails", fails)])
    app.add_routes([web.get("/talks", talks)])
    http = load(arguments=["http.port=0"], environment={}).http
    async with serving.serving(app, http, None) as (address, _):
        yield address


async def test_half_a_request_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is a connection that says nothing; a socket that is open may be as quiet as it likes."""
    monkeypatch.setattr(serving, "QUIET_S", 0.3)
    async with (
        server() as address,
        aiohttp.ClientSession(f"http://{address}") as http,
        http.ws_connect("/talks") as talking,
    ):
        crowd = [await asyncio.open_connection(address.host, address.port) for _ in range(20)]
        for _, writer in crowd[:10]:
            writer.write(HALF)
        async with http.get("/quick") as answer:
            assert await answer.text() == "here", "beside a crowd of slow ones"
        async with asyncio.timeout(SOON_S):
            assert await asyncio.gather(*(reader.read() for reader, _ in crowd)) == [b""] * 20
        for _, writer in crowd:
            writer.close()
        await talking.send_str("still here")
        assert await talking.receive_str(timeout=SOON_S) == "still here"


async def test_a_body_that_trickles_in_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "SLOWEST_S", 0.2)
    async with server() as address, aiohttp.ClientSession(f"http://{address}") as http:
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"POST /reads HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nslow")
        async with asyncio.timeout(SOON_S):
            assert (await reader.readline()).split()[1] == b"408"
            writer.write(b"after")  # or it would be waited for, to let them read the answer
            await reader.read()
        writer.close()
        async with http.post("/reads", data=b"at once") as answer:
            assert await answer.text() == "7"
        async with http.post("/fails") as answer:
            assert answer.status == 504, "which is a fault of ours, not a slow visitor's"


async def test_a_stranger_who_speaks_no_http_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    async with server() as address:
        for words in (b"\0\xff\0 nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n"):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(words)
            async with asyncio.timeout(SOON_S):
                assert (await reader.readline()).split()[1] == b"400"
            writer.close()
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []
