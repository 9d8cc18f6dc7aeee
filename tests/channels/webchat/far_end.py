"""A citizen's page."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from queueing.memory import MemoryStore
from storage.files import FileStore
from tests.channels.far_end import NODE, Door, FarEnd
from tests.peers.pages import CitizenPage


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    async with WebChatChannel(
        WebChatSettings(away_after_s=0.05),
        node=NODE,
        inbox=door,
        lines=store.queue,
        shared=store.shared,
        files=FileStore(folder / "files"),
        timeline=store.log.read,
        key=secrets.token_bytes(32),
        badge=str,
        on_typing=lambda _: None,
    ) as channel:
        app = web.Application()
        app.add_routes(channel.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"

        @asynccontextmanager
        async def citizen() -> AsyncIterator[None]:
            async with CitizenPage(url) as page:
                await page.open()
                writing = asyncio.create_task(page.write("你好"))
                yield
                await writing

        async def knock() -> int:
            async with aiohttp.ClientSession() as http:
                try:
                    async with http.ws_connect(f"{url}/api/webchat/socket", origin=url):
                        return 101
                except aiohttp.WSServerHandshakeError as refused:
                    return refused.status

        try:
            yield FarEnd(channel, door, store, citizen, knock)
        finally:
            await channel.drain(0.0)
            await runner.cleanup()
