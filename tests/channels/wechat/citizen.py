"""A follower of the official account."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.channels.citizen import Citizen, Side, Written
from tests.channels.wechat.rig import APPID, KEY, OLD_KEY, OPENID, SECRET, SETTINGS, TOKEN, Wire
from tests.conftest import Eventually
from tests.peers.wechat import WeChatApi, serving
from tests.peers.yihao import Yihao


@dataclass
class InWeChat(Written):
    wire: Wire = field(kw_only=True)
    api: WeChatApi = field(kw_only=True)
    channel: str = "wechat"

    async def says(self, words: str) -> None:
        self.api.windows[OPENID] = (self.api.clock() + 3600.0, 5)
        assert (await self.wire.say(words))[0] == 200

    def got(self) -> list[str]:
        return [str(one["text"]["content"]) for one in self.api.sent]

    async def leaves(self) -> bool:
        assert (await self.wire.push(self.wire.event("unsubscribe")))[0] == 200
        return True


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """WeChat, which knows the account."""
    api = WeChatApi(APPID, SECRET)

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with aiohttp.ClientSession() as http:
            yield InWeChat(eventually, wire=Wire(http, hotline.http + SETTINGS.path, time.time), api=api)

    async with serving(api.app()) as base:
        account = {"appid": APPID, "secret": SECRET, "token": TOKEN, "aes_keys": f"{KEY},{OLD_KEY}", "api": base}
        yield Side(comes, {f"wechat.{key}": value for key, value in account.items()})
