"""`yihao demo` against a real gateway: a city of real callers, pages and agents, and the wallboard that shows it.

With `--long` the city lives longer, and the picture of docs/screenshots is taken anew.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.peers.browser import Chromium
from tests.peers.yihao import HOUSE, Yihao
from tests.web.test_pages import log_in

YIHAO = Path(sys.executable).with_name("yihao")
LINE = re.compile(
    r"chats (\d+)   来电 calls (\d+)   接通 answered (\d+)   放弃 gave up \d+   办结 written up (\d+)   .* (\d+)"
)


@pytest.fixture
async def gateway(short_folder: Path) -> AsyncIterator[Yihao]:
    async with Yihao(short_folder / "data") as yihao:
        yield yihao


def _demo(gateway: Yihao, seconds: int, haste: int) -> "asyncio.Future[str]":
    command = [str(YIHAO), "demo", "--data", str(gateway.data), "--http", gateway.http, "--sip", gateway.sip_text]
    command += ["--seconds", str(seconds), "--haste", str(haste)]

    def run() -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
        assert done.stderr == ""
        return done.stdout

    return asyncio.ensure_future(asyncio.to_thread(run))


async def test_a_city_comes_alive(gateway: Yihao, long_run: bool) -> None:
    """What the people outside did is what the figures say, recounted from the events."""
    city = _demo(gateway, *((120, 2) if long_run else (10, 6)))
    if long_run:
        browser = await asyncio.to_thread(Chromium().start)
        wall = await browser.window((1440, 900))
        await wall.open(f"{gateway.http}/desk")
        await log_in(wall, gateway, "8004")
        await wall.click(".rail .item:has-text('监控')")
        await asyncio.sleep(100)
        await wall.picture(HOUSE / "docs" / "screenshots" / "desk-wallboard-city.png")
        await asyncio.to_thread(browser.stop)
    said = await city
    found = LINE.findall(said)
    assert found, said
    chats, calls, answered, written_up, trouble = (int(one) for one in found[-1])
    assert min(chats, calls, answered, written_up) > 0, said
    assert trouble <= (chats + calls) // 4, said
    figures = subprocess.run(
        [str(YIHAO), "figures", "--data", str(gateway.data)], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    counted = re.search(r"^came +(\d+) ", figures, re.MULTILINE)
    assert counted, figures
    assert 0 < int(counted[1]) <= chats + calls


def test_nobody_there_is_told(short_folder: Path) -> None:
    done = subprocess.run(
        [str(YIHAO), "demo", "--data", str(short_folder)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "start the gateway first (make run)" in done.stderr
