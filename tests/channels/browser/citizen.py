"""A citizen who calls from the page: its socket and its sound, by hand."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.channels.browser.page import microphone
from tests.channels.citizen import ALIKE, DEADLINE_S, Citizen, Side, sound_of
from tests.conftest import Eventually
from tests.media.secret_phone import PagePhone
from tests.peers.pages import CitizenPage
from tests.peers.sound import likeness
from tests.peers.yihao import Yihao


@dataclass
class OnThePagesLine:
    page: CitizenPage
    end: PagePhone
    eventually: Eventually
    silence: AsyncExitStack
    """What is sent between two words."""
    channel: str = "browser"
    speaks: bool = True
    call: str = ""

    async def says(self, words: str) -> None:
        if not self.call:
            await self.page.command("call.offer", description=self.end.page_sdp("actpass").decode())
            answer = await self.page.saw("call.answer", DEADLINE_S)
            self.call = answer["call"]
            self.end.take(answer["description"].encode())
            await self.silence.enter_async_context(microphone(self.end))
            return
        await self.silence.aclose()
        await self.end.say(sound_of(words))
        await self.silence.enter_async_context(microphone(self.end))

    async def hears(self, words: str) -> None:
        await self.eventually(
            lambda: likeness(sound_of(words), self.end.heard()).correlation >= ALIKE, deadline_s=DEADLINE_S
        )

    async def leaves(self) -> bool:
        await self.page.command("call.end", call=self.call)
        await self.page.saw("call.over", DEADLINE_S, call=self.call, reason="hangup")
        return True


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """The page is always there."""

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with CitizenPage(hotline.http) as page, PagePhone() as end, AsyncExitStack() as pause:
            await page.open()
            yield OnThePagesLine(page, end, eventually, pause)

    yield Side(comes)
