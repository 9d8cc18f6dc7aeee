"""The built pages, served by a gateway of their own, in a real Chromium."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.peers.browser import Chromium, Window
from tests.peers.words import Language
from tests.peers.yihao import Yihao


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """One for all tests of a module: none of them breaks it."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data")
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


@pytest.fixture
async def window(chromium: Chromium, language: Language) -> AsyncIterator[Callable[..., Awaitable[Window]]]:
    """Opens a window of that size at an address, in the language of the run."""
    async with AsyncExitStack() as stack:

        async def make(address: str, size: tuple[int, int] = (1440, 900)) -> Window:
            one = await chromium.window(size, language=language)
            stack.push_async_callback(one.close)
            await one.open(address)
            return one

        yield make
