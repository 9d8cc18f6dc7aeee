"""A caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.channels.citizen import ALIKE, DEADLINE_S, Citizen, Side, sound_of
from tests.conftest import Eventually
from tests.peers.caller import Call, Telephones
from tests.peers.rtp import RtpEnd
from tests.peers.sound import likeness
from tests.peers.yihao import Yihao


@dataclass
class OnTheTelephone:
    phones: Telephones
    eventually: Eventually
    channel: str = "phone"
    speaks: bool = True
    call: Call | None = None

    async def says(self, words: str) -> None:
        if self.call is None:
            self.call = await self.phones.call()
            await self.call.answered(DEADLINE_S)
            return
        await self._sound.say(sound_of(words))

    async def hears(self, words: str) -> None:
        await self.eventually(
            lambda: likeness(sound_of(words), self._sound.heard()).correlation >= ALIKE, deadline_s=DEADLINE_S
        )

    async def leaves(self) -> bool:
        assert self.call is not None
        assert await self.call.hang_up() == 200
        return True

    @property
    def _sound(self) -> RtpEnd:
        assert self.call is not None
        return self.call.sound


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """The telephone is always there."""

    @asynccontextmanager
    async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
        async with Telephones(hotline.sip) as phones:
            yield OnTheTelephone(phones, eventually)

    yield Side(comes)
