"""A shift at the desk, in a real Chromium: offers that ring, are declined, are missed; two talks; the write-up."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Eventually
from tests.peers.browser import DESKTOP, Window
from tests.peers.looks import Album, breaches, no
from tests.peers.pages import OWN_PAGE, CitizenPage
from tests.peers.yihao import Yihao
from tests.scenarios.test_browser import make_ready
from tests.web.test_pages import OpensWindow, log_in

LISTENS = """
    window.rung = 0;
    window.titles = new Set();
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { window.rung++; return start.apply(this, when); };
    setInterval(() => window.titles.add(document.title), 50);
"""
"""How often it has rung, and every title that its window has had."""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
NOTE_NEEDED = {"needed": [{"fields": ["kind"]}, {"fields": ["note"], "kind": "举报"}], "extend_s": 60, "extensions": 2}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """Whoever declines or misses an offer is asked again soon."""
    sets = {"bots.guide": "false", "agents.offer_lease_s": "6", "agents.decline_pause_s": "0.5"}
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", sets)
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


async def _needs_notes(gateway: Yihao) -> None:
    """The administrator's rule: what is reported (举报) is written up with a note."""
    admin = gateway.agent("8009")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=OWN_PAGE) as http:
        given = {"login": admin.login, "password": admin.password}
        async with http.post(f"{gateway.http}/api/login", json=given) as answer:
            assert answer.status == 200
        change = {"document": NOTE_NEEDED, "expected": 0, "why": "举报须有摘要"}
        async with http.post(f"{gateway.http}/api/admin/rules/wrap", json=change) as answer:
            assert answer.status == 200, await answer.text()


def _seconds(shown: str) -> int:
    """Of the time that stands there, among other words."""
    clock = re.search(r"(\d+):(\d+)", shown)
    assert clock, shown
    return 60 * int(clock[1]) + int(clock[2])


async def test_an_offer_rings_is_declined_is_missed_and_waits_for_the_agents_own_act(
    gateway: Yihao, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await desk.before_all(LISTENS)
    await log_in(desk, gateway, "8001")
    await desk.click(".presence")
    await desk.sees(f".el-dropdown-menu__item{desk.says('presence.reasons.meal')}")
    await screens.shows(desk, "desk-presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.reasons.meal')}")
    await desk.sees(f".presence{desk.says('presence.reasons.meal')}")
    await eventually(lambda: _timer_runs(desk))
    await make_ready(desk)

    async with CitizenPage(gateway.http) as citizen:
        await citizen.write("路灯不亮")
        offered = await desk.sees(".offer:has(.accept)")
        told = ("medium.chat", "channel.webchat", "queues.general", "offer.waited", "why.only")
        assert all(desk.words(word) in offered for word in told), offered
        await eventually(lambda: _bar_shrinks(desk))
        blinked = f"[...titles].some((one) => one.startsWith('{desk.words('offer.title')}'))"
        await eventually(lambda: desk.evaluate(f"window.rung >= 4 && {blinked}"))
        await desk.press("Shift+F2")
        await desk.sees_no(".offer")
        await desk.sees(".offer .accept")  # nobody else is there

        await desk.sees(f".missed{desk.says('presence.missed_title')}")
        await desk.sees(f".presence{desk.says('presence.routing.not_responding')}")
        assert no(await breaches(desk))
        await screens.shows_desk(desk, "desk-missed")
        await desk.reload()
        await desk.sees(".missed")
        assert await desk.count(".offer") == 0, "a reload makes nobody ready"
        await desk.click(".missed button")
        await desk.sees(".offer .accept")
        await desk.press("F2")
        await desk.sees(".timeline .message:has-text('路灯不亮')")

        await desk.click(".presence")
        await desk.click(f".el-dropdown-menu__item{desk.says('presence.reasons.meeting')}")
        await desk.sees(f".presence small{desk.says('presence.next')}")
        await desk.press("F9")
        await desk.click(".finish-sure .el-button--primary")
        await desk.click(".wrap .el-radio-button:nth-child(2)")
        await desk.press("F9")
        await desk.sees(f".presence{desk.says('presence.reasons.meeting')}")
    assert [one for one in desk.complaints if "401" not in one] == []


async def test_two_talks_at_once_and_a_write_up_by_rule(
    gateway: Yihao, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    await _needs_notes(gateway)
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(desk, gateway, "8002")
    await make_ready(desk)
    async with CitizenPage(gateway.http) as lamp, CitizenPage(gateway.http) as water:
        for citizen, words in ((lamp, "路灯不亮"), (water, "小区停水")):
            await citizen.write(words)
            await desk.sees(".offer .accept")
            await desk.press("F2")
            await desk.sees(f".timeline .message:has-text('{words}')")
            await desk.sees_no(".offer")  # or the key would be pressed at this one again
        assert await desk.count(".tab") == 2
        timers = await desk.texts(".tab .times span")
        assert len(timers) == 4, "since it came, and since the last word, of each"
        said = await lamp.write("还在吗？")
        await desk.sees(".tab:not(.here) .badge:text-is('1')")
        await screens.shows_desk(desk, "desk-two-talks")
        await desk.press("Alt+ArrowUp")
        await desk.sees(".tab.here .line:has-text('还在吗')")
        await lamp.saw("msg.state", id=said, state="read")
        await desk.sees_no(".tab .badge")

        await desk.type(".talk .composer textarea", "正在为您查")
        await desk.reload()
        await desk.sees(".talk .composer textarea")
        assert await desk.evaluate("document.querySelector('.talk .composer textarea').value") == "正在为您查"
        told = [desk.words(f"places.{one}") for one in ("knowledge", "transcript", "order")]
        assert [one.strip() for one in await desk.texts(".beside .place summary")] == told

        await desk.press("F9")
        await desk.click(".finish-sure .el-button--primary")
        await desk.sees(".wrap .longer")
        before = _seconds(await desk.sees(".wrap .left"))
        await desk.press("Alt+l")
        await eventually(lambda: _left_is_over(desk, before + 40))
        await desk.click(".wrap .longer")
        await desk.sees_no(".wrap .longer")  # twice, as the rule says
        await desk.click(".wrap .el-radio-button:nth-child(4)")
        await desk.press("F9")
        await desk.sees(f".wrap .bad{desk.says('wrap.note_needed')}")
        assert no(await breaches(desk))
        await screens.shows(desk, "desk-wrap-refused")
        await desk.write(".wrap textarea", "河边倒垃圾，已转执法队")
        await desk.press("F9")
        await desk.sees_no("form.wrap")
        await desk.sees(".timeline .message:has-text('小区停水')")
        await desk.press("F9")
        await desk.click(".finish-sure .el-button--primary")
    assert [one for one in desk.complaints if "401" not in one] == []


@pytest.mark.parametrize("language", ["zh"])
async def test_a_contact_in_english_from_the_login_to_the_write_up(gateway: Yihao, window: OpensWindow) -> None:
    """By the switch at the login; nothing that comes, is asked or is to be written up is left in Chinese."""
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await desk.click(".language")
    await desk.sees("h1:has-text('Sign in to the desk')")
    await log_in(desk, gateway, "8003")
    await desk.click(".presence")
    await desk.click(".el-dropdown-menu__item:has-text('Ready for offers')")
    await desk.sees(".presence:has-text('Ready')")
    async with CitizenPage(gateway.http) as citizen:
        await citizen.write("The street lamp is out")
        offered = await desk.sees(".offer:has(.accept)")
        assert all(words in offered for words in ("New chat", "Web", "General", "waited", "Accept", "Decline")), offered
        assert not CHINESE.search(offered), offered
        await desk.press("F2")
        await desk.sees(".timeline .message:has-text('The street lamp is out')")
        assert not CHINESE.search(await desk.sees(".timeline"))
        await desk.type(".talk .composer textarea", "Where is it?")
        await desk.press("Enter")
        said = await citizen.until(lambda one: one["t"] == "msg.new" and one["from"] == "agent", 20.0, "the answer")
        assert said["text"] == "Where is it?"
        await desk.click(".presence")
        await desk.click(".el-dropdown-menu__item:has-text('Meeting')")
        await desk.press("F9")
        await desk.click(".finish-sure .el-button--primary")
        asked = await desk.sees("form.wrap")
        assert not CHINESE.search(asked), asked
        await desk.click(".wrap .el-radio-button:nth-child(2)")
        await desk.write(".wrap textarea", "Passed on to the lamp office")
        await desk.press("F9")
        await desk.sees(".presence:has-text('Meeting')")
    assert [one for one in desk.complaints if "401" not in one] == []


async def _timer_runs(desk: Window) -> bool:
    return _seconds(await desk.sees(".presence time")) > 0


async def _bar_shrinks(desk: Window) -> bool:
    """The bar below an offer is as wide as the time that is left of it."""
    share = "new DOMMatrix(getComputedStyle(document.querySelector('.offer .bar i')).transform).a"
    return 0 < float(await desk.evaluate(share)) < 0.9


async def _left_is_over(desk: Window, seconds: int) -> bool:
    return _seconds(await desk.sees(".wrap .left")) > seconds
