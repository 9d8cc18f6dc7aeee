"""A citizen's page that calls: its offer as its chat hands it on, and its end of the sound."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from channels.browser.adapter import BrowserChannel
from channels.browser.settings import BrowserSettings
from channels.calls import CallRefused
from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from media.announcement import PIECES
from media.engine import Engine
from media.g711 import Law
from media.prompts import PromptLibrary
from queueing.memory import MemoryStore
from session.address import Address
from session.ids import NodeId
from session.ports import NodeMail
from tests.channels.browser.page import Told, microphone
from tests.channels.far_end import NODE, Door, FarEnd
from tests.channels.phone.core import Core
from tests.media.secret_phone import PagePhone

WHO = Address("web", "5f1d")
REFUSED = 503


@asynccontextmanager
async def exchange(
    inbox: Door | Core, folder: Path, *, node: NodeId = NODE, mail: NodeMail | None = None
) -> AsyncIterator[tuple[PhoneChannel, Engine]]:
    """Whoever has the agents' telephones."""
    core = inbox if isinstance(inbox, Core) else Core()
    prompts = PromptLibrary({name: dict.fromkeys(Law, b"U" * 800) for name in PIECES})
    settings = PhoneSettings(port=0, debts=folder / "debts.jsonl", store_patience_s=0.2)
    async with (
        Engine(prompts) as audio,
        PhoneChannel(
            settings,
            node=node,
            mail=mail,
            inbox=inbox,
            audio=audio,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=None,
        ) as phone,
    ):
        yield phone, audio


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    async with exchange(door, folder) as (phone, _):
        channel = BrowserChannel(BrowserSettings(), exchange=phone, shared=store.shared, is_open=lambda: True)

        @asynccontextmanager
        async def citizen() -> AsyncIterator[None]:
            async with PagePhone() as page:
                answered = await channel.call(WHO, page.page_sdp("actpass"), None, Told())
                page.take(answered.description)
                async with microphone(page):
                    yield
                channel.hang_up(WHO, answered.leg)

        async def knock() -> int:
            async with PagePhone() as page:
                try:
                    answered = await channel.call(WHO, page.page_sdp("actpass"), None, Told())
                except CallRefused as refused:
                    return REFUSED if refused.retryable else 400
                channel.hang_up(WHO, answered.leg)
                return 200

        yield FarEnd(channel, door, store, citizen, knock)
