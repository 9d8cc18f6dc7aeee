"""What both pages owe to everybody who looks at them: eyes, hands and screens of any kind, and a strict policy."""

import re
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from tests.conftest import Eventually
from tests.peers.browser import DESKTOP, MOBILE, Window
from tests.peers.looks import Album, breaches, held_up_by, no, out_of_reach, shifted, sideways_px
from tests.peers.words import Language
from tests.peers.yihao import Yihao

OpensWindow = Callable[..., Awaitable[Window]]

SMALLEST = (320, 640)
"""WCAG 2.2, 1.4.10: no sideways scrolling at 320 CSS pixels."""
ZOOMED = (640, 360)
"""What a window of 1280 by 720 is to its page at 200 %."""
SIZES = ["normal", "large", "largest"]
TARGET_PX = {"normal": 44, "large": 44, "largest": 60}
"""The accessibility rules of the ministry (MIIT): 44 each way, and 60 in what is made for the elderly."""
REFUSES_MICROPHONE = (
    "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError')); }"
)


def button_of_ours(language: Language) -> str:
    """What puts the button of `widget.js` into a page of another site."""
    return (
        "new Promise(done => { const script = document.createElement('script');"
        f"script.dataset.language = '{language}'; script.src = '/widget.js';"
        "script.onload = () => done(0); document.head.append(script); })"
    )


async def log_in(desk: Window, gateway: Yihao, extension: str) -> None:
    agent = gateway.agent(extension)
    await desk.write("#login", agent.login)
    await desk.write("#password", agent.password)
    await desk.click(".enter")
    await desk.sees(".presence")
    await desk.sees(".list .empty")


async def test_the_citizens_page_is_open_to_all(gateway: Yihao, window: OpensWindow, eventually: Eventually) -> None:
    citizen = await window(gateway.http, MOBILE)
    await citizen.sees(".welcome")

    async def stands_still() -> bool:
        is_still = await shifted(citizen) == 0
        if not is_still:  # who is connected late is told so, above what is there
            await citizen.reload()
            await citizen.sees(".welcome")
        return is_still

    await eventually(stands_still)
    assert [one.rpartition(".")[2] for one in await held_up_by(citizen)] == ["css"], "drawn as soon as it has its style"
    for size in SIZES:
        await citizen.click(f".size-{size}")
        assert no(await breaches(citizen)), size
        assert await sideways_px(citizen) <= 0, size
        drawn_px = float(
            await citizen.evaluate("parseFloat(getComputedStyle(document.querySelector('.welcome p')).fontSize)")
        )
        assert drawn_px >= {"normal": 18, "large": 22, "largest": 30}[size]


async def test_a_talk_fits_the_smallest_screen(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    citizen = await window(gateway.http, SMALLEST)
    await citizen.sees(".welcome")
    await citizen.write(".composer textarea", "请问" + "一" * 60 + " https://example.org/" + "a" * 90)
    await citizen.click(".composer .send")
    await citizen.sees(".bubble-citizen .state-sent")
    await citizen.sees(".standing .act")
    for size in SIZES:
        await citizen.click(f".size-{size}")
        await citizen.sees(f"html[data-text='{size}']")
        assert await sideways_px(citizen) <= 0, size
        assert no(await breaches(citizen)), size
        await screens.shows(citizen, f"citizen-320-{size}")
        assert no(await out_of_reach(citizen, TARGET_PX[size])), size


@pytest.mark.parametrize("language", ["zh"])
async def test_a_talk_fits_a_window_at_200_percent(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    """A mouse's window is low, and no keyboard is drawn below it: language, size and proof stay in reach."""
    citizen = await window(gateway.http, ZOOMED)
    await citizen.sees(".welcome")
    await citizen.write(".composer textarea", "请问怎样办理居住证？")
    await citizen.click(".composer .send")
    await citizen.sees(".standing .act")
    await citizen.click(".language")
    await citizen.sees("html[lang='en']")
    await citizen.click(".language")
    for size in reversed(SIZES):
        await citizen.click(f".size-{size}")
        await citizen.sees(f"html[data-text='{size}']")
        await citizen.sees(".proof-door")
        assert await sideways_px(citizen) <= 0, size
        assert no(await out_of_reach(citizen, TARGET_PX[size])), size
    await screens.shows(citizen, "citizen-zoomed")


@pytest.mark.parametrize("language", ["zh"])
async def test_the_chosen_size_and_language_stay(gateway: Yihao, window: OpensWindow) -> None:
    citizen = await window(gateway.http)
    await citizen.sees(".welcome")
    await citizen.click(".size-large")
    await citizen.click(".language")
    await citizen.sees("h1:has-text('Citizen Service Hotline')")
    await citizen.reload()
    await citizen.sees("h1:has-text('Citizen Service Hotline')")
    assert await citizen.evaluate("[document.documentElement.lang, document.documentElement.dataset.text]") == [
        "en",
        "large",
    ]


async def test_a_draft_and_the_conversation_outlive_a_reload(gateway: Yihao, window: OpensWindow) -> None:
    citizen = await window(gateway.http)
    await citizen.sees(".welcome")
    await citizen.click(".starters button:nth-child(3)")
    begun = citizen.words("widget.words.start_complain")
    await citizen.press("End")
    await citizen.type(".composer textarea", "噪音")
    kept = await citizen.evaluate(
        "(() => { const box = document.querySelector('.composer textarea'); box.value += '扰';"
        "box.dispatchEvent(new Event('input', { bubbles: true })); return sessionStorage.getItem('yihao.draft'); })()"
    )
    assert kept == f"{begun}噪音扰", "kept at the key: a reload may come before the next paint"
    await citizen.type(".composer textarea", "民")
    await citizen.reload()
    await citizen.sees(".composer textarea")
    assert await citizen.evaluate("document.querySelector('.composer textarea').value") == f"{begun}噪音扰民"
    await citizen.click(".composer .send")
    await citizen.sees(".bubble-citizen .state-sent")
    await citizen.reload()
    await citizen.sees(f".bubble-citizen:has-text('{begun}噪音扰民')")
    assert await citizen.count(".bubble-citizen") == 1


@pytest.mark.parametrize("size", ["normal", "largest"])
async def test_a_call_is_open_to_all(gateway: Yihao, window: OpensWindow, size: str, screens: Album) -> None:
    """By the keyboard alone, from the button to the hang-up and back."""
    page = await window(gateway.http, MOBILE)
    await page.sees(".welcome")
    await page.click(f".size-{size}")
    await page.evaluate("document.querySelector('.call-door').focus()")
    await page.press("Enter")
    await page.sees(".call[data-stage=up]", 20)
    await page.click(".call summary")
    assert no(await breaches(page))
    assert await sideways_px(page) <= 0
    await screens.shows_page(page, f"citizen-call-{size}")
    await page.evaluate("document.querySelector('.call-end').focus()")
    assert await focused(page) == page.words("widget.call.hang_up")
    await page.press("Shift+Tab")
    await page.press("Space")
    await page.sees(".call button[aria-pressed=true]")
    await page.press("Tab")
    await page.press("Enter")
    await page.sees(f".call p{page.says('widget.call.over')}")
    assert await focused(page) == page.words("widget.words.call")
    assert no(await breaches(page))
    await page.evaluate(REFUSES_MICROPHONE)
    await page.press("Enter")
    await page.sees(f".call p{page.says('widget.call.no_permission')}")
    assert page.complaints == []


async def focused(window: Window) -> str:
    """What stands on what has the keyboard."""
    return str(await window.evaluate("document.activeElement.innerText")).strip()


@pytest.mark.parametrize("size", [DESKTOP, MOBILE])
async def test_the_desk_is_open_to_all(
    gateway: Yihao, window: OpensWindow, size: tuple[int, int], screens: Album
) -> None:
    desk = await window(f"{gateway.http}/desk", size)
    await desk.sees("#login")
    assert no(await breaches(desk))
    await screens.shows(desk, f"desk-login-{size[0]}", kept=size == MOBILE)
    await log_in(desk, gateway, "8001")
    assert no(await breaches(desk))
    await screens.shows(desk, f"desk-empty-{size[0]}", kept=size == MOBILE)
    await desk.click(f".rail .item{desk.says('rail.theme_dark')}")
    assert no(await breaches(desk))
    assert await sideways_px(desk) <= 0
    await desk.click(f".rail .item{desk.says('rail.theme_light')}")
    await desk.click(f".rail .item{desk.says('rail.shortcuts')}")
    await desk.sees(".el-dialog kbd")
    await desk.press("Escape")
    await desk.sees_no(".el-dialog kbd")
    await desk.click(f".rail .item{desk.says('rail.logout')}")
    await desk.sees("#login")


async def test_keys_are_the_agents_own_and_an_input_methods_never(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    """By the keyboard alone: the sheet, the palette, other keys for an act, which are kept, and the preset ones."""
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(desk, gateway, "8002")
    await desk.press("Shift+Slash")
    await desk.sees(".key-sheet kbd:has-text('F2')")
    await screens.shows(desk, "desk-keys")
    await desk.press("Escape")
    await desk.sees_no(".key-sheet")
    await desk.press("Control+k")
    await desk.type(".act-palette .ask", desk.words("acts.settings"))
    assert no(await breaches(desk))
    await screens.shows(desk, "desk-palette")
    await desk.press("Enter")
    await desk.sees(".key-settings")

    await desk.evaluate("document.querySelector('[data-act=theme] button').focus()")
    await desk.press("Enter")
    await desk.press("Control+w")
    await desk.sees(f".why{desk.says('keys.settings.taken.browser')}")
    await desk.press("F2")
    taken = desk.says("keys.settings.clash", keys="F2", other=desk.words("acts.accept"))
    await desk.sees(f".why{taken}")
    assert no(await breaches(desk))
    await screens.shows(desk, "desk-keys-set")
    await desk.press("Tab")
    await desk.press("Enter")
    assert await desk.sees("[data-act=theme] button:has-text('F2')")
    assert await desk.sees(f"[data-act=accept] button{desk.says('keys.none')}")
    await desk.press("Escape")
    await desk.sees_no(".key-settings")

    await desk.reload()
    await desk.sees(".list .empty")
    for how in ("isComposing: true", "keyCode: 229"):
        pressed = f"new KeyboardEvent('keydown', {{ code: 'F2', key: 'Process', bubbles: true, {how} }})"
        await desk.evaluate(f"document.body.dispatchEvent({pressed})")
        assert await desk.evaluate("document.documentElement.dataset.theme") == "light", how
    await desk.press("F2")
    await desk.sees("html[data-theme=dark]")
    await desk.press("F2")
    await desk.sees("html[data-theme=light]")
    await desk.press("Control+k")
    await desk.type(".act-palette .ask", "history")
    await desk.press("Enter")
    await desk.sees(".history")
    await desk.press("Control+k")
    await desk.type(".act-palette .ask", desk.words("acts.settings"))
    await desk.press("Enter")
    await desk.click(".key-settings .reset")
    await desk.sees("[data-act=accept] button:has-text('F2')")


async def test_a_wrong_password_is_told_without_telling_which_names_exist(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    desk = await window(f"{gateway.http}/desk")
    told = []
    for login in (gateway.agent("8002").login, "nobody"):
        await desk.write("#login", login)
        await desk.write("#password", "wrong")
        await desk.click(".enter")
        told.append(await desk.sees(".el-alert"))
        await screens.shows(desk, "desk-login-wrong")
        await desk.reload()
        await desk.sees("#login")
    assert told == [desk.words("login.wrong")] * 2


async def test_a_second_window_is_told_and_may_take_over(gateway: Yihao, window: OpensWindow) -> None:
    first, second = await window(f"{gateway.http}/desk"), await window(f"{gateway.http}/desk")
    await log_in(first, gateway, "8003")
    agent = gateway.agent("8003")
    await second.write("#login", agent.login)
    await second.write("#password", agent.password)
    await second.click(".enter")
    await second.click(".veil .el-button")
    await second.sees(".el-empty")
    await second.sees_no(".veil")
    await first.sees(f".veil h2{first.says('link.elsewhere_title')}")


async def test_a_reload_takes_its_own_place_back(gateway: Yihao, window: OpensWindow) -> None:
    desk = await window(f"{gateway.http}/desk")
    await log_in(desk, gateway, "8003")
    for _ in range(3):
        await desk.reload()
        await desk.sees(".el-empty")
        assert await desk.count(".veil") == 0


async def test_another_sites_button_opens_the_chat(gateway: Yihao, window: OpensWindow) -> None:
    # Any page will do: only ours refuse addresses of scripts that are plain text.
    host = await window(f"{gateway.http}/healthz")
    await host.show(
        f"<head><script src='{gateway.http}/widget.js' data-language='{host.language}'></script></head>"
    )  # runs before there is a body
    await host.click(f"button{host.says('widget.loader.label')}")
    await host.sees(f"iframe[title='{host.words('widget.loader.label')}']")
    inside = "document.querySelector('iframe').contentDocument"
    await host.evaluate(
        f"new Promise(done => {{ const wait = () => {inside}.querySelector('.minimise') ? done(0)"
        ": requestAnimationFrame(wait); wait(); })"
    )
    await host.evaluate(f"{inside}.querySelector('.minimise').click()")
    await host.sees_no("iframe")
    await host.sees(f"button{host.says('widget.loader.label')}")


async def test_a_link_that_opens_nothing_is_told_in_both_languages(
    gateway: Yihao, window: OpensWindow, screens: Album
) -> None:
    page = await window(f"{gateway.http}/go#nonsense", SMALLEST)
    await page.sees(".refusal [lang=zh-CN] h2:has-text('这个链接无效')")
    await page.sees(".refusal [lang=en] h2:has-text('This link is not valid')")
    assert no(await breaches(page))
    assert await sideways_px(page) <= 0
    await screens.shows(page, "citizen-link-refused")


@pytest.mark.parametrize("path", ["/", "/desk"])
async def test_pages_keep_the_policy_and_come_compressed(gateway: Yihao, window: OpensWindow, path: str) -> None:
    page = await window(f"{gateway.http}{path}")
    await page.sees("h1")
    assert [complaint for complaint in page.complaints if "401" not in complaint] == []
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        async with http.get(f"{gateway.http}{path}", headers={"Accept-Encoding": "identity"}) as answer:
            html = await answer.text()
        parts = re.findall(r'(?:src|href)="(/assets/[^"]+\.(?:js|css))"', html)
        assert parts
        for part in parts:
            async with http.get(f"{gateway.http}{part}", headers={"Accept-Encoding": "br"}) as answer:
                body = await answer.read()
                assert answer.headers.get("Content-Encoding") == "br" or len(body) < 1024, "all that is worth it"
