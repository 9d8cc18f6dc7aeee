"""Citizen and agent in two windows of a real Chromium."""

import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.browser import MOBILE, Chromium, Window
from tests.peers.cable import Cable
from tests.peers.caller import Telephones
from tests.peers.looks import Album
from tests.peers.pages import DeskPage
from tests.peers.sound import speech
from tests.peers.words import Language
from tests.peers.yihao import Credentials, Yihao
from tests.scenarios.conftest import running
from tests.scenarios.kinds import MakesSoftphone, OpensDesk

OpensWindow = Callable[..., Awaitable[Window]]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """With the times that people have, since it is shown in pictures."""
    yield from running({"bots.guide": "false", "session.wrap_s": "120"})


@pytest.fixture
async def window(chromium: Chromium, language: Language) -> AsyncIterator[OpensWindow]:
    """Opens a window at an address; a page that complained in its console fails the test."""
    async with AsyncExitStack() as stack:
        opened: list[Window] = []

        async def make(address: str, **form: object) -> Window:
            one = await chromium.window(language=language, **form)  # type: ignore[arg-type]  # as Chromium has them
            stack.push_async_callback(one.close)
            opened.append(one)
            await one.open(address)
            return one

        yield make
        assert [complaint for one in opened for complaint in one.complaints if not _of_a_cut(complaint)] == []


def _of_a_cut(complaint: str) -> bool:
    """What Chromium itself says about a connection that the test has cut, or a refusal that the test wants."""
    return "Failed to load resource" in complaint or "WebSocket connection" in complaint


async def write(citizen: Window, text: str) -> None:
    await citizen.write(".composer textarea", text)
    await citizen.click(".composer .send")


async def reply(desk: Window, text: str) -> None:
    await desk.write(".talk .composer textarea", text)
    await desk.press("Enter")


async def log_in(desk: Window, agent: Credentials) -> None:
    await desk.write("#login", agent.login)
    await desk.write("#password", agent.password)
    await desk.click(".enter")
    await desk.sees(".presence")


async def make_ready(desk: Window) -> None:
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.set_ready')}")
    ready, offered = (desk.says(f"presence.routing.{state}") for state in ("ready", "offered"))
    await desk.sees(f".presence{ready}, .presence{offered}")  # at once, where somebody waits


async def go_off(desk: Window) -> None:
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.reasons.off_duty')}")
    await desk.sees(f".presence{desk.says('presence.reasons.off_duty')}")


async def finish(desk: Window) -> None:
    """End the contact and write it up."""
    await desk.press("F9")
    await desk.click(".el-popconfirm .el-button--primary")
    await desk.click(".wrap .el-radio-button:nth-child(1)")
    await desk.press("F9")
    await desk.sees_no(".wrap")


async def joined(citizen: Window, desk: Window, text: str = "路灯不亮，已经三天了。") -> None:
    """The citizen writes, the agent accepts."""
    await citizen.sees(".welcome")
    await write(citizen, text)
    await desk.sees(".offer .accept")
    await desk.click(".offer .accept")
    await citizen.sees(".standing-talking")
    await desk.sees(f".timeline .message:has-text('{text}')")


def photograph(width: int = 240, height: int = 180) -> bytes:
    """A PNG (RFC 2083) of a dark street with one lamp that burns."""
    rows, columns = np.mgrid[0:height, 0:width]
    glow = np.exp(-((columns - width * 0.72) ** 2 + (rows - height * 0.3) ** 2) / 900)
    ground = rows > height * 0.78
    red = 18 + 24 * rows / height + 230 * glow + 26 * ground
    green = 24 + 26 * rows / height + 190 * glow + 26 * ground
    blue = 52 + 40 * rows / height + 90 * glow
    post = (np.abs(columns - width * 0.72) < 2) & (rows > height * 0.3) & (rows < height * 0.8)
    image = np.where(post[..., None], 12, np.stack([red, green, blue], axis=-1)).clip(0, 255).astype("u1")
    lines = b"".join(b"\0" + line.tobytes() for line in image)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


async def test_citizen_and_agent_talk(
    gateway: Yihao, window: OpensWindow, screens: Album, tmp_path: Path, eventually: Eventually
) -> None:
    citizen, desk = await window(gateway.http), await window(f"{gateway.http}/desk")
    await citizen.sees(".welcome")
    await screens.shows_page(citizen, "citizen-start")
    await desk.sees("#login")
    await screens.shows(desk, "desk-login")
    await log_in(desk, gateway.agent("8001"))
    await screens.shows_desk(desk, "desk-empty")

    await write(citizen, "我家楼下的路灯不亮，已经三天了。")
    await citizen.sees(f".standing-waiting .place{citizen.says('widget.words.place_next')}")
    await screens.shows_page(citizen, "citizen-waiting")
    await make_ready(desk)
    await desk.sees(".offer")
    first, later = int(await desk.sees(".offer .count")), 0

    async def counts_down() -> bool:
        nonlocal later
        later = int(await desk.sees(".offer .count"))
        return later < first

    await eventually(counts_down, 3)
    await screens.shows(desk, "desk-offer")
    await desk.press("F2")
    await citizen.sees(".standing-talking:has-text('8001')")
    await desk.sees(".timeline .message:has-text('我家楼下的路灯不亮')")
    await citizen.sees(".bubble-citizen .state-read, .bubble-citizen .state-delivered")

    await desk.type(".talk .composer textarea", "您好，请问")
    await citizen.sees(".typing")
    await reply(desk, "您好，工号 8001 为您服务。请问具体在什么位置？")
    await citizen.sees(".bubble-agent:has-text('具体在什么位置')")
    await desk.sees(".message.ours footer.read, .message.ours footer.delivered")
    await citizen.type(".composer textarea", "人民路")
    await desk.sees(".timeline .typing")
    await write(citizen, "人民路 18 号院门口，一共三盏。")
    await desk.sees(".timeline .message:has-text('人民路 18 号院门口')")

    photo = tmp_path / "路灯.png"
    photo.write_bytes(photograph())
    await citizen.choose_file(".composer input[type=file]", photo)
    await desk.sees(".timeline .message img")
    await eventually(lambda: desk.evaluate("document.querySelector('.timeline img').naturalWidth === 240"))
    await citizen.sees(".bubble-citizen .picture img")
    await desk.choose_file(".talk .composer input[type=file]", photo)
    await desk.click(".el-dialog .el-button--primary")
    await citizen.sees(".bubble-agent .picture img")
    await reply(desk, "已经记下来了，维修人员今天会到现场查看。")
    await citizen.sees(".bubble-agent:has-text('维修人员')")
    await screens.shows_page(citizen, "citizen-talk", kept=True)
    await screens.shows_desk(desk, "desk-talk", kept=("dark", "english", "1280", "2560"))

    await desk.choose_file(".talk .composer input[type=file]", photo)
    await desk.click(".el-dialog footer .el-button:not(.el-button--primary)")
    await desk.press("F9")  # which a dialog that fades away does not keep
    await desk.click(".el-popconfirm .el-button--primary")
    await desk.sees(".wrap")
    await desk.click(".wrap .el-radio-button:nth-child(2)")
    await desk.write(".wrap textarea", "人民路 18 号院门口三盏路灯不亮，已转路灯所。")
    await screens.shows_desk(desk, "desk-wrap")
    await citizen.sees(".rating")
    await citizen.click(".rating .star:nth-child(5)")
    await citizen.sees(".rating .act-main")
    await screens.shows_page(citizen, "citizen-rating")
    await citizen.click(".rating .act-main")
    await citizen.sees(".rating-done")
    await desk.press("F9")
    await desk.sees_no(".wrap")
    await go_off(desk)


async def test_a_cut_connection_loses_nothing(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    async with Cable(gateway.http) as cable:
        citizen, desk = await window(cable.address), await window(f"{gateway.http}/desk")
        await log_in(desk, gateway.agent("8002"))
        await make_ready(desk)
        await joined(citizen, desk)
        cable.cut()
        await write(citizen, "第一句，断线时写的")
        await write(citizen, "第二句，断线时写的")
        await reply(desk, "您还在吗？")
        await citizen.sees(".link-waiting")
        await screens.shows(citizen, "citizen-cut")
        cable.mend()
        await citizen.sees(".bubble-agent:has-text('您还在吗')", 20)
        await citizen.sees_no(".link-waiting")
        await desk.sees(".timeline .message:has-text('第二句')")
        await citizen.sees_no(".state-sending")
        texts = [text for text in await desk.texts(".timeline .message .body") if "断线时写的" in text]
        assert [text[:3] for text in texts] == ["第一句", "第二句"]
        await citizen.reload()
        await citizen.sees(".bubble-agent:has-text('您还在吗')")
        shown = [text[:3] for text in await citizen.texts(".bubble-citizen .body") if "断线时写的" in text]
        assert shown == ["第一句", "第二句"]
        await finish(desk)
        await go_off(desk)


async def test_the_desk_is_closed_in_the_middle_of_an_offer(
    gateway: Yihao, window: OpensWindow, desk: OpensDesk
) -> None:
    citizen, closing = await window(gateway.http), await window(f"{gateway.http}/desk")
    await log_in(closing, gateway.agent("8001"))
    await make_ready(closing)
    await citizen.sees(".welcome")
    await write(citizen, "请问居住证怎么办理？")
    await closing.sees(".offer")
    other: DeskPage = await desk(gateway, "8002")
    await other.make_ready()
    await closing.close()
    offer = await other.offer(8)  # 3 s of grace for the desk, and then at once
    assert offer["waited_s"] >= 2.5
    await other.accept(offer)
    await citizen.sees(".standing-talking")
    await other.command("contact.finish", session=offer["session"])
    await other.command("presence.set", presence="off", reason="off_duty")


async def test_a_second_browser_for_one_agent_is_told(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    first = await window(f"{gateway.http}/desk")
    await log_in(first, gateway.agent("8003"))
    second = await window(f"{gateway.http}/desk")
    await second.write("#login", "8003")
    await second.write("#password", gateway.agent("8003").password)
    await second.click(".enter")
    await second.sees(".veil")
    await screens.shows(second, "desk-elsewhere")
    await second.click(".veil .el-button--primary")
    await second.sees(".presence")
    await second.sees_no(".veil")
    await first.sees(".veil")


async def test_a_call_is_shown_and_its_recording_played(
    gateway: Yihao, window: OpensWindow, softphone: MakesSoftphone, screens: Album, eventually: Eventually
) -> None:
    desk = await window(f"{gateway.http}/desk")
    await log_in(desk, gateway.agent("8004"))
    phone = await softphone(gateway, "8004", says=speech(2, seed=3))
    await desk.sees(".bar .phone.up")
    async with Telephones(gateway.sip) as phones:
        call = await phones.call(caller="13800138000")
        await call.answered()
        await desk.sees(".offer .pick-up")
        await screens.shows(desk, "desk-call-offer")
        await phone.saw("CALL_INCOMING")  # the desk may know of the offer before the telephone rings
        await phone.answer()
        await desk.sees(".talk")
        await call.sound.say(speech(1.5, seed=4))
        await screens.shows_desk(desk, "desk-call", kept=("dark", "english"))
        await call.hang_up()
    await desk.sees(".timeline .recording audio")
    played = "(() => { const a = document.querySelector('.recording audio'); a.play(); return true; })()"
    await desk.evaluate(played)
    await eventually(lambda: desk.evaluate("document.querySelector('.recording audio').currentTime > 0.3"), 5)
    await screens.shows(desk, "desk-recording")


async def test_on_a_telephone_and_in_large_letters(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    citizen = await window(gateway.http, size=MOBILE)
    await citizen.sees(".welcome")
    await screens.shows(citizen, "citizen-mobile")
    await citizen.click(".size-largest")
    width = await citizen.evaluate("document.documentElement.scrollWidth")
    assert width <= MOBILE[0], "the page is wider than the telephone"
    await screens.shows(citizen, "citizen-mobile-largest")


@pytest.mark.parametrize("language", ["zh"])
async def test_in_english(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    citizen = await window(gateway.http)
    await citizen.click(".language")
    await citizen.sees("h1:has-text('Citizen Service Hotline')")
    await screens.shows(citizen, "citizen-english")
