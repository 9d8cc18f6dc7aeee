"""A citizen's page that calls: its end of the sound, and what its chat is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from media.g711 import SILENCE
from session.ids import LegId, SessionId
from session.state import LegEnd
from tests.media.secret_phone import PagePhone

FRAME = 160


@dataclass
class Told:
    """What the page's chat hears of its call."""

    sessions: list[SessionId] = field(default_factory=list)
    ends: list[tuple[LegId, LegEnd]] = field(default_factory=list)

    def admitted(self, session: SessionId) -> None:
        self.sessions.append(session)

    def over(self, leg: LegId, reason: LegEnd) -> None:
        self.ends.append((leg, reason))


@asynccontextmanager
async def microphone(page: PagePhone) -> AsyncIterator[None]:
    """The page is connected, and sends the silence of a person who listens, until the end of the block."""

    async def run() -> None:
        while True:
            page.send(bytes([SILENCE[page.law][0]]) * FRAME)
            page.timestamp = (page.timestamp + FRAME) & 0xFFFFFFFF
            await asyncio.sleep(0.02)

    async with asyncio.timeout(15):
        await page.connected.wait()
    sending = asyncio.create_task(run())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
