"""Administration in a real Chromium: what is changed there holds at once, for citizens and for agents."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.peers.browser import DESKTOP, Window
from tests.peers.looks import SMALL, Album, breaches, no, out_of_reach, sideways_px
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.sound import speech, write_wave
from tests.peers.yihao import Yihao
from tests.web.test_pages import log_in

OpensWindow = Callable[..., Awaitable[Window]]
SPEAKS_KOREAN = "tr:has(th:text-is('8003')) td:nth-child(6):has-text(' 4')"
SECTIONS = ("hours", "routing", "ways", "wrap", "roles", "agents", "canned", "words", "prompts", "channels", "audit")


async def _greeted(gateway: Yihao, *, waiting: bool) -> list[str]:
    """What a citizen who comes now is told: that they wait for people, or what the guide says."""
    async with CitizenPage(gateway.http) as page:
        await page.open()
        await page.write("路灯不亮")
        if waiting:
            await page.saw("session.state", 20.0, phase="waiting")
        else:
            await page.until(lambda one: one["t"] == "msg.new" and one["from"] == "bot", 20.0, "word of the guide")
        said = page.texts()[1:]
        await page.command("session.end")
        return said


async def _put_in_force(admin: Window, why: str, *, shows: str = "") -> None:
    """With its reason, once the difference is seen; `shows` stands in what is new of it."""
    await admin.click(".review")
    await admin.sees(f".el-dialog .changes ins:has-text('{shows}')")
    await admin.write(".el-dialog .why input", why)
    await admin.click(".el-dialog .put")
    await admin.sees("footer p:not(.changed)")


async def _oldest_version(admin: Window) -> None:
    """What was in force before anything was changed, and what it would bring back."""
    await admin.click(".versions")
    await admin.click(".all-versions li:last-child button")


async def _rolled_back(admin: Window, why: str) -> None:
    await admin.write(".el-drawer .why input", why)
    await admin.click(".el-drawer .back")
    await admin.sees_no(".el-drawer .back")


async def test_hours_are_changed_shown_and_rolled_back(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    admin = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(admin, gateway, "8009")
    await admin.click(f".rail .item{admin.says('rail.administration')}")
    await admin.sees(".week .range")
    await admin.write(".range .clock.end", "00:01")
    await admin.press("Tab")
    await admin.click(".fill")
    await admin.sees("footer p.changed")
    await screens.shows(admin, "administration-hours-changed")
    await admin.click("[data-date$='-10-01']")
    await admin.click(f".el-dialog label{admin.says('admin.hours.own')} input")
    await admin.write(f".el-dialog label{admin.says('admin.hours.spans')} input", "09:00-12:00")
    await admin.click(".el-dialog .el-button--primary")

    await admin.click(".review")
    await admin.sees(f".changes del:has-text('{_week(admin)} 00:00–24:00')")
    await admin.sees(f".changes ins:has-text('{_week(admin)} 00:00–00:01')")
    await admin.write(".el-dialog .why input", "假日值班")
    await screens.shows(admin, "administration-difference")
    await admin.click(".el-dialog .put")
    await admin.sees(f".tag{admin.says('admin.version', version=1)}")
    (said,) = await _greeted(gateway, waiting=False)
    assert "现在不是人工服务时间，人工在线时间为每天 0:00–0:01" in said

    await _oldest_version(admin)
    await admin.sees(".all-versions:has-text('假日值班')")
    await admin.sees(f".changes ins:has-text('{_week(admin)} 00:00–24:00')")
    assert no(await breaches(admin))
    await screens.shows(admin, "administration-versions")
    await _rolled_back(admin, "假日已过")
    await admin.sees(f".tag{admin.says('admin.version', version=2)}")
    assert await _greeted(gateway, waiting=True) == []


async def test_a_line_a_skill_and_an_agent_hold_at_once_and_are_rolled_back(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    """An agent who was ready before is asked for what there was not before; the audit and the channels say so."""
    admin = await window(f"{gateway.http}/desk/administration/routing", DESKTOP)
    web = f".channels tr:has(th{admin.says('channel.webchat')})"
    await log_in(admin, gateway, "8009")
    await admin.click(f".rail .item{admin.says('rail.administration')}")
    agent = gateway.agent("8003")
    async with DeskPage(agent.login, agent.password, gateway.http) as desk:
        await desk.make_ready()
        await admin.click(f".admin nav a{admin.says('admin.sections.channels')}")
        came = int(await admin.sees(f"{web} td:nth-child(3)"))
        await _a_line_for_koreans(admin)
        await _who_speaks_korean(admin, screens)
        assert await _asked_for(gateway, desk) == "korean"

        await admin.click(f".admin nav a{admin.says('admin.sections.routing')}")
        await _oldest_version(admin)
        await admin.sees(".el-drawer .changes del:has-text('Korean desk')")
        await _rolled_back(admin, "专席撤销")
        assert await _asked_for(gateway, desk) == "general"
        await desk.command("presence.set", presence="off", reason="下班")

    await admin.click(f".admin nav a{admin.says('admin.sections.agents')}")
    await admin.sees(SPEAKS_KOREAN)
    await _oldest_version(admin)
    await admin.sees(".el-drawer .changes del:has-text('korean')")
    await _rolled_back(admin, "张敏调岗")
    await admin.sees_no(SPEAKS_KOREAN)

    await admin.click(f".admin nav a{admin.says('admin.sections.channels')}")
    await admin.sees(f"{web}:has(td:text-is('{came + 2}')):has(.tag{admin.says('admin.channels.states.well')})")
    await admin.click(f".admin nav a{admin.says('admin.sections.audit')}")
    await admin.choose(".frame header select", "rules_changed")
    await admin.sees_no(f".audit tr{admin.says('admin.audit.deeds.login')}")
    changed = admin.words("admin.audit.deeds.rules_changed")
    routing, agents = (admin.words(f"admin.sections.{section}") for section in ("routing", "agents"))
    newest = [row.split("\t")[1:] for row in await admin.texts(".audit tbody tr")][:4]
    assert [[cell.strip() for cell in row] for row in newest] == [
        ["8009", changed, agents, "3 ← 1"],
        ["8009", changed, routing, "2 ← 0"],
        ["8009", changed, agents, "2"],
        ["8009", changed, routing, "1"],
    ]


def _week(admin: Window) -> str:
    """All of it, as a difference tells of it."""
    days = admin.row("admin.hours.weekdays")
    return f"{days[0]} {admin.words('admin.hours.to')} {days[-1]}"


def _card(admin: Window, of: str) -> str:
    return f"section.card{_labelled(admin, f'routing.{of}')}"


def _labelled(admin: Window, word: str) -> str:
    return f"[aria-label='{admin.words(f'admin.{word}')}']"


async def _a_line_for_koreans(admin: Window) -> None:
    """A queue, a skill, and the rule that leads every chat there, before all others."""
    await admin.click(f".admin nav a{admin.says('admin.sections.routing')}")
    for kind, title, english in (("queues", "韩语专席", "Korean desk"), ("skills", "韩语", "Korean")):
        card = _card(admin, kind)
        await admin.click(f"{card} > .el-button")
        for field, words in (("routing.code", "korean"), ("routing.name", title), ("english", english)):
            await admin.write(f"{card} tbody tr:last-child input{_labelled(admin, field)}", words)
            await admin.press("Tab")
    card = _card(admin, "rules")
    rules = await admin.count(f"{card} tbody tr")
    await admin.click(f"{card} > .el-button")
    await admin.choose(f"{card} tbody tr:last-child select >> nth=0", "chat")
    await admin.choose(f"{card} tbody tr:last-child select{_labelled(admin, 'routing.then')}", "korean")
    await admin.write(f"{card} tbody tr:last-child input{_labelled(admin, 'routing.skills_ask')}", "korean=3")
    await admin.press("Tab")
    for row in range(rules + 1, 1, -1):
        await admin.click(f"{card} tbody tr:nth-child({row}) button:has-text('↑')")
    await _put_in_force(admin, "开通韩语", shows="Korean desk")


async def _who_speaks_korean(admin: Window, screens: Album) -> None:
    desk, korean = ("韩语专席", "韩语") if admin.language == "zh" else ("Korean desk", "Korean")
    await admin.click(f".admin nav a{admin.says('admin.sections.agents')}")
    await admin.click(f"tr:has(th:text-is('8003')) button{admin.says('admin.edit')}")
    await admin.click(f".el-dialog fieldset label:has-text('{desk}') input")
    await admin.write(f".el-dialog fieldset label:has-text('{korean}') input[type=number]", "4")
    await screens.shows(admin, "administration-agent")
    await admin.click(".el-dialog .keep")
    await admin.sees(f"{SPEAKS_KOREAN}:has-text('{korean}')")
    await _put_in_force(admin, "张敏会韩语", shows="korean")


async def _asked_for(gateway: Yihao, desk: DeskPage) -> str:
    """The queue of the offer that the agent gets when a citizen writes, who then leaves."""
    before = {one["session"] for one in desk.frames if one["t"] == "offer.new"}
    async with CitizenPage(gateway.http) as citizen:
        await citizen.open()
        await citizen.write("路灯不亮")
        offer = await desk.until(lambda one: one["t"] == "offer.new" and one["session"] not in before, 15.0, "offer")
        await citizen.command("session.end")
        await desk.saw("offer.revoked", session=offer["session"])
        return str(offer["queue"])


async def test_a_canned_reply_is_put_in_by_keyboard_and_a_word_is_veiled(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    admin = await window(f"{gateway.http}/desk/administration/words", DESKTOP)
    await admin.sees("#login")
    await log_in(admin, gateway, "8009")
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(desk, gateway, "8001")
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.set_ready')}")

    await admin.click(f".rail .item{admin.says('rail.administration')}")
    await admin.click(f".admin nav a{admin.says('admin.sections.words')}")
    await admin.write(".bulk textarea", "内部编号\n")
    await admin.click(".bulk .el-button")
    await _put_in_force(admin, "保密")
    await admin.click(f".admin nav a{admin.says('admin.sections.canned')}")
    await admin.click(".add")
    await admin.write(f".el-dialog label{admin.says('admin.canned.word')} input", "路灯")
    await admin.write(f".el-dialog label{admin.says('admin.canned.name')} input", "路灯报修")
    await admin.write(".el-dialog textarea >> nth=0", "我是{name}，{number}号。内部编号已登记。")
    await admin.click(".el-dialog .keep")
    await _put_in_force(admin, "新增报修")

    async with CitizenPage(gateway.http) as citizen:
        await citizen.open()
        await citizen.write("路灯不亮，内部编号是多少？")
        await desk.sees(".offer .accept")
        await desk.press("F2")
        await desk.sees(".timeline .message .stars")
        await desk.type(".talk .composer textarea", "/路")
        await desk.sees(".canned [role=option]:has-text('路灯报修')")
        assert no(await breaches(desk))
        await screens.shows(desk, "desk-canned")
        await desk.press("Enter")
        await desk.sees_no(".canned")
        await desk.press("Enter")
        await desk.sees(".message.ours:has-text('我是王芳，8001号。')")
        said = await citizen.until(lambda one: one["t"] == "msg.new" and one["from"] == "agent", 20.0, "the reply")
        assert said["text"] == "我是王芳，8001号。＊＊＊＊已登记。"
        await desk.click(".message.ours .stars")
        await desk.sees(".message.ours mark:has-text('内部编号')")
        await _taken_back_and_called_in(desk, admin, screens)
        await desk.press("F9")
        await desk.click(".finish-sure .el-button--primary")


async def _taken_back_and_called_in(desk: Window, admin: Window, screens: Album) -> None:
    """An answer quotes, and is taken back; a note names a colleague, whose bell leads to the session."""
    await desk.click(".message.theirs .quote")
    await desk.sees(".composer .quoted:has-text('路灯不亮')")
    await desk.type(".talk .composer textarea", "明天修")
    await desk.press("Enter")
    await desk.sees(".message.ours blockquote:has-text('路灯不亮')")
    await desk.click(".message.ours:has(blockquote) .recall")
    await desk.click(".el-popconfirm .el-button--primary")
    await desk.sees(f".taken-back{desk.says('words.recalled')}")
    await desk.press("Alt+n")
    await desk.type(".talk .composer textarea", "@陈")
    await desk.sees(".colleagues [role=option]:has-text('陈静')")
    await desk.press("Enter")
    await desk.type(".talk .composer textarea", "请看")
    await desk.press("Enter")
    await desk.sees(".piece.note:has-text('@陈静 请看')")
    assert no(await breaches(desk))
    await screens.shows(desk, "desk-quote-recall-mention")
    await admin.click(".bell > button:has(.el-badge__content:has-text('1'))")
    await admin.sees(".bell section:has-text('@陈静 请看')")
    assert no(await breaches(admin))
    await screens.shows(admin, "desk-mentions")
    await admin.click(".bell section button")
    await admin.sees(".history .piece.note:has-text('@陈静 请看')")


async def test_a_notice_is_uploaded_heard_and_scheduled(
    gateway: Yihao, window: OpensWindow, screens: Album, tmp_path: Path
) -> None:
    admin = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(admin, gateway, "8009")
    await admin.click(f".rail .item{admin.says('rail.administration')}")
    await admin.click(f".admin nav a{admin.says('admin.sections.prompts')}")
    await admin.sees(".notices .none")
    for name, seed in (("台风红色预警.wav", 1), ("停水通知.wav", 2)):
        await admin.click(".notices .announce")
        await admin.choose_file("input.sound", write_wave(tmp_path / name, speech(2, seed=seed)))
        await admin.sees(f".notices tbody tr:has-text('{name}') .tag{admin.says('admin.prompts.heard')}")
    await admin.write(".notices tbody tr:nth-child(2) input >> nth=1", "2099-01-01T08:00")
    await admin.write(".notices tbody tr:nth-child(2) input >> nth=2", "2099-01-02T08:00")
    await admin.sees(f".notices tbody tr:nth-child(2) .tag{admin.says('admin.prompts.to_come')}")
    await admin.click(f"[data-piece=goodbye] .el-button{admin.says('admin.prompts.upload')}")
    await admin.choose_file("input.sound", write_wave(tmp_path / "再见.wav", speech(1, seed=3)))
    await admin.sees("[data-piece=goodbye] td:has-text('再见.wav')")
    await admin.click(f".notices tbody tr:nth-child(1) .el-button{admin.says('admin.prompts.hear')}")
    await admin.sees(".notices audio")
    assert await admin.evaluate(
        "new Promise(done => { const one = document.querySelector('.notices audio');"
        "one.readyState ? done(one.duration) : one.onloadedmetadata = () => done(one.duration); })"
    ) == pytest.approx(2, abs=0.1)
    assert no(await breaches(admin))
    await screens.shows(admin, "administration-notices")
    await admin.click(".review")
    await admin.sees(".changes ins:has-text('2099-01-01T08:00:00')")
    await admin.write(".el-dialog .why input", "台风")
    await admin.click(".el-dialog .put")
    await admin.sees(f".tag{admin.says('admin.version', version=1)}")
    assert [one for one in admin.complaints if "401" not in one] == []


async def test_every_page_is_open_to_all_who_may_see_it(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    admin = await window(f"{gateway.http}/desk/administration", SMALL)
    await log_in(admin, gateway, "8009")
    await admin.click(f".rail .item{admin.says('rail.administration')}")
    for place, section in enumerate(SECTIONS, 1):
        await admin.click(f".admin nav a:nth-child({place})")
        await admin.sees(f".admin nav a.here[href$='{section}']")
        await admin.sees(".admin .frame .card")
        assert no(await breaches(admin)), section
        assert no(await out_of_reach(admin)), section
        assert await sideways_px(admin) <= 0
        await admin.click(f".rail .item{admin.says('rail.theme_dark')}")
        assert no(await breaches(admin, ["color-contrast"])), section
        await admin.click(f".rail .item{admin.says('rail.theme_light')}")
        kept = ("dark", "english") if place == 1 else ()
        await screens.shows_desk(admin, f"administration-{section}", SMALL, kept=kept)


async def test_who_is_no_administrator_sees_none_of_it(gateway: Yihao, window: OpensWindow) -> None:
    supervisor = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(supervisor, gateway, "8004")
    assert await supervisor.count(f".rail .item{supervisor.says('rail.administration')}") == 0
    await supervisor.open(f"{gateway.http}/desk/administration/audit")
    await supervisor.sees(".list .empty")
    assert await supervisor.count(".admin") == 0
