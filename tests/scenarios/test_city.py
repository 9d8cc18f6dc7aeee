"""`yihao demo` against a real gateway: a city of real callers, pages and agents, and the wallboard that shows it.

For the picture of docs/screens the city lives longer.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.peers.browser import Chromium, Window
from tests.peers.looks import Album
from tests.peers.preloaded import nursery
from tests.peers.words import Language
from tests.peers.yihao import Yihao
from tests.web.test_pages import log_in

LINE = re.compile(
    r"chats (\d+)   来电 calls (\d+)   接通 answered (\d+)   放弃 gave up \d+   办结 written up (\d+)   .* (\d+)"
)


@pytest.fixture
async def gateway(short_folder: Path) -> AsyncIterator[Yihao]:
    async with Yihao(short_folder / "data") as yihao:
        yield yihao


async def _yihao(folder: Path, *arguments: str, deadline_s: float) -> tuple[int, str]:
    """A command's exit code, and all that it said."""
    said = folder / f"{arguments[0]}.txt"
    child = await asyncio.to_thread(nursery().start, arguments, said)
    return await asyncio.to_thread(child.wait, deadline_s), said.read_text()


def _demo(gateway: Yihao, folder: Path, seconds: int, haste: int) -> "asyncio.Future[tuple[int, str]]":
    command = ["demo", "--data", str(gateway.data), "--http", gateway.http, "--sip", gateway.sip_text]
    command += ["--seconds", str(seconds), "--haste", str(haste)]
    return asyncio.ensure_future(_yihao(folder, *command, deadline_s=seconds + 60))


async def _fills(wall: Window) -> None:
    """Within a minute there is somebody or something in every part of the wallboard."""
    async with asyncio.timeout(60):
        await wall.sees(f".live tbody tr{wall.says('wallboard.phase.active')}", 60)
        await wall.sees(f".agents li.blue{wall.says('presence.routing.engaged')}", 60)
        await wall.sees(".figure:nth-child(1) b:not(:text-is('0'))", 60)
        await wall.sees(f".queues tbody tr{wall.says('queues.general')}", 60)
        await wall.sees(".course canvas", 60)


async def test_a_city_comes_alive(
    gateway: Yihao, chromium: Chromium, language: Language, short_folder: Path, screens: Album
) -> None:
    """It is seen on the wallboard, and what the people outside did is what the figures say, recounted from events."""
    wall = await chromium.window(language=language)
    await wall.open(f"{gateway.http}/desk")
    await log_in(wall, gateway, "8004")
    await wall.click(f".rail .item{wall.says('rail.wallboard')}")
    city = _demo(gateway, short_folder, *((120, 2) if screens.is_open else (8, 6)))
    await _fills(wall)
    if screens.is_open:
        await asyncio.sleep(60)
        await screens.shows_desk(wall, "desk-wallboard-city")
    await wall.close()
    code, said = await city
    assert code == 0, said
    assert "Traceback" not in said
    found = LINE.findall(said)
    assert found, said
    chats, calls, answered, written_up, trouble = (int(one) for one in found[-1])
    assert min(chats, calls, answered, written_up) > 0, said
    assert trouble <= (chats + calls) // 4, said
    _, figures = await _yihao(short_folder, "figures", "--data", str(gateway.data), deadline_s=60)
    counted = re.search(r"^came +(\d+) ", figures, re.MULTILINE)
    assert counted, figures
    assert 0 < int(counted[1]) <= chats + calls


async def test_nobody_there_is_told(short_folder: Path) -> None:
    code, said = await _yihao(short_folder, "demo", "--data", str(short_folder), deadline_s=60)
    assert code == 1
    assert "start the gateway first (make run)" in said
