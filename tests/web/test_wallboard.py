"""The supervisor's wallboard in a real Chromium, over a house in which things really happen."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from insight.figures import FIGURES
from tests.peers.browser import DESKTOP, MOBILE, Window
from tests.peers.cable import Cable
from tests.peers.looks import SMALL, WALL, Album, breaches, no, sideways_px
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.yihao import Yihao
from tests.web.test_pages import log_in

OpensWindow = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """Alarms from three contacts on."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", {"bots.guide": "false", "wallboard.least": "3"})
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


async def _day(gateway: Yihao, stack: AsyncExitStack) -> tuple[DeskPage, str]:
    """One was served and is pleased, one is being served, two wait, two have left. Gives the agent, who is busy."""
    agent = gateway.agent("8001")
    desk = await stack.enter_async_context(DeskPage(agent.login, agent.password, gateway.http))
    citizens = [await stack.enter_async_context(CitizenPage(gateway.http)) for _ in range(6)]
    for leaving in citizens[:2]:
        await leaving.write("有人吗？")
        await leaving.command("session.end")
    await desk.make_ready()
    seen = set[str]()
    for citizen in citizens[2:4]:
        await citizen.write("人民路 18 号院门口的路灯不亮了。")
        offer = await desk.until(lambda one: one["t"] == "offer.new" and one["session"] not in seen)
        seen.add(str(offer["session"]))
        await desk.accept(offer)
        if len(seen) == 1:
            await desk.command("contact.finish", session=offer["session"])
            await citizen.saw("session.state", phase="ended")
            await citizen.command("rating.give", score=5, comment="", solved=False)
            await desk.command("wrap.save", session=offer["session"], kind="求助", note="已转路灯所")
    await desk.command("presence.set", presence="break", reason="meal")
    for citizen in citizens[4:]:
        await citizen.write("小区停水了，什么时候来水？")
    return desk, str(offer["session"])


async def test_a_supervisor_sees_the_house_and_acts(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    async with AsyncExitStack() as stack:
        agent, _ = await _day(gateway, stack)
        wall = await window(f"{gateway.http}/desk", DESKTOP)
        await log_in(wall, gateway, "8004")
        await wall.click(f".rail .item{wall.says('rail.wallboard')}")
        named = {one.key: one.name if wall.language == "zh" else one.english for one in FIGURES}
        came, connected, pleased = named["came"], named["connect_rate"], named["pleased_rate"]
        await wall.sees(f".figure:has-text('{came}') b:text-is('6')")
        await wall.sees(f".figure.below:has-text('{connected}') b:text-is('50.0%')")
        await wall.sees(f".figure:has-text('{pleased}') b:text-is('100.0%')")
        solved = named["solved_rate"]
        await wall.sees(f".figure:has-text('{solved}') b:text-is('0.0%')")
        answered, lost = wall.words("wallboard.term.answered"), wall.words("wallboard.term.lost")
        formula = f"{answered} ÷ ({answered} + {lost})"
        await wall.sees(f".figure:has-text('{connected}') small:has-text('{formula}')")
        general = wall.words("queues.general")
        await wall.sees(f".alarms li{wall.says('wallboard.alarm.nobody', queue=general)}")
        below = {"figure": connected, "value": "50.0%", "at_least": "95.0%"}
        await wall.sees(f".alarms li{wall.says('wallboard.alarm.figure', **below)}")
        await wall.sees(f".queues tr.waiting:has-text('{general}') td:text-is('2')")
        assert await wall.count(".live tbody tr") == 3
        await wall.sees(f".live tr{wall.says('wallboard.phase.active')}:has-text('8001')")
        await wall.sees(".course canvas")
        assert no(await breaches(wall))
        await screens.shows_desk(wall, "desk-wallboard", kept=("dark", "english", "1280", "2560"))

        assert not [one for one in wall.asked if "PastCharts" in one], "fetched by who wants it"
        await wall.click(".past-door")
        await wall.sees(".past-figures tbody tr:last-child td:text-is('6')")
        head = await wall.texts(".past-figures thead th")
        shown = dict(zip(head, await wall.texts(".past-figures tbody tr:last-child > *"), strict=True))
        told = ("came", "answered", "lost", "connect_rate", "loss_rate", "pleased_rate", "solved_rate")
        assert [shown[named[one]] for one in told] == ["6", "2", "2", "50.0%", "50.0%", "100.0%", "0.0%"], (
            "as the tiles say"
        )
        await wall.sees(".past-figures .chart canvas")
        await wall.choose(f".past-figures label{wall.says('past.figure')} select", "connect_rate")
        await wall.sees(f".past-figures small:has-text('{formula}')")
        await wall.choose(f".past-figures label{wall.says('past.step')} select", "hour")
        await wall.sees(".past-figures tbody tr:nth-child(168)")
        assert no(await breaches(wall))
        await wall.choose(f".past-figures label{wall.says('past.step')} select", "day")
        await wall.choose(f".past-figures label{wall.says('past.figure')} select", "came")
        await screens.shows(wall, "desk-past")
        await wall.click(".past-door")

        await wall.click(".agents button:has-text('王芳')")
        await wall.click(f".el-dropdown-menu__item:visible{wall.says('presence.off')}")
        await wall.click(".el-message-box .el-button--primary")
        await wall.sees(f".el-message-box__errormsg{wall.says('wallboard.agents.why_needed')}")
        assert no(await breaches(wall))
        await screens.shows(wall, "desk-wallboard-force")
        await wall.write(".el-message-box input", "忘记签退")
        await wall.click(".el-message-box .el-button--primary")
        assert (await agent.saw("presence.self", presence="off"))["reason"] == "忘记签退 (8004)"

        await wall.sees_no(".el-message-box")
        await wall.click(f"header button{wall.says('wallboard.tell.act')}")
        await wall.write(".el-message-box textarea", "暴雨橙色预警，来电增多，请大家坚守岗位。")
        await wall.click(".el-message-box .el-button--primary")
        assert (await agent.saw("notice"))["text"] == "暴雨橙色预警，来电增多，请大家坚守岗位。"
        await wall.sees(".el-message:has-text('暴雨橙色预警')")
        await _fills_the_wall_and_comes_back(wall, screens)
        assert not [one for one in wall.complaints if "401" not in one], "nothing but that nobody was logged in yet"


async def _fills_the_wall_and_comes_back(wall: Window, screens: Album) -> None:
    """On the wall there is the board and nothing else, in letters no smaller than at the desk; what opens is in sight.

    It goes back by its button: Escape is the browser's own key there, which one without a screen has not.
    """
    size_px = "parseFloat(getComputedStyle(document.querySelector('.wallboard .figures')).fontSize)"
    at_the_desk = float(await wall.evaluate(size_px))
    await wall.click(f"header button{wall.says('wallboard.full')}")
    await wall.sees(f"header button{wall.says('wallboard.full_end')}")
    await wall.sees_no(".rail")
    await wall.sees_no(".bar")
    assert float(await wall.evaluate(size_px)) >= at_the_desk
    if screens.is_open:
        await wall.sees_no(".el-message")
        await screens.shows(wall, "desk-wallboard-full")
    await wall.click(".agents button:has-text('王芳')")
    await wall.click(f".el-dropdown-menu__item:visible{wall.says('presence.break')}")
    await wall.click(".el-message-box__btns button:not(.el-button--primary)")
    await wall.sees_no(".el-message-box")
    await wall.click(f"header button{wall.says('wallboard.full_end')}")
    await wall.sees(".rail")
    assert await wall.evaluate("document.fullscreenElement === null")


@pytest.mark.parametrize("language", ["zh"])
async def test_it_fits_a_wall_a_small_screen_and_a_telephone(gateway: Yihao, window: OpensWindow) -> None:
    for size in (WALL, SMALL, MOBILE):
        wall = await window(f"{gateway.http}/desk/wallboard", size)
        await log_in(wall, gateway, "8004")
        await wall.click(f".rail .item{wall.says('rail.wallboard')}")
        await wall.sees(".figures")
        assert await sideways_px(wall) <= 0, size
        await wall.click(f".rail .item{wall.says('rail.language')}")
        await wall.sees(".figure:has-text('connect rate')")
        assert await sideways_px(wall) <= 0, size
        await wall.click(".rail .item:has-text('Dark')")
        assert no(await breaches(wall)), size
        await wall.close()


async def test_an_agent_has_no_wallboard(gateway: Yihao, window: OpensWindow) -> None:
    desk = await window(f"{gateway.http}/desk/wallboard")
    await log_in(desk, gateway, "8003")
    await desk.sees(".presence")
    assert await desk.count(f".rail .item{desk.says('rail.wallboard')}") == 0
    await desk.open(f"{gateway.http}/desk/wallboard")
    await desk.sees(".presence")
    assert await desk.count(".wallboard") == 0


async def test_what_fails_leaves_the_last_board_standing_and_goes_on(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    async with Cable(gateway.http) as cable:
        wall = await window(f"{cable.address}/desk")
        await log_in(wall, gateway, "8004")
        await wall.click(f".rail .item{wall.says('rail.wallboard')}")
        await wall.sees(".figures")
        cable.cut()
        await wall.sees(f".wallboard [role=alert]{wall.says('history.problem.failed')}")
        await wall.sees(".figures")
        await screens.shows(wall, "desk-wallboard-cut")
        cable.mend()
        await wall.sees_no(".wallboard [role=alert]")
