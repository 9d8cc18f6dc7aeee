"""Postbox, with a citizen behind it: what the contract's suite runs."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from channels.postbox.adapter import PostboxChannel
from channels.postbox.settings import PostboxSettings
from queueing.memory import MemoryStore
from tests.channels.far_end import Door, FarEnd
from tests.channels.postbox.provider import SECRET, providing, serving


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    async with providing() as provider:
        settings = PostboxSettings(url=provider.url, secret=SECRET, pepper=b"a pepper that only tests have")
        async with PostboxChannel.open(settings, inbox=door, shared=store.shared) as channel:
            app = web.Application()
            app.add_routes(channel.routes())
            async with serving(app) as provider.hotline:
                numbers = itertools.count(1)

                @asynccontextmanager
                async def citizen() -> AsyncIterator[None]:
                    letter = {"id": "first", "from": "citizen", "text": "路灯坏了"}

                    async def brought() -> None:
                        while await provider.brings(letter) != 200:
                            await asyncio.sleep(0.02)  # it is brought again until it is taken

                    bringing = asyncio.create_task(brought())
                    yield
                    await bringing

                async def knock() -> int:
                    number = next(numbers)
                    return await provider.brings({"id": f"n{number}", "from": f"citizen-{number}", "text": "路灯坏了"})

                yield FarEnd(channel, door, store, citizen, knock)
