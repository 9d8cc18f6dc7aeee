"""WeChat, with a citizen behind it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web

from channels.wechat.adapter import WeChatChannel
from queueing.memory import MemoryStore
from session.address import Address
from storage.files import FileStore
from tests.channels.far_end import Door, FarEnd
from tests.channels.wechat.rig import APPID, SECRET, SETTINGS, Wire
from tests.peers.wechat import WeChatApi, serving


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    api, openids = WeChatApi(APPID, SECRET), itertools.count()
    async with (
        serving(api.app()) as base,
        WeChatChannel.open(
            replace(SETTINGS, api=base),
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
            on_scan=nowhere,
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:
            wire = Wire(http, url + SETTINGS.path, time.time)

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                push = wire.request(wire.message("text", "citizen", Content="你好"))

                async def brought() -> None:
                    while (await wire.bring(*push))[0] != 200:
                        await asyncio.sleep(0.02)  # WeChat brings it again

                bringing = asyncio.create_task(brought())
                yield
                await bringing

            async def knock() -> int:
                return (await wire.say("你好", f"citizen-{next(openids)}"))[0]

            yield FarEnd(channel, door, store, citizen, knock)


async def nowhere(_: Address, __: str) -> None:
    """A scan that leads to no session."""
