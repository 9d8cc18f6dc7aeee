"""The phone on a free port, with the real audio engine and a core in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from channels.phone.sip.timing import Timing
from media.announcement import PIECES
from media.engine import Engine
from media.g711 import Law
from media.prompts import PromptLibrary
from session.ids import NodeId, RecordingId
from session.ports import NodeMail
from tests.channels.phone.core import Core

LOOPBACK = ("127.0.0.0/8",)
OpenPhone = Callable[..., AbstractAsyncContextManager[PhoneChannel]]


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def prompts() -> PromptLibrary:
    """Every piece, a tenth of a second long."""
    return PromptLibrary({name: dict.fromkeys(Law, b"U" * 800) for name in PIECES})


@pytest.fixture
def open_phone(core: Core, prompts: PromptLibrary, tmp_path: Path) -> OpenPhone:
    @asynccontextmanager
    async def opened(
        node: str = "n1",
        mail: NodeMail | None = None,
        timing: Timing | None = None,
        recording_path: Callable[[RecordingId], Path] | None = None,
        nonce_secret: bytes | None = None,
        **settings: object,
    ) -> AsyncIterator[PhoneChannel]:
        values: dict[str, object] = {"port": 0, "trunks": LOOPBACK, "debts": tmp_path / "debts"}
        async with (
            Engine(prompts) as audio,
            PhoneChannel(
                PhoneSettings(**(values | settings)),  # type: ignore[arg-type]  # a test's own keys
                node=NodeId(node),
                inbox=core,
                audio=audio,
                shared=core,
                telephones=core,
                reachability=core,
                choices=core,
                beginnings=core,
                handover=core,
                recording_path=recording_path,
                mail=mail,
                nonce_secret=nonce_secret,
                timing=timing,
            ) as phone,
        ):
            yield phone

    return opened


@pytest.fixture
async def phone(open_phone: OpenPhone) -> AsyncIterator[PhoneChannel]:
    async with open_phone() as opened:
        yield opened
