"""A caller on a real telephone's signalling."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from media.announcement import PIECES
from media.engine import Engine
from media.g711 import Law
from media.prompts import PromptLibrary
from queueing.memory import MemoryStore
from tests.channels.far_end import NODE, Door, FarEnd
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone


@asynccontextmanager
async def opened(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[FarEnd]:
    core = Core()
    prompts = PromptLibrary({name: dict.fromkeys(Law, b"U" * 800) for name in PIECES})
    settings = PhoneSettings(port=0, trunks=("127.0.0.0/8",), debts=folder / "debts.jsonl", store_patience_s=0.2)
    async with (
        Engine(prompts) as audio,
        PhoneChannel(
            settings,
            node=NODE,
            inbox=door,
            audio=audio,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=None,
        ) as channel,
    ):

        @asynccontextmanager
        async def citizen() -> AsyncIterator[None]:
            async with Telephone(channel.bound) as telephone:
                dialled = await telephone.call()
                yield
                dialled.bye()

        async def knock() -> int:
            async with Telephone(channel.bound) as telephone:
                dialled = await telephone.call()
                dialled.bye()
                return dialled.answer.status

        yield FarEnd(channel, door, store, citizen, knock)
