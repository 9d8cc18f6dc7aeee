"""Past contacts at the desk, in a real Chromium: seen by whom, page by page, and heard."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.browser import DESKTOP, MOBILE, Window
from tests.peers.cable import Cable
from tests.peers.caller import Telephones
from tests.peers.looks import Album, breaches, no, sideways_px
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.sound import speech
from tests.peers.yihao import Yihao

OpensWindow = Callable[..., Awaitable[Window]]

PAGE = 50
MATTERS = [
    ("咨询", "请问居住证到期了怎么续签？", "已告知续签材料和办理窗口。", 5),
    ("求助", "家里水管爆了，小区没有人管。", "已转供水公司抢修，约定两小时内上门。", 5),
    ("投诉", "楼下工地半夜还在施工，噪音很大。", "已派单城管执法，要求夜间停工。", 2),
    ("举报", "有人在河边偷倒建筑垃圾。", "已转生态环境局核查。", 4),
    ("建议", "希望把 8 路公交的末班车延后半小时。", "已转交通局研究。", 0),
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """Without the guide, which would take each chat first."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", {"bots.guide": "false"})
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


@pytest.fixture(scope="module")
def served(gateway: Yihao) -> list[str]:
    """Sessions that agent 8001 has had, the oldest first. Before them were as many as fill a page, all abandoned."""
    return asyncio.run(_serve(gateway))


async def _serve(gateway: Yihao) -> list[str]:
    for _ in range(PAGE):
        async with CitizenPage(gateway.http) as citizen:
            await citizen.write("在吗？")
            await citizen.command("session.end")
    agent, sessions = gateway.agent("8001"), list[str]()
    async with DeskPage(agent.login, agent.password, gateway.http) as desk:
        await desk.make_ready()
        for kind, matter, note, score in reversed(MATTERS):
            async with CitizenPage(gateway.http) as citizen:
                await citizen.write(matter)
                offer = await desk.until(lambda one: one["t"] == "offer.new" and one["session"] not in sessions)
                session = str(offer["session"])
                await desk.accept(offer)
                await desk.command("msg.send", session=session, text="您好，工号 8001 为您服务。")
                await desk.command("contact.finish", session=session)
                await citizen.saw("session.state", phase="ended")
                if score:
                    await citizen.command("rating.give", score=score, comment="")
                await desk.command("wrap.save", session=session, kind=kind, note=note)
                await desk.saw("contact.gone", session=session)
            sessions.append(session)
        await desk.command("presence.set", presence="off", reason="off_duty")
    return sessions


async def enter(desk: Window, gateway: Yihao, extension: str) -> None:
    agent = gateway.agent(extension)
    await desk.sees("#login")
    await desk.write("#login", agent.login)
    await desk.write("#password", agent.password)
    await desk.click(".enter")
    await desk.sees(".presence")
    await desk.sees(".list .empty")


async def to_history(desk: Window) -> None:
    await desk.click(f".rail .item{desk.says('rail.history')}")
    await desk.sees("#history")


async def path(desk: Window) -> str:
    return str(await desk.evaluate("location.pathname"))


async def test_past_contacts_are_listed_and_read(gateway: Yihao, window: OpensWindow, served: list[str]) -> None:
    desk = await window(f"{gateway.http}/desk")
    await enter(desk, gateway, "8001")
    await to_history(desk)
    await desk.sees("a.past")
    newest = (await desk.texts("a.past"))[0]
    told = (desk.row("wrap.kinds")[0], desk.words("queues.general"), desk.words("history.waited", time="0:0"))
    assert all(word in newest for word in (*told, desk.words("history.handled", time="0:0"), "★ 5")), newest
    await desk.click("a.past:nth-child(1)")
    await desk.sees(f".message:has-text('{MATTERS[0][1]}')")
    await desk.sees(".wrap:has-text('已告知续签材料')")
    assert await path(desk) == f"/desk/history/{served[-1].lower()}"
    facts = await desk.sees(".facts:has(dt)")
    named = [desk.words(f"history.facts.{one}") for one in ("waited", "talked", "written")]
    assert all(word in facts for word in (*named, "8001")), facts
    assert no(await breaches(desk))

    await desk.reload()
    await desk.sees(f".message:has-text('{MATTERS[0][1]}')")
    await desk.sees("a.past.here")
    await desk.click(f".rail .item{desk.says('rail.theme_dark')}")
    assert no(await breaches(desk))
    await desk.changes_language(f".rail .item{desk.says('rail.language')}")
    await desk.sees(f"#history{desk.says('rail.history')}")
    await desk.sees(f"a.past:has-text('{desk.row('wrap.kinds')[0]}')")
    assert no(await breaches(desk))
    assert [complaint for complaint in desk.complaints if "401" not in complaint] == []


async def test_older_ones_come_page_by_page_each_once(gateway: Yihao, window: OpensWindow, served: list[str]) -> None:
    desk = await window(f"{gateway.http}/desk")
    await enter(desk, gateway, "8004")
    await to_history(desk)
    await desk.sees("a.past")
    assert await desk.count("a.past") == PAGE
    await desk.click(".older")
    await desk.sees(f"p.none{desk.says('history.oldest')}")
    shown = await desk.evaluate("[...document.querySelectorAll('a.past')].map(one => one.href.split('/').pop())")
    assert len(shown) >= PAGE + len(served)
    assert shown == sorted(set(shown), reverse=True)
    assert {session.lower() for session in served} < set(shown)
    assert await desk.count(f"a.past.abandoned{desk.says('history.end.abandoned')}") >= PAGE


async def test_it_is_walked_through_by_keys(gateway: Yihao, window: OpensWindow, served: list[str]) -> None:
    desk = await window(f"{gateway.http}/desk")
    await enter(desk, gateway, "8001")
    await to_history(desk)
    await desk.sees("a.past")
    for _ in range(20):
        await desk.press("Tab")
        if await desk.evaluate("document.activeElement.classList.contains('past')"):
            break
    await desk.press("Enter")
    await desk.sees(".wrap")
    assert await path(desk) == f"/desk/history/{served[-1].lower()}"
    await desk.press("Alt+ArrowDown")
    await desk.sees(f".message:has-text('{MATTERS[1][1]}')")
    assert await path(desk) == f"/desk/history/{served[-2].lower()}"
    await desk.press("Alt+ArrowUp")
    await desk.sees(f".message:has-text('{MATTERS[0][1]}')")


async def test_an_agent_sees_their_own_and_a_supervisor_everybodys(
    gateway: Yihao, window: OpensWindow, served: list[str], screens: Album
) -> None:
    stranger, supervisor = await window(f"{gateway.http}/desk"), await window(f"{gateway.http}/desk")
    await enter(stranger, gateway, "8003")
    await stranger.evaluate("(window.fetch = () => new Promise(() => {})) && 0")
    await to_history(stranger)
    await stranger.sees(f".list .asking{stranger.says('history.loading')}")
    await screens.shows(stranger, "desk-history-loading")
    await stranger.reload()
    await stranger.sees(f".none{stranger.says('history.empty')}")
    assert no(await breaches(stranger))
    await screens.shows(stranger, "desk-history-empty")
    await stranger.open(f"{gateway.http}/desk/history/{served[0].lower()}")
    await stranger.sees(f"[role=alert]{stranger.says('history.problem.missing')}")
    await screens.shows(stranger, "desk-history-refused")

    await enter(supervisor, gateway, "8004")
    await to_history(supervisor)
    await supervisor.sees(f"a.past{supervisor.says('history.agent', name=8001)}")


async def test_what_fails_says_so_and_is_tried_again(
    gateway: Yihao, window: OpensWindow, served: list[str], screens: Album
) -> None:
    async with Cable(gateway.http) as cable:
        desk = await window(f"{cable.address}/desk")
        await enter(desk, gateway, "8004")
        await to_history(desk)
        await desk.sees("a.past")
        cable.cut()
        await desk.click(f"a.past[href$='{served[-1].lower()}']")
        await desk.sees(f".talk [role=alert]{desk.says('history.problem.failed')}")
        await desk.click(".older")
        await desk.sees(f".list [role=alert]{desk.says('history.problem.failed')}")
        assert no(await breaches(desk))
        await screens.shows(desk, "desk-history-cut")
        cable.mend()
        await desk.click(".talk [role=alert] button")
        await desk.sees(f".message:has-text('{MATTERS[0][1]}')")
        await desk.click(".list [role=alert] button")
        await desk.sees(f"p.none{desk.says('history.oldest')}")
        assert await desk.count("a.past") > PAGE


async def test_it_fits_a_telephones_screen(
    gateway: Yihao, window: OpensWindow, served: list[str], screens: Album
) -> None:
    desk = await window(f"{gateway.http}/desk", MOBILE)
    await enter(desk, gateway, "8001")
    await to_history(desk)
    await desk.sees("a.past")
    assert await sideways_px(desk) <= 0
    await screens.shows(desk, "desk-history-mobile")
    await desk.click("a.past")
    await desk.sees(".wrap")
    await desk.sees_no("#history")
    assert await sideways_px(desk) <= 0
    assert no(await breaches(desk))
    await screens.shows(desk, "desk-history-mobile-one")
    await desk.click(".talk .back")
    await desk.sees("#history")
    assert await desk.evaluate(f"document.activeElement.href.endsWith('{served[-1].lower()}')")


async def test_an_offer_comes_through_and_its_contact_to_the_front(
    gateway: Yihao, window: OpensWindow, served: list[str], eventually: Eventually
) -> None:
    """What comes for a contact behind the history is not read by it."""
    desk = await window(f"{gateway.http}/desk")
    await enter(desk, gateway, "8002")
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.set_ready')}")
    await to_history(desk)
    async with CitizenPage(gateway.http) as citizen:
        await citizen.write("路灯不亮。")
        await desk.sees(".offer .accept")
        await desk.press("F2")
        await desk.sees(".talk .composer")
        assert await path(desk) == "/desk/"
        await to_history(desk)
        await citizen.write("还在吗？")
        await desk.sees(".rail .el-badge__content:has-text('1')")
        await citizen.write("喂？")
        await desk.sees(".rail .el-badge__content:has-text('2')")
        await desk.click(f".rail .item{desk.says('rail.contacts')}")
        await desk.sees(".message:has-text('还在吗')")
        await desk.sees_no(".rail .el-badge__content")
        await desk.press("F9")
        await desk.click(".el-popconfirm .el-button--primary")
        await desk.click(".wrap .el-radio-button:nth-child(1)")
        await desk.press("F9")
        await desk.sees_no("form.wrap")
    await to_history(desk)

    async def listed() -> bool:
        await desk.click(".refresh")
        await desk.sees(".list .none")
        return await desk.count("a.past") == 1

    await eventually(listed, 5)


async def test_a_call_is_heard_again(
    gateway: Yihao, window: OpensWindow, served: list[str], tmp_path: Path, eventually: Eventually, screens: Album
) -> None:
    agent = gateway.agent("8001")
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await enter(desk, gateway, "8001")
    says = speech(2, seed=3)
    phone = Baresip(tmp_path / "baresip", gateway.sip_text, "8001", agent.sip_password, answers=True, says=says)
    async with phone, Telephones(gateway.sip) as phones:
        await phone.registered()
        call = await phones.call(caller="13800138000")
        await call.answered()
        await desk.sees(".talk .call")
        await call.sound.say(speech(2.5, seed=4))
        await desk.press("F4")
        await desk.sees(".talk .call.held")
        await desk.press("F4")
        await desk.sees(".talk .call.live")
        wall = await window(f"{gateway.http}/desk", DESKTOP)
        await enter(wall, gateway, "8004")
        await wall.click(f".rail .item{wall.says('rail.wallboard')}")
        await wall.sees(f".live tr:has-text('138****8000') .supervise button{wall.says('supervision.ways.take_over')}")
        assert no(await breaches(wall))
        await call.hang_up()
        await desk.click(".wrap .el-radio-button:nth-child(2)")
        await desk.write(".wrap textarea", "人民路 18 号院门口三盏路灯不亮，已转路灯所。")
        await desk.press("F9")
        await desk.sees_no("form.wrap")
    await to_history(desk)
    await desk.click("a.past:has-text('138****8000')")
    await desk.sees(".timeline .recording audio")
    await desk.evaluate("(() => { document.querySelector('.recording audio').play(); return true; })()")
    await eventually(lambda: desk.evaluate("document.querySelector('.recording audio').currentTime > 0.3"), 5)
    await _waveform_is_drawn_and_leads(desk)
    await screens.shows_desk(desk, "desk-history", kept=("dark", "english"))
    if screens.is_open:
        await to_history(wall)
        await wall.click("a.past:has-text('138****8000')")
        await wall.click(".ladders .el-button")
        await wall.sees(".ladders pre")
        await screens.shows_desk(wall, "desk-ladder")


async def _waveform_is_drawn_and_leads(desk: Window) -> None:
    """Both sides are drawn as loud as they spoke; what happened in the call is jumped to, and heard faster."""
    for side in ("citizen", "agent"):
        drawn_px = await desk.evaluate(f"document.querySelector('.wave path.{side}').getBBox().height")
        assert drawn_px > 4, side
    sound = "document.querySelector('.recording audio')"
    await desk.choose(".recording select", "2")
    assert await desk.evaluate(f"{sound}.playbackRate") == 2
    await desk.evaluate(f"{sound}.pause()")
    await desk.click(f".recording .marks button{desk.says('entry.mark.held')}")
    assert await desk.evaluate(f"{sound}.currentTime") > 2
    assert no(await breaches(desk))


async def test_a_page_without_a_gesture_says_that_it_cannot_ring(gateway: Yihao, window: OpensWindow) -> None:
    desk = await window(f"{gateway.http}/desk")
    await enter(desk, gateway, "8003")
    await desk.sees_no(".ring-hint")
    await desk.reload()
    await desk.sees(f".ring-hint{desk.says('ring.locked')}")
    assert no(await breaches(desk))
    await desk.click(".list h2")
    await desk.sees_no(".ring-hint")
