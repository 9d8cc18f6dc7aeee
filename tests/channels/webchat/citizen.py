"""A citizen with the page open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.channels.citizen import DEADLINE_S, Citizen, Side, Written
from tests.conftest import Eventually
from tests.peers.pages import CitizenPage
from tests.peers.yihao import Yihao


@dataclass
class OnThePage(Written):
    page: CitizenPage = field(kw_only=True)
    channel: str = "webchat"

    async def says(self, words: str) -> None:
        await self.page.write(words, DEADLINE_S)

    def got(self) -> list[str]:
        return [str(one["text"]) for one in self.page.messages() if one["from"] != "citizen"]

    async def leaves(self) -> bool:
        await self.page.command("session.end")
        return True


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """The page is always there."""

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with CitizenPage(hotline.http) as page:
            await page.open()
            yield OnThePage(eventually, page=page)

    yield Side(comes)
