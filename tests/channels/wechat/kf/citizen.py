"""Somebody who writes to WeChat customer service."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.channels.citizen import Citizen, Side, Written
from tests.channels.wechat.kf.standin import CITIZEN, CORPID, KFID, SECRET, TOKEN, WeCom, called
from tests.channels.wechat.rig import OLD_KEY, Wire
from tests.conftest import Eventually
from tests.peers.wechat import serving
from tests.peers.yihao import Yihao


@dataclass
class InWeCom(Written):
    wire: Wire = field(kw_only=True)
    wecom: WeCom = field(kw_only=True)
    channel: str = "wechat-kf"

    async def says(self, words: str) -> None:
        self.wecom.keep("text", {"content": words})
        assert await called(self.wire) == 200

    def got(self) -> list[str]:
        return [str(one["text"]["content"]) for one in self.wecom.sent if one["touser"] == CITIZEN]

    async def leaves(self) -> bool:
        return False


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """WeCom, which knows the account."""
    wecom = WeCom()

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with aiohttp.ClientSession() as http:
            yield InWeCom(eventually, wire=Wire(http, f"{hotline.http}/api/wechat/kf", time.time), wecom=wecom)

    async with serving(wecom.app()) as base:
        account = {
            "corpid": CORPID,
            "open_kfid": KFID,
            "secret": SECRET,
            "token": TOKEN,
            "aes_keys": OLD_KEY,
            "api": base,
        }
        yield Side(comes, {f"wechat_kf.{key}": value for key, value in account.items()})
