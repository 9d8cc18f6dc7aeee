"""The citizen's page in a real Chromium, by the keyboard alone too: the line, who answers, what may be sent."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.peers.browser import MOBILE, Window
from tests.peers.looks import Album, breaches, no
from tests.peers.pages import CitizenPage, DeskPage, Refused
from tests.peers.yihao import Yihao
from tests.web.test_pages import OpensWindow, button_of_ours

KEEPS = """
    window.kept = [];
    const make = URL.createObjectURL;
    URL.createObjectURL = (blob) => {
        if (blob.type === "text/plain") void blob.text().then((text) => window.kept.push(text));
        return make.call(URL, blob);
    };
"""
"""What the page gives to be saved."""
BEFORE_AN_ESTIMATE = 9
"""So many must have been served before a wait is estimated, while others wait."""
SMALL_TARGETS = """(() => {
    const shown = (one) => one.offsetParent && getComputedStyle(one).visibility === "visible";
    const label = (one) => (one.matches("input[type=radio]") ? one.closest("label") : one);
    return [...document.querySelectorAll("button, a[href], input, textarea, summary")]
        .filter(shown).map((one) => [label(one).getBoundingClientRect(), label(one).className || one.tagName])
        .filter(([{ width, height }]) => width < 60 || height < 60)
        .map(([{ width, height }, name]) => `${name} ${Math.round(width)}x${Math.round(height)}`);
})()"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """With the guide, who keeps company, and an agent who is asked as often as it takes."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", {"session.wrap_s": "1", "http.origins": "[]"})
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


async def _serve(desk: DeskPage, seen: set[str]) -> None:
    """The next in line is answered and done."""
    await _done(desk, await _taken(desk, seen))


async def _done(desk: DeskPage, session: str) -> None:
    await desk.command("contact.finish", session=session)
    await desk.command("wrap.save", session=session, kind="咨询", note="")


async def _taken(desk: DeskPage, seen: set[str]) -> str:
    """The next offer that still holds is accepted; gives its session."""

    def is_new(frame: dict[str, Any]) -> bool:
        return frame["t"] == "offer.new" and f"{frame['session']} {frame['token']}" not in seen

    while True:
        offer = await desk.until(is_new, what="the next offer")
        seen.add(f"{offer['session']} {offer['token']}")
        with suppress(Refused):  # it was taken back while the agent was away
            await desk.accept(offer)
            return str(offer["session"])


async def _comes_to(desk: DeskPage, seen: set[str], words: str, eventually: Eventually) -> str:
    """Those who stand before whoever wrote these words are served first; gives that one's session."""
    while True:
        session = await _taken(desk, seen)
        said = await eventually(partial(desk.texts, session))
        if words in said:
            return session
        await _done(desk, session)


async def _tab_to(page: Window, what: str) -> None:
    """By the keyboard, as far as it takes."""
    for _ in range(40):
        if await page.evaluate(f"document.activeElement.matches({what!r})"):
            return
        await page.press("Tab")
    raise AssertionError(f"the keyboard does not come to {what}")


@pytest.mark.parametrize("language", ["en"])
async def test_the_whole_talk_by_the_keyboard_alone_and_in_english(
    gateway: Yihao, window: OpensWindow, eventually: Eventually, tmp_path: Path, screens: Album
) -> None:
    async with AsyncExitStack() as stack:
        line = [await stack.enter_async_context(CitizenPage(gateway.http)) for _ in range(BEFORE_AN_ESTIMATE + 3)]
        for citizen in line:
            await citizen.write("Is anybody there?")
        agent = gateway.agent("8001")
        desk, seen = await stack.enter_async_context(DeskPage(agent.login, agent.password, gateway.http)), set[str]()
        await desk.make_ready()
        for _ in range(BEFORE_AN_ESTIMATE):
            await _serve(desk, seen)
        await desk.command("presence.set", presence="break", reason="meal")

        page = await window(f"{gateway.http}/?lang=en", MOBILE)
        await page.before_all(KEEPS)
        await page.is_at(39.9042, 116.4074)
        await page.sees(".welcome")
        await _tab_to(page, ".composer textarea")
        await page.type(".composer textarea", "The street lamp is broken")
        await page.press("Enter")
        await page.sees(".bubble-citizen .state-sent")
        assert "ahead of you" in await page.sees(".standing-waiting .place-line")
        await page.sees(".standing-waiting .estimate")
        await page.sees(".bubble-bot .tag-bot:has-text('Robot')")
        await screens.shows(page, "citizen-robot-english")

        await _tab_to(page, ".more-door")
        await page.press("Enter")
        await page.sees(".more")
        assert no(await breaches(page))
        await screens.shows(page, "citizen-more-english", kept=False)  # which faces it shows is its fonts'
        await page.press("Tab")
        await page.press("Enter")
        await page.press("Escape")
        await page.sees_no(".more")
        await _tab_to(page, ".composer .send")
        await page.press("Enter")
        await page.sees(".bubble-citizen:has-text('👍') .state-sent")

        await desk.make_ready()
        session = await _comes_to(desk, seen, "The street lamp is broken", eventually)
        await page.sees(".standing-talking:has-text('8001') .tag-agent:has-text('Staff')")
        assert desk.texts(session)[-1] == "👍"
        await page.sees(".bubble-citizen .state-delivered")
        newest = next(one for one in reversed(desk.timeline(session)) if one["kind"] == "text")
        await desk.command("msg.read", session=session, message=newest["message"])
        await page.sees(".bubble-citizen:has-text('👍') .state-read")
        await desk.command("msg.send", session=session, text="Which street?")
        await page.sees(".bubble-agent:has-text('Which street?') .tag-agent")

        await _tab_to(page, ".more-door")
        await page.press("Enter")
        await _tab_to(page, ".more-acts button")
        await page.press("Enter")
        await page.sees(".bubble-citizen:has-text('39.90420, 116.40740') .state-delivered")
        await _tab_to(page, ".more-save")
        await page.press("Enter")
        await eventually(lambda: page.evaluate("window.kept.length"))
        kept = str(await page.evaluate("window.kept[0]"))
        assert ["me: The street lamp is broken" in kept, "staff 8001: Which street?" in kept] == [True, True], kept
        await page.press("Escape")
        paper = tmp_path / "permit.pdf"
        paper.write_bytes(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n")
        await page.choose_file(".composer input[type=file]", paper)
        await page.sees(".bubble-citizen .file-name:has-text('permit.pdf')")
        await eventually(lambda: any(one["kind"] == "file" for one in desk.timeline(session)))

        await _tab_to(page, ".standing .act-quiet")
        await page.press("Enter")
        await _tab_to(page, ".sure .act-main")
        await page.press("Enter")
        await page.sees(".rating")
        await _tab_to(page, ".star input")
        await page.press("Space")
        for _ in range(3):
            await page.press("ArrowRight")
        await _tab_to(page, "input[name=solved]")
        await page.press("ArrowDown")
        assert no(await breaches(page))
        await _tab_to(page, ".rating .act-main")
        await page.press("Enter")
        await page.sees(".rating-done")
        rating = await eventually(lambda: [one for one in desk.timeline(session) if one["kind"] == "rating"])
        assert (rating[0]["score"], rating[0]["solved"]) == (4, False)
        await screens.shows(page, "citizen-rated-english", kept=False)
        assert {one.split("/")[2] for one in page.asked if not one.startswith("blob:")} == {gateway.http.split("/")[2]}
        assert page.complaints == []


async def test_the_keyboard_on_the_screen_hides_nothing_and_elders_have_large_targets(
    gateway: Yihao, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    page = await window(gateway.http, MOBILE)
    await page.sees(".welcome")
    await page.write(".composer textarea", "路灯不亮")
    await page.click(".composer .send")
    await page.sees(".bubble-citizen .state-sent")
    await page.click(".size-largest")
    await page.sees("html[data-text='largest']")
    assert no(list(await page.evaluate(SMALL_TARGETS)))
    if screens.is_open:
        await page.sees(".bubble-bot")
        await screens.shows(page, "citizen-robot-largest")
    await page.click(".size-normal")
    if screens.is_open:
        await page.sees("html[data-text='normal']")
        await screens.shows(page, "citizen-robot")
    await page.click(".composer textarea")
    await page.resize((MOBILE[0], 380))  # what is left of it above a telephone's keyboard
    shown = "((one) => one.top >= 0 && one.bottom <= innerHeight)(document.querySelector('%s').getBoundingClientRect())"
    for what in (".composer textarea", ".composer .send", ".bubbles li:last-child .bubble"):
        await eventually(partial(page.evaluate, shown % what))
    await screens.shows(page, "citizen-keyboard")


async def test_who_looks_away_sees_how_many_words_have_come(
    gateway: Yihao, window: OpensWindow, eventually: Eventually
) -> None:
    """On the button in another site's page, and in the title."""
    host = await window(f"{gateway.http}/healthz")
    await host.evaluate(button_of_ours(host.language))
    await host.click(f"button{host.says('widget.loader.label')}")
    talk = host.within("iframe")
    await talk.write(".composer textarea", "有人吗")
    await talk.click(".composer .send")
    agent = gateway.agent("8002")
    async with DeskPage(agent.login, agent.password, gateway.http) as desk:
        await desk.make_ready()
        session = await _comes_to(desk, set(), "有人吗", eventually)
        await talk.sees(".standing-talking")
        await talk.click(".minimise")
        for many, text in enumerate(("您好", "在的"), 1):
            await desk.command("msg.send", session=session, text=text)
            await host.sees(f"button{host.says('widget.loader.label')}:has-text('({many})')")
        await host.click(f"button{host.says('widget.loader.label')}")
        await talk.sees(".bubble-agent:has-text('在的')")
        await eventually(
            lambda: host.evaluate(
                f"document.querySelector('body > button').textContent === '{host.words('widget.loader.label')}'"
            )
        )
