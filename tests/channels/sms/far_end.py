"""A carrier that brings texts."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from channels.sms.adapter import SmsChannel
from channels.sms.settings import SmsSettings
from channels.sms.twilio.carrier import TwilioCarrier
from channels.sms.twilio.settings import TwilioSettings
from queueing.memory import MemoryStore
from storage.files import FileStore
from tests.channels.far_end import NODE, Door, FarEnd
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, sign, texted
from tests.peers.wechat import serving


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    path, numbers = "/api/sms/twilio/up", itertools.count(1)
    settings = SmsSettings(pepper=b"a pepper that only tests have", ways=(("+", "twilio"),))
    carrier = TwilioCarrier(TwilioSettings(account=ACCOUNT, tokens=(TOKEN,), sender="+18005551212", public_url=PUBLIC))
    async with (
        SmsChannel(
            settings,
            [carrier],
            node=NODE,
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:

            async def bring(fields: dict[str, str]) -> int:
                async with http.post(url + path, data=fields, headers=sign(path, fields)) as response:
                    return response.status

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                fields = texted(f"SM{next(numbers)}", "+14155550100", "路灯坏了")

                async def brought() -> None:
                    while await bring(fields) != 200:
                        await asyncio.sleep(0.02)  # Twilio asks the fallback URL, which is another node's

                bringing = asyncio.create_task(brought())
                yield
                await bringing

            async def knock() -> int:
                number = next(numbers)
                return await bring(texted(f"SM{number}", f"+1415555{number:04}", "路灯坏了"))

            yield FarEnd(channel, door, store, citizen, knock)
