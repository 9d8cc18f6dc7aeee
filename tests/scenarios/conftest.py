"""What every story needs: a gateway, telephones, pages, and what a caller ought to hear."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.peers.baresip import Baresip
from tests.peers.browser import Chromium, Window
from tests.peers.caller import Telephones
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.sound import Sound, read_wave
from tests.peers.timeline import draw_timeline, page
from tests.peers.words import Language
from tests.peers.yihao import HOUSE, Yihao
from tests.scenarios.kinds import Draws, OpensWindow, Placed

SHORT_WAITS = {
    "agents.offer_lease_s": "4",
    "agents.decline_pause_s": "1",
    "session.wrap_s": "1",
    "bots.guide": "false",
    "drain.bound_s": "20",
}
"""So that a story is told in seconds. The guide is a story of its own: it would take the first chat of each test."""


def running(sets: dict[str, str]) -> Iterator[Yihao]:
    """A gateway with these settings, for the fixture of a module to yield."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", sets)
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """One for all tests of a module that leave it as they found it."""
    yield from running({**SHORT_WAITS, "media.workers": "1"})


@pytest.fixture
async def own_gateway(short_folder: Path) -> AsyncIterator[Callable[..., Yihao]]:
    """Makes gateways that the test may break, not yet started; a setting is named `section__key`."""
    async with AsyncExitStack() as stack:

        def make(data: str = "data", **sets: str) -> Yihao:
            named = {key.replace("__", "."): value for key, value in sets.items()}
            yihao = Yihao(short_folder / data, {**SHORT_WAITS, **named})
            stack.push_async_exit(yihao)
            return yihao

        yield make


@pytest.fixture
async def softphone(tmp_path: Path) -> AsyncIterator[Callable[..., object]]:
    """Makes an agent's softphone and registers it: `await softphone(gateway, "8001")`."""
    async with AsyncExitStack() as stack:

        async def make(
            gateway: Yihao,
            extension: str,
            *,
            answers: bool = False,
            says: Sound | None = None,
            transport: str = "udp",
            password: str | None = None,
        ) -> Baresip:
            phone = Baresip(
                tmp_path / f"baresip-{extension}",
                gateway.sip_text,
                extension,
                password or gateway.agent(extension).sip_password,
                answers=answers,
                transport=transport,
                says=says,
            )
            await stack.enter_async_context(phone)
            await phone.registered()
            return phone

        yield make


@pytest.fixture
async def telephones(gateway: Yihao) -> AsyncIterator[Telephones]:
    """Citizens' telephones that call the module's gateway."""
    async with Telephones(gateway.sip) as phones:
        yield phones


@pytest.fixture
async def desk() -> AsyncIterator[Callable[..., object]]:
    """Opens an agent's desk: `await desk(gateway, "8001")`; several gateways may be given."""
    async with AsyncExitStack() as stack:

        async def make(gateway: Yihao, extension: str, *others: Yihao) -> DeskPage:
            agent = (gateway if gateway.ready["credentials"] else others[0]).agent(extension)
            page = DeskPage(agent.login, agent.password, gateway.http, *(other.http for other in others))
            await stack.enter_async_context(page)
            await page.open()
            return page

        yield make


@pytest.fixture
async def citizen() -> AsyncIterator[Callable[..., object]]:
    """Opens a citizen's web chat: `await citizen(gateway)`."""
    async with AsyncExitStack() as stack:

        async def make(*gateways: Yihao) -> CitizenPage:
            page = CitizenPage(*(gateway.http for gateway in gateways))
            await stack.enter_async_context(page)
            await page.open()
            return page

        yield make


def prompt(name: str) -> Sound:
    """A sound that the gateway plays, by its name."""
    return read_wave(HOUSE / "media" / "prompts" / "zh" / f"{name}.wav")[0]


@pytest.fixture
async def window(chromium: Chromium, language: Language) -> AsyncIterator[OpensWindow]:
    async with AsyncExitStack() as stack:

        async def make(address: str, **form: object) -> Window:
            one = await chromium.window(language=language, **form)  # type: ignore[arg-type]  # as Chromium has them
            stack.push_async_callback(one.close)
            await one.open(address)
            return one

        yield make


@pytest.fixture
def album(tmp_path: Path, long_run: bool) -> Path:
    return HOUSE / "docs" / "timelines" if long_run else tmp_path


@pytest.fixture
async def draws(request: pytest.FixtureRequest, album: Path, long_run: bool) -> Draws:
    """Draws a session's timeline, as the gateway's history has it; every day no further than the page itself."""
    chromium: Chromium | None = request.getfixturevalue("chromium") if long_run else None

    async def draw(name: str, title: str, placed: Placed) -> None:
        if chromium is None:
            assert title in page(title, placed)
            return
        sheet = await chromium.window((1100, 600))
        await draw_timeline(sheet, title, placed, album / name)
        await sheet.close()

    return draw
