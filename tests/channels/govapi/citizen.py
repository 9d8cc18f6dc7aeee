"""A user of a government platform."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from tests.channels.citizen import DEADLINE_S, Citizen, Side, Written
from tests.conftest import Eventually
from tests.peers.platform import CLIENT, SECRET, Platform
from tests.peers.yihao import Yihao


@dataclass
class OnAPlatform(Written):
    platform: Platform = field(kw_only=True)
    channel: str = "govapi"
    session: str = ""

    async def says(self, words: str) -> None:
        if not self.session:
            self.session = await self.platform.opens("u1", words)
            return
        assert (await self.platform.ask("sendText", {"text": words}, session=self.session)).status == 201

    async def hears(self, words: str) -> None:
        async def is_heard() -> bool:
            return words in await self.platform.texts(self.session)

        await self.eventually(is_heard, deadline_s=DEADLINE_S)
        assert (await self.platform.texts(self.session)).count(words) == 1

    async def leaves(self) -> bool:
        assert (await self.platform.ask("endSession", session=self.session)).status == 200
        return True


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """A platform that has a secret of ours."""

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with aiohttp.ClientSession() as http:
            platform = Platform(http, hotline.http)
            await platform.learn()
            yield OnAPlatform(eventually, platform=platform)

    yield Side(comes, {"govapi.clients": f'[{{id = "{CLIENT}", secrets = ["{SECRET}"]}}]'})
