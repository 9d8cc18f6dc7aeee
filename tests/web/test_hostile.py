"""What citizens write by every way in is shown as they wrote it: nothing of it runs or leaves, no policy is touched.

Every day a few of the texts by each way; with `--long` all 500, before the eyes of an agent who then reads them all.
WeChat gives an account no nicknames, and the desk shows no display name of a caller: both are brought all the same,
where the protocol has a place for them.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.channels.wechat.rig import APPID, KEY, SECRET, TOKEN, Wire
from tests.conftest import Eventually
from tests.peers import twilio
from tests.peers.browser import DESKTOP, Window
from tests.peers.caller import Telephones
from tests.peers.pages import OWN_PAGE, CitizenPage
from tests.peers.wechat import WeChatApi, serving
from tests.peers.yihao import Yihao
from tests.web.hostile import COUNT, ELSEWHERE, payloads
from tests.web.test_pages import log_in

OpensWindow = Callable[..., Awaitable[Window]]

FEW = 10
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
THOUSAND = 1000
MOST_ROWS = 120
"""Of a timeline, however long it is: `web/desk/excerpt.ts`."""
COUNT_ROWS = """
    const timeline = document.querySelector(".timeline");
    const rows = () => timeline.querySelectorAll(":scope > :not(button)").length;
    window.mostRows = rows();
    const count = () => (window.mostRows = Math.max(window.mostRows, rows()));
    new MutationObserver(count).observe(timeline, { childList: true });
"""
AT_END = """(() => {
    const { scrollTop, clientHeight, scrollHeight } = document.querySelector(".timeline");
    return scrollTop + clientHeight > scrollHeight - 2 && !document.querySelector(".to-end");
})()"""
WATCH = """
    window.leaks = [];
    for (const name of ["leak", "alert", "prompt", "confirm"]) window[name] = () => window.leaks.push(name);
    addEventListener(
        "securitypolicyviolation", (event) => window.leaks.push(`${event.violatedDirective} ${event.blockedURI}`)
    );
"""


@pytest.fixture
async def hotline(tmp_path: Path) -> AsyncIterator[Yihao]:
    """With every way in by which a citizen's words come that needs no second machine."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(serving(WeChatApi(APPID, SECRET).app()))
        carrier = await stack.enter_async_context(twilio.open_api())
        sets = {
            "wechat.appid": APPID, "wechat.secret": SECRET, "wechat.token": TOKEN, "wechat.aes_keys": KEY,
            "wechat.api": api,
            "sms.twilio.account": twilio.ACCOUNT, "sms.twilio.tokens": twilio.TOKEN,
            "sms.twilio.sender": "+18005551212",
            "sms.twilio.public_url": twilio.PUBLIC, "sms.twilio.url": carrier.url, "sms.ways": '["+=twilio"]',
            "webchat.messages_per_s": "1000", "webchat.messages_burst": "2000", "media.workers": "1",
        }  # fmt: skip
        yihao = Yihao(tmp_path / "data", sets)
        await yihao.start()
        stack.push_async_exit(yihao)
        yield yihao


@pytest.mark.fuzz
@pytest.mark.timeout(540)
async def test_what_citizens_write_runs_nowhere(
    hotline: Yihao, window: OpensWindow, eventually: Eventually, long_run: bool
) -> None:
    texts = payloads(COUNT if long_run else FEW)
    assert len(set(payloads())) == COUNT
    desk = await window(f"{hotline.http}/desk", DESKTOP)
    await desk.before_all(WATCH)
    await log_in(desk, hotline, "8004")
    await desk.click(".presence")
    await desk.click(".el-dropdown-menu__item:has-text('就绪')")
    async with CitizenPage(hotline.http) as page, aiohttp.ClientSession() as http, Telephones(hotline.sip) as phones:
        await page.open()
        citizen = Citizen(hotline, page, http)
        ways = (citizen.chats, citizen.texts, citizen.uses_wechat)
        for brings in ways:
            await asyncio.gather(brings(texts[:1]), _accepts(desk))
        await asyncio.gather(*(brings(texts[1:]) for brings in ways))
        for expected in (_chatted(texts), texts, _by_wechat(texts)):
            await desk.press("Alt+ArrowDown")  # from the one that came last to the first
            await _sees_all(desk, expected, eventually)
        await desk.press("Alt+ArrowDown")
        await _withstands(desk, page)
        for number, text in enumerate(texts[:2]):
            display = json.dumps(text, ensure_ascii=False)
            call = await phones.call(caller=f"138{number:08}", display=f"{display} ")
            await call.answered()
            await call.hang_up()
        await page.command("session.end")
        await page.command("rating.give", score=1, comment=texts[0])
    await desk.press("Alt+Digit4")
    await desk.sees(".live tbody tr")
    await desk.press("Alt+Digit2")
    await desk.sees("a.past")
    assert await desk.evaluate("window.leaks") == []
    assert [
        one for one in desk.asked if not one.startswith((hotline.http, hotline.http.replace("http", "ws"), "blob:"))
    ] == []
    assert [one for one in desk.complaints if "401" not in one] == []


async def _accepts(desk: Window) -> None:
    await desk.sees(".offer .accept")
    await desk.press("F2")
    await desk.sees_no(".offer")


class Citizen:
    """One who writes by every way."""

    def __init__(self, hotline: Yihao, page: CitizenPage, http: aiohttp.ClientSession) -> None:
        self._hotline, self._page, self._http = hotline, page, http
        self._wire = Wire(http, f"{hotline.http}/api/wechat/push", time.time)
        self._file = ""
        self._texted = 0

    async def chats(self, texts: Sequence[str]) -> None:
        """As texts, and as names of files."""
        self._file = self._file or await self._uploaded()
        for text in texts:
            await self._page.write(text)
            await self._page.command("file.send", file=self._file, name=_as_name(text))

    async def texts(self, texts: Sequence[str]) -> None:
        path = "/api/sms/twilio/up"
        for text in texts:
            self._texted += 1
            fields = twilio.texted(f"SM{self._texted:032}", "+14155550100", text)
            headers = twilio.sign(path, fields)
            async with self._http.post(self._hotline.http + path, data=fields, headers=headers) as answer:
                assert answer.status == 200

    async def uses_wechat(self, texts: Sequence[str]) -> None:
        """As texts, as names of places, and as titles of what they pass on."""
        for text in (one.replace("]]>", "]]]]><![CDATA[>") for one in texts):  # as XML bears it within CDATA
            place = {"Location_X": "39.9", "Location_Y": "116.4", "Scale": "15", "Label": text, "Nickname": text}
            passed_on = {"Title": text, "Description": text, "Url": f"{ELSEWHERE}/u"}
            for kind, fields in (("text", {"Content": text}), ("location", place), ("link", passed_on)):
                status, _ = await self._wire.push(self._wire.message(kind, **fields))
                assert status == 200

    async def _uploaded(self) -> str:
        headers = {"Origin": self._hotline.http, "X-Visitor": self._page.visitor or "", "X-Filename": "a.pdf"}
        headers |= {**OWN_PAGE, "Content-Type": "application/pdf"}
        url = f"{self._hotline.http}/api/webchat/files"
        async with self._page.http.post(url, data=PDF, headers=headers) as answer:
            return str((await answer.json())["file"])


def _chatted(texts: Sequence[str]) -> list[str]:
    return [*texts, *map(_as_name, texts)]


def _by_wechat(texts: Sequence[str]) -> list[str]:
    """The places and what is passed on stand in a line of ours."""
    places = [f"位置 39.89860, 116.39376（误差 0 米）{text}" for text in texts]
    return [*texts, *places, *(f"[链接] {text} {text} {ELSEWHERE}/u" for text in texts)]


def _as_name(text: str) -> str:
    return text.replace("\t", " ")  # no name of a file has one


async def _sees_all(desk: Window, expected: Sequence[str], eventually: Eventually) -> None:
    """Each of them stands in the contact in front, word for word, and nothing else."""
    seen: set[str] = set()

    async def read() -> bool:
        seen.clear()
        seen.update(await _read_through(desk))
        return len(seen) >= len(set(expected))

    await eventually(read, 120 if len(expected) > 100 else 20)
    assert seen == set(expected)


async def _read_through(desk: Window) -> set[str]:
    """As an agent does who has only a keyboard: from the first line to the last, page by page."""
    read: set[str] = set()
    await desk.evaluate("document.querySelector('.timeline').focus()")
    await desk.press("Home")
    while True:
        is_last = await desk.evaluate(AT_END)
        read.update(await desk.texts(".timeline .message .body"))
        if is_last:
            return read
        await desk.press("PageDown")


async def _withstands(desk: Window, page: CitizenPage) -> None:
    """A thousand messages fall into the contact in front: keys are heard meanwhile, and only some rows are drawn."""
    await desk.evaluate(COUNT_ROWS)
    falling = asyncio.create_task(page.write_all([f"还在吗？{number}。" for number in range(THOUSAND)]))
    await desk.sees(".timeline .message:has-text('还在吗？')")
    await desk.press("Shift+Slash")
    await desk.sees(".key-sheet")
    await desk.press("Escape")
    await falling
    await desk.sees(f".timeline .message:has-text('还在吗？{THOUSAND - 1}。')")
    assert await desk.evaluate("window.mostRows") == MOST_ROWS
