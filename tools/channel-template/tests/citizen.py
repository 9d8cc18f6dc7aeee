"""A citizen of Postbox: takes part in the one dialogue that runs on every channel."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.channels.citizen import Citizen, Side, Written
from tests.channels.postbox.provider import SECRET, Provider, providing
from tests.conftest import Eventually
from tests.peers.yihao import Yihao


@dataclass
class ByPostbox(Written):
    provider: Provider = field(kw_only=True)
    channel: str = "postbox"
    letters: int = 0

    async def says(self, words: str) -> None:
        self.letters += 1
        assert await self.provider.brings({"id": f"l{self.letters}", "from": "citizen", "text": words}) == 200

    def got(self) -> list[str]:
        return self.provider.boxes.get("citizen", [])

    async def leaves(self) -> bool:
        return False


@asynccontextmanager
async def living(eventually: Eventually) -> AsyncIterator[Side]:
    """A provider with which we have a secret."""
    async with providing() as provider:

        @asynccontextmanager
        async def comes(hotline: Yihao) -> AsyncIterator[Citizen]:
            provider.hotline = hotline.http
            yield ByPostbox(eventually, provider=provider)

        yield Side(comes, {"postbox.url": provider.url, "postbox.secret": SECRET})
