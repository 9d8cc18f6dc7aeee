import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from channels.sms.door import LARGEST_BODY_BYTES, Door, json_of
from channels.sms.errors import CallRefused

SECRET = "a-path-that-nobody-would-guess"


@asynccontextmanager
async def behind(door: Door) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        try:
            return web.json_response(json_of(await door.body(request)))
        except CallRefused as refused:
            return web.Response(status=refused.status)

    app = web.Application()
    app.router.add_post("/{secret}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def status_of(door: Door, secret: str, body: bytes) -> int:
    async with (
        behind(door) as base,
        aiohttp.ClientSession() as http,
        http.post(f"{base}/{secret}", data=body) as response,
    ):
        return response.status


@pytest.mark.parametrize(
    ("secret", "networks", "status"),
    [
        (SECRET, (), 200),
        (SECRET, ("127.0.0.0/8",), 200),
        (SECRET, ("203.0.113.0/24", "2001:db8::/32"), 404),
        (SECRET[:-1], ("127.0.0.0/8",), 404),
        (SECRET + "x", (), 404),
        ("秘密", (), 404),
    ],
)
async def test_both_proofs_are_asked_for(secret: str, networks: tuple[str, ...], status: int) -> None:
    door = Door(SECRET, tuple(ipaddress.ip_network(one) for one in networks))
    assert await status_of(door, secret, b"[]") == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"a": [1]}', 200),
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 9 + b"]" * 9, 400),
        (b"[" * 50_000, 400),
        (b"[" + b"9" * 10_000 + b"]", 400),
        (b" " * (LARGEST_BODY_BYTES + 1), 413),
    ],
)
async def test_bodies_are_bounded(body: bytes, status: int) -> None:
    assert await status_of(Door(SECRET), SECRET, body) == status


def test_a_short_secret_is_none() -> None:
    with pytest.raises(ValueError, match="24 characters"):
        Door("12345")
    assert SECRET not in repr(Door(SECRET))
