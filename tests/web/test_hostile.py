"""What citizens write by every way in is shown as they wrote it: nothing of it runs or leaves, no policy is touched.

Every day a few of the texts by each way; with `--long` all 500, before the eyes of an agent who then reads them all.
So are the names that citizens give themselves: a telephone's display name, the form's, and a nickname, which WeChat
tells of those who write to customer service (an official account is told none any more).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.channels.wechat.kf import standin as wecoms
from tests.channels.wechat.kf.standin import WeCom
from tests.channels.wechat.rig import APPID, KEY, OLD_KEY, SECRET, TOKEN, Wire
from tests.conftest import Eventually
from tests.peers import twilio
from tests.peers.browser import DESKTOP, Window
from tests.peers.caller import Telephones
from tests.peers.looks import Album
from tests.peers.pages import OWN_PAGE, CitizenPage
from tests.peers.wechat import WeChatApi, serving
from tests.peers.yihao import Yihao
from tests.web.hostile import COUNT, ELSEWHERE, payloads
from tests.web.test_pages import log_in

OpensWindow = Callable[..., Awaitable[Window]]

FEW = 10
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"
MOBILE = "13912345678"
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
async def wecom() -> AsyncIterator[WeCom]:
    one = WeCom(page=100)
    async with serving(one.app()) as one.base:
        yield one


@pytest.fixture
async def hotline(tmp_path: Path, wecom: WeCom) -> AsyncIterator[Yihao]:
    """With every way in by which a citizen's words come that needs no second machine."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(serving(WeChatApi(APPID, SECRET).app()))
        carrier = await stack.enter_async_context(twilio.open_api())
        sets = {
            "wechat.appid": APPID, "wechat.secret": SECRET, "wechat.token": TOKEN, "wechat.aes_keys": KEY,
            "wechat.api": api,
            "wechat_kf.corpid": wecoms.CORPID, "wechat_kf.open_kfid": wecoms.KFID, "wechat_kf.secret": wecoms.SECRET,
            "wechat_kf.token": wecoms.TOKEN, "wechat_kf.aes_keys": OLD_KEY, "wechat_kf.api": wecom.base,
            "sip.trunks": "127.0.0.0/8", "sip.area": "10",
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
    hotline: Yihao, wecom: WeCom, window: OpensWindow, eventually: Eventually, long_run: bool, screens: Album
) -> None:
    texts = payloads(COUNT if long_run else FEW)
    assert len(set(payloads())) == COUNT
    desk = await window(f"{hotline.http}/desk", DESKTOP)
    await desk.before_all(WATCH)
    await log_in(desk, hotline, "8004")
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.set_ready')}")
    async with CitizenPage(hotline.http) as page, aiohttp.ClientSession() as http, Telephones(hotline.sip) as phones:
        await page.open()
        citizen = Citizen(hotline, page, http, wecom, phones, eventually)
        ways = (citizen.chats, citizen.texts, citizen.uses_wechat, citizen.asks_customer_service)
        for brings in ways:
            await asyncio.gather(brings(texts[:1]), _accepts(desk))
        await asyncio.gather(*(brings(texts[1:]) for brings in ways))
        await citizen.leaves_word(texts)
        await citizen.calls(texts, desk)
        names = set(map(_as_called, texts))
        for words, called in (
            (_chatted(texts), names),
            (texts, names),
            (_by_wechat(desk, texts), set()),
            (texts, names),
        ):
            await desk.press("Alt+ArrowDown")  # from the one that came last to the first
            await _sees_all(desk, Read(set(words), called), eventually)
        await _is_marked_as_self_given(desk, _as_called(texts[-1]))
        await screens.shows(desk, "desk-names")
        await desk.press("Alt+ArrowDown")
        await _withstands(desk, page)
        await page.command("session.end")
        await page.saw("session.state", phase="ended")
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

    def __init__(
        self,
        hotline: Yihao,
        page: CitizenPage,
        http: aiohttp.ClientSession,
        wecom: WeCom,
        phones: Telephones,
        eventually: Eventually,
    ) -> None:
        self._hotline, self._page, self._http = hotline, page, http
        self._wecom, self._phones, self._eventually = wecom, phones, eventually
        self._wire = Wire(http, f"{hotline.http}/api/wechat/push", time.time)
        self._kf_wire = Wire(http, f"{hotline.http}/api/wechat/kf", time.time)
        self._file = ""
        self._texted = 0

    async def chats(self, texts: Sequence[str]) -> None:
        """As texts, and as names of files."""
        self._file = self._file or await self._uploaded()
        for text in texts:
            await self._page.write(text)
            await self._page.command("file.send", file=self._file, name=_as_name(text))

    async def leaves_word(self, texts: Sequence[str]) -> None:
        """By the page's form, each time under that name."""
        for text in texts:
            await self._page.command("word.leave", about=text, name=text)

    async def texts(self, texts: Sequence[str]) -> None:
        path = "/api/sms/twilio/up"
        for text in texts:
            self._texted += 1
            fields = twilio.texted(f"SM{self._texted:032}", f"+86{MOBILE}", text)
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

    async def asks_customer_service(self, texts: Sequence[str]) -> None:
        """As texts, and each time under that nickname."""
        for text in texts:
            asked = len(self._wecom.asked_for)
            self._wecom.nicknames[wecoms.CITIZEN] = text
            self._wecom.keep("text", {"content": text})
            assert await wecoms.called(self._kf_wire) == 200
            await self._eventually(partial(self._is_asked_again, asked))

    def _is_asked_again(self, before: int) -> bool:
        return len(self._wecom.asked_for) > before

    async def calls(self, texts: Sequence[str], desk: Window) -> None:
        """From the number that they text from, so that it is one matter; each time the telephone shows that name.

        Two calls at once would be two people's: the next comes when the one before is seen to be over.
        """
        for text in texts:
            quoted = text.replace("\\", "\\\\").replace('"', '\\"')  # RFC 3261, section 25.1: quoted-pair
            call = await self._phones.call(caller=MOBILE, vouched=True, display=f'"{quoted}" ')
            await call.answered()
            await desk.sees(f".tab .line{desk.says('call.joining')}")
            await call.hang_up()
            await desk.sees_no(f".tab .line{desk.says('call.joining')}")

    async def _uploaded(self) -> str:
        headers = {"Origin": self._hotline.http, "X-Visitor": self._page.visitor or "", "X-Filename": "a.pdf"}
        headers |= {**OWN_PAGE, "Content-Type": "application/pdf"}
        url = f"{self._hotline.http}/api/webchat/files"
        async with self._page.http.post(url, data=PDF, headers=headers) as answer:
            return str((await answer.json())["file"])


def _chatted(texts: Sequence[str]) -> list[str]:
    return [*texts, *(_as_shown(_as_name(text)) for text in texts)]


def _by_wechat(desk: Window, texts: Sequence[str]) -> list[str]:
    """The places and what is passed on stand in a line of ours."""
    place = desk.words("entry.location", latitude="39.89860", longitude="116.39376", metres=0)
    return [*texts, *(f"{place}{text}" for text in texts), *(f"[链接] {text} {text} {ELSEWHERE}/u" for text in texts)]


def _as_name(text: str) -> str:
    return text.replace("\t", " ")  # no name of a file has one


def _as_shown(name: str) -> str:
    return name.replace("\u202e", "")  # nor does the desk let it turn its own ending


def _as_called(text: str) -> str:
    """Nobody is called by what cannot be seen, or turns what stands around it."""
    return text.replace("\t", " ").replace("\u202e", "").replace("\u200b", "")


@dataclass
class Read:
    words: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.words) + len(self.names)


async def _sees_all(desk: Window, expected: Read, eventually: Eventually) -> None:
    """Each of them stands in the contact in front, word for word, and nothing else."""
    seen = Read()

    async def read() -> bool:
        nonlocal seen
        seen = await _read_through(desk)
        return len(seen) >= len(expected)

    with suppress(pytest.fail.Exception):  # what is missing says more than that something is
        await eventually(read, 120 if len(expected) > 100 else 20)
    assert seen == expected


async def _is_marked_as_self_given(desk: Window, name: str) -> None:
    """Beside who they are, in the same words as a number that is only said; whatever is in it turns nothing else."""
    assert await desk.texts(".head h2 .called bdi") == [name]
    assert (await desk.texts(".head h2 .called"))[0].startswith(desk.words("person.claimed"))
    assert (await desk.texts(".person .names li bdi"))[0] == name
    assert desk.words("person.claimed_hint") in (await desk.texts(".person .names li"))[0]
    isolation = "[...document.querySelectorAll('bdi')].map((one) => getComputedStyle(one).unicodeBidi)"
    assert set(await desk.evaluate(isolation)) == {"isolate"}


async def _read_through(desk: Window) -> Read:
    """As an agent does who has only a keyboard: from the first line to the last, page by page."""
    read = Read()
    await desk.evaluate("document.querySelector('.timeline').focus()")
    await desk.press("Home")
    while True:
        is_last = await desk.evaluate(AT_END)
        read.words.update(await desk.texts(".timeline .message .body"))
        read.names.update(await desk.texts(".timeline .line bdi"))
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
