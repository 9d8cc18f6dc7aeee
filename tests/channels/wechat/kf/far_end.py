"""WeCom, with a citizen behind it."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web

from channels.wechat.kf.adapter import KfChannel
from queueing.memory import MemoryStore
from storage.files import FileStore
from tests.channels.far_end import Door, FarEnd
from tests.channels.wechat.far_end import nowhere
from tests.channels.wechat.kf.standin import WeCom, called
from tests.channels.wechat.kf.test_kf import SETTINGS
from tests.channels.wechat.rig import Wire
from tests.peers.wechat import serving


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    wecom, names = WeCom(), itertools.count()
    async with (
        serving(wecom.app()) as base,
        KfChannel.open(
            replace(SETTINGS, account=replace(SETTINGS.account, api=base)),
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
            wire = Wire(http, url + SETTINGS.account.path, time.time)

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                wecom.keep("text", {"content": "你好"})
                assert await called(wire) == 200
                yield

            async def knock() -> int:
                wecom.keep("text", {"content": "你好"}, citizen=f"wm-{next(names)}")
                came, status = len(door.came), await called(wire)
                async with asyncio.timeout(5):
                    while len(door.came) == came:  # it says only that there is something, which is then fetched
                        await asyncio.sleep(0.01)
                return status

            yield FarEnd(channel, door, store, citizen, knock)
