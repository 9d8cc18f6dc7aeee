"""A platform, and its users."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from channels.govapi.adapter import GovApiChannel
from channels.govapi.settings import Client, GovApiSettings
from queueing.memory import MemoryStore
from storage.files import FileStore
from tests.channels.far_end import Door, FarEnd
from tests.gateway.town import Attested
from tests.peers.platform import CLIENT, SECRET, Platform
from tests.peers.wechat import serving


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    settings = GovApiSettings(pepper=b"a pepper", clients=(Client(id=CLIENT, secrets=(SECRET,)),))
    async with (
        GovApiChannel.open(
            settings,
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
            lines=store.queue,
            timeline=store.log.read,
            badge=str,
            attests=Attested(),
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:
            platform, users = Platform(http, url), itertools.count()
            await platform.learn()

            async def come(user: str, key: str) -> int:
                asked = {"user": {"id": user}, "text": "你好"}
                return (await platform.ask("openSession", asked, key=key)).status

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                async def came() -> None:
                    while await come("citizen", "the-citizens-wish") >= 400:
                        await asyncio.sleep(0.02)  # the platform tries again, with the same key

                coming = asyncio.create_task(came())
                yield
                await coming

            async def knock() -> int:
                user = f"user-{next(users)}"
                return await come(user, f"the-wish-of-{user}")

            yield FarEnd(channel, door, store, citizen, knock)
