"""An agent who has only a browser: Chromium with a microphone that beeps takes the call of a SIP telephone."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.browser import Window
from tests.peers.cable import Cable
from tests.peers.caller import Call, Telephones
from tests.peers.sound import FRAME, RATE, Sound, tone
from tests.peers.yihao import HOUSE, Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import OpensWindow
from tests.scenarios.test_browser import log_in
from tests.scenarios.test_phone import hears, music
from tests.web.test_pages import breaches, no

CITIZEN_HZ = 700
MUTED = """
    window.lent = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async () => new AudioContext().createMediaStreamDestination().stream;
"""
PICK = """() => {
    const choice = document.querySelector(".devices select");
    choice.selectedIndex = 1;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
}"""
LOUD, QUIET = 300.0, 60.0
BEEP = 9000.0
"""No music is so loud."""


@pytest.fixture
def album(tmp_path: Path, long_run: bool) -> Path:
    return HOUSE / "docs" / "screenshots" if long_run else tmp_path


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    yield from running({**SHORT_WAITS, "agents.offer_lease_s": "20", "session.wrap_s": "30"})


async def test_a_call_outlives_the_page_that_it_is_taken_in(
    gateway: Yihao, telephones: Telephones, window: OpensWindow, eventually: Eventually, album: Path
) -> None:
    async with Cable(gateway.http) as cable:
        page = await window("about:blank")
        await page.tap()
        await page.open(f"{cable.address}/desk/")
        await log_in(page, gateway.agent("8001"))
        await becomes_ready(page, album)
        call = await telephones.call()
        await call.answered(15.0)
        await page.click(".offer .accept")
        async with talking(call):
            await both_ways(page, call, eventually)

            # Loaded again: the page is in its call without a hand being lifted.
            before = len(call.sound.heard())
            await page.reload()
            await both_ways(page, call, eventually)
            print(f"without the agent for {longest_pause_s(call.sound.heard()[before - RATE :]):.2f} s")

            # Gone, as when it crashes: there is music until it is there again.
            before = len(call.sound.heard())
            await page.open("about:blank")
            await hears(call.sound, *music(), after=before)
            await page.open(f"{cable.address}/desk/")
            await both_ways(page, call, eventually)
            await page.sees(".timeline :has-text('坐席页面断开')", deadline_s=20)
            await page.sees(".timeline :has-text('坐席页面恢复')", deadline_s=20)

            # Only the socket is cut: the sound goes on, and the page takes its dialog up by another one.
            cable.cut()
            await page.sees(".item.phone.lost", deadline_s=20)
            cable.mend()
            await both_ways(page, call, eventually)
        assert await call.hang_up() == 200
        await page.sees(".item.phone.idle", deadline_s=20)


async def becomes_ready(page: Window, album: Path) -> None:
    """By a trial, which a microphone that is muted fails; another one is picked, and the agent is ready."""
    await page.evaluate(MUTED)
    await page.click(".item.phone")
    await page.sees(".item.phone.idle", deadline_s=20)
    await page.click(".presence")
    await page.click(".el-dropdown-menu__item:has-text('就绪') >> nth=0")
    await page.sees(".step.failed:has-text('静音键')", deadline_s=20)
    await page.sees(".step.passed:has-text('连接')", deadline_s=20)
    await page.sees(".step.passed:has-text('毫秒')", deadline_s=20)
    assert "就绪" not in await page.sees(".presence")
    assert no(await breaches(page))
    await page.picture(album / "desk-telephone-trial.png")
    await page.evaluate("(navigator.mediaDevices.getUserMedia = window.lent, 0)")
    await page.evaluate(f"({PICK})()")
    await page.sees(".presence:has-text('就绪')", deadline_s=20)
    await page.sees_no(".step")


@asynccontextmanager
async def talking(call: Call) -> AsyncIterator[None]:
    """The citizen hums all the while."""
    voice = asyncio.create_task(call.sound.say(tone(CITIZEN_HZ, 120)))
    try:
        yield
    finally:
        voice.cancel()
        await asyncio.gather(voice, return_exceptions=True)


async def both_ways(page: Window, call: Call, eventually: Eventually) -> None:
    """The page hears the citizen's tone, and the citizen the page's beeps, from now on."""
    await page.sees(".item.phone.talking", deadline_s=20)
    start = len(call.sound.heard())
    await eventually(lambda: beeps(call.sound.heard()[start:]), deadline_s=20)
    await eventually(lambda: _hears(page, CITIZEN_HZ), deadline_s=20)


async def _hears(page: Window, hertz: int) -> bool:
    return abs(await page.hears_hz() - hertz) < 15


def frames(sound: Sound) -> Sound:
    """The loudness of each 20 ms."""
    whole = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    return np.asarray(np.sqrt(np.mean(whole**2, axis=1)))


def beeps(sound: Sound) -> bool:
    """Whether the last second is a page's: short beeps, and quiet between them, as no music is."""
    levels = frames(sound[-RATE:])
    if len(levels) < RATE // FRAME:
        return False
    return bool(0 < np.sum(levels > LOUD) < len(levels) / 2 and np.sum(levels < QUIET) > len(levels) / 3)


def longest_pause_s(sound: Sound) -> float:
    """Between two beeps, of which two a second are due."""
    at = np.flatnonzero(frames(sound) > BEEP)
    return max((int(after - before) for before, after in pairwise(at)), default=0) * FRAME / RATE
