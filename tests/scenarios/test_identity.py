"""A citizen texts, writes to the official account, and calls: after one verification they are one person at the desk.

The other sides are a carrier's gateway (CMPP), a stand-in for WeChat's servers whose pushes wechatpy seals, and a
telephone over SIP. A wrong merge is undone, and nothing of it is left.
"""

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import pytest
import segno

from channels.sms.cmpp import messages as cmpp
from channels.sms.coding import Coding, decode, encode
from tests.channels.wechat.rig import APPID, KEY, SECRET, TOKEN, Wire
from tests.conftest import Eventually
from tests.peers import cmpp as carriers
from tests.peers.browser import IN_WECHAT
from tests.peers.browser import MOBILE as PHONE_SCREEN
from tests.peers.caller import Telephones
from tests.peers.looks import Album
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage
from tests.peers.wechat import WeChatApi, serving
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import Draws, MakesGateway, MakesSoftphone, OpensChat, OpensDesk, OpensWindow
from tests.scenarios.test_browser import log_in, reply
from tests.scenarios.test_phone import hears
from tests.scenarios.told import entries, history, legs

MOBILE = "13800138000"
FOLLOWED = "http://weixin.qq.com/q/kZgfwMTm"
"""What the stand-in for WeChat gives a code's content as."""
MODULES = """(async () => {
    const picture = document.querySelector(".proof img");
    await picture.decode();
    const canvas = document.createElement("canvas"), many = picture.naturalWidth / 4;
    canvas.width = canvas.height = picture.naturalWidth;
    const drawn = canvas.getContext("2d");
    drawn.drawImage(picture, 0, 0);
    const isDark = (row, column) => drawn.getImageData(column * 4 + 2, row * 4 + 2, 1, 1).data[0] < 128;
    const every = [...Array(many).keys()];
    return every.map((row) => every.map((column) => Number(isDark(row, column))));
})()"""
"""The QR code as the browser draws it, four pixels a module; 1 is dark."""
OPENID = "oyORnuP8q7ou2gfYjqLzSIWZf0rs"


@dataclass
class Town:
    """The hotline, and everybody on the other side of it."""

    hotline: Yihao
    carrier: carriers.Gateway
    wechat: WeChatApi
    wire: Wire
    texts: int = 0

    def text(self, words: str) -> None:
        """The citizen sends a text."""
        self.texts += 1
        content = encode(words, Coding.UCS2)
        self.carrier.bring(
            cmpp.Deliver(message=self.texts, destination="12345", source=f"86{MOBILE}", format=8, content=content)
        )

    async def write(self, words: str) -> None:
        """The citizen writes to the official account."""
        self.wechat.windows[OPENID] = (time.time() + 3600, 5)
        status, _ = await self.wire.say(words, OPENID)
        assert status == 200

    def texted(self) -> str:
        """All that the carrier was given."""
        return "".join(decode(sent.content, Coding.UCS2) for _, sent in self.carrier.submits)

    @property
    def code(self) -> str:
        """The code in the newest text to the citizen."""
        for _, sent in reversed(self.carrier.submits):
            found = re.search(r"验证码是(\d{6})", decode(sent.content, Coding.UCS2))
            if found:
                return found[1]
        return ""


@pytest.fixture
async def town(own_gateway: MakesGateway) -> AsyncIterator[Town]:
    wechat = WeChatApi(APPID, SECRET)
    async with carriers.listening(carriers.Gateway()) as carrier, serving(wechat.app()) as api:
        hotline = own_gateway(
            sms__cmpp__host="127.0.0.1",
            sms__cmpp__port=str(carrier.port),
            sms__cmpp__account=carriers.ACCOUNT,
            sms__cmpp__secret=carriers.SECRET,
            sms__cmpp__source_id="12345",
            wechat__appid=APPID,
            wechat__secret=SECRET,
            wechat__token=TOKEN,
            wechat__aes_keys=KEY,
            wechat__api=api,
            sip__trunks="127.0.0.0/8",
            sip__area="10",
            session__announce_s="[0.5, 30]",
        )
        await hotline.start()
        async with aiohttp.ClientSession() as http:
            yield Town(hotline, carrier, wechat, Wire(http, f"{hotline.http}/api/wechat/push", time.time))


async def taken(desk: DeskPage, channel: str) -> str:
    """The next offer of that channel, accepted."""
    offer = await desk.until(lambda one: one["t"] == "offer.new" and one["channel"] == channel, 15, f"offer: {channel}")
    await desk.accept(offer)
    await desk.saw("contact.state", 15, session=offer["session"], phase="active")
    return str(offer["session"])


def told(town: Town) -> str:
    """All that the official account has written."""
    return "\n".join(one["text"]["content"] for one in town.wechat.sent if one["msgtype"] == "text")


def is_told(town: Town, text: str) -> bool:
    return text in told(town)


def linked(town: Town) -> str:
    """The address in the newest link that came by WeChat."""
    return str(re.findall(r"http\S+/go#\S+", told(town))[-1])


async def person(desk: DeskPage, session: str) -> dict[str, Any]:
    return dict(json.loads(await desk.get(f"/api/sessions/{session}/person")))


async def timeline(desk: DeskPage, session: str) -> list[dict[str, Any]]:
    return list(json.loads(await desk.get(f"/api/sessions/{session}/person/timeline"))["entries"])


async def texts(desk: DeskPage, session: str) -> list[str]:
    return [one["entry"]["text"] for one in await timeline(desk, session) if one["entry"]["kind"] == "text"]


async def act(desk: DeskPage, session: str, what: str, **body: str) -> tuple[int, dict[str, Any]]:
    url = f"{desk.servers[0]}/api/sessions/{session}/person/{what}"
    async with desk.http.post(url, json=body, headers={**OWN_PAGE, "Origin": desk.servers[0]}) as answer:
        return answer.status, dict(await answer.json())


def known(shown: dict[str, Any]) -> list[str]:
    return [str(one["address"]) for one in shown["addresses"]]


async def finish(desk: DeskPage, session: str) -> None:
    await desk.command("contact.finish", session=session)
    await desk.command("wrap.save", session=session, kind="咨询", note="")
    await desk.saw("contact.gone", 15, session=session)


async def test_three_ways_in_one_person_and_a_wrong_merge_undone(
    town: Town, desk: OpensDesk, citizen: OpensChat, draws: Draws, eventually: Eventually
) -> None:
    agent = await desk(town.hotline, "8001")
    await agent.make_ready()
    await eventually(lambda: town.carrier.logins, deadline_s=15)

    town.text("路灯坏了")
    first = await taken(agent, "sms")
    await agent.command("msg.send", session=first, text="哪条路？")
    await finish(agent, first)

    await town.write("我昨天报的路灯，有进展吗")
    session = await taken(agent, "wechat")
    assert await texts(agent, session) == ["我昨天报的路灯，有进展吗"], "nobody knows yet who this is"

    status, refusal = await act(agent, session, "verify", number="12345")
    assert (status, refusal) == (422, {"error": "bad_number"})
    assert (await act(agent, session, "verify", number=MOBILE))[0] == 200
    claimed = await person(agent, session)
    assert [one["address"] for one in claimed["claims"]] == ["tel 138****8000"]
    assert len(claimed["addresses"]) == 1, "what is only said binds nothing"
    code = await eventually(lambda: town.code, deadline_s=15)
    await town.write("验证码发你了")
    await town.write(f" {code} ")
    await eventually(lambda: len_of(agent, session), deadline_s=15)

    shown = await person(agent, session)
    assert known(shown) == ["tel 138****8000", f"wechat {OPENID[-4:]}"]
    assert shown["claims"] == []
    (link,) = shown["addresses"][0]["links"]
    assert (link["proof"], link["confidence"]) == ("sms_code", 0.95)
    whole = await eventually(lambda: words_of(agent, session, 5), deadline_s=15)
    assert whole == ["路灯坏了", "哪条路？", "我昨天报的路灯，有进展吗", "验证码发你了", code]
    assert MOBILE not in json.dumps(shown) + json.dumps(await timeline(agent, session)), "masked everywhere"

    async with Telephones(town.hotline.sip) as phones:
        call = await phones.call(caller=MOBILE, vouched=True)
        await call.answered(10)
        await eventually(lambda: came_by_phone(agent, session), deadline_s=15)
        assert (await person(agent, session))["addresses"][0]["vouched"], "the network vouches for the number"
        await agent.command("picture.request", session=session)
        await eventually(lambda: "/go#" in told(town), deadline_s=15)
        assert "/go#" not in town.texted(), "by WeChat, where they may be written to"
        await town.write("照片我直接在微信里发")
        await eventually(lambda: "照片我直接在微信里发" in agent.texts(session), deadline_s=15)
        await call.hang_up()
    merged = await timeline(agent, session)
    assert {one["session"] for one in merged} == {first, session}, "no third session"
    await draws("one-citizen.png", "短信、微信、电话，核验后是一位市民 · one citizen", merged)

    await the_wrong_one_is_undone(town, agent, await citizen(town.hotline), session, eventually)
    assert MOBILE not in town.hotline.log()
    assert code not in town.hotline.log()


async def the_wrong_one_is_undone(
    town: Town, agent: DeskPage, stranger: CitizenPage, session: str, eventually: Eventually
) -> None:
    """An agent takes another citizen for the first, by their own word; then sees that it was wrong."""
    before = known(await person(agent, session)), await timeline(agent, session)
    await stranger.write("我家漏水")
    other = await taken(agent, "webchat")
    alone = known(await person(agent, other)), await texts(agent, other)
    assert (await act(agent, other, "link", number=MOBILE))[1] == {"error": "why_needed"}
    status, linked = await act(agent, other, "link", number=MOBILE, why="声音像")
    assert status == 200
    wrong = await person(agent, other)
    assert len(wrong["addresses"]) == 3
    assert "路灯坏了" in await texts(agent, other)
    assert session in [one["session"] for one in wrong["also_open"]]

    assert (await act(agent, other, "unlink", link=linked["link"], why=""))[1] == {"error": "why_needed"}
    assert (await act(agent, other, "unlink", link="01J", why="x"))[1] == {"error": "no_such_link"}
    assert (await act(agent, other, "unlink", link=linked["link"], why="认错人"))[0] == 200
    assert (known(await person(agent, other)), await texts(agent, other)) == alone
    assert (known(await person(agent, session)), await timeline(agent, session)) == before
    assert [one["detail"] for one in agent.timeline(other) if one.get("what") == "address_parted"] == ["认错人"]
    assert (await act(agent, other, "unlink", link=linked["link"], why="认错人"))[0] == 404


async def len_of(agent: DeskPage, session: str) -> bool:
    return len((await person(agent, session))["addresses"]) == 2


async def words_of(agent: DeskPage, session: str, many: int) -> list[str]:
    """Once the history has all that many."""
    found = await texts(agent, session)
    return found if len(found) >= many else []


async def came_by_phone(agent: DeskPage, session: str) -> bool:
    legs = [one for one in agent.timeline(session) if one["kind"] == "leg" and one["what"] == "opened"]
    return "phone" in [one["channel"] for one in legs]


async def prove(page: CitizenPage, what: str, **body: str) -> tuple[int, dict[str, Any]]:
    """What the citizen's page asks beside the conversation."""
    url = f"{page.servers[0]}/api/webchat/verify/{what}"
    async with page.http.post(url, json=body, headers={"X-Visitor": page.visitor or ""}) as answer:
        return answer.status, dict(await answer.json())


async def test_the_page_proves_a_number_by_a_code_and_a_wechat_by_a_scan(
    town: Town, desk: OpensDesk, citizen: OpensChat, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    """The code is drawn in Chromium, for another window of the same citizen; whoever scans it goes on in WeChat. How
    much may still be written there stands at the desk, and WeChat's own books agree.
    """
    agent = await desk(town.hotline, "8001")
    await agent.make_ready()
    await eventually(lambda: town.carrier.logins, deadline_s=15)
    page, thief = await citizen(town.hotline), await citizen(town.hotline)
    await page.write("我来补充材料")
    session = await taken(agent, "webchat")

    assert await prove(page, "send", number="110") == (422, {"error": "bad_number"})
    assert await prove(page, "send", number="") == (400, {"error": "malformed"})
    assert await prove(page, "prove", code="000000") == (422, {"error": "wrong_code"})
    assert await prove(page, "send", number=f"+86 {MOBILE}") == (200, {})
    code = await eventually(lambda: town.code, deadline_s=15)
    assert await prove(thief, "prove", code=code) == (422, {"error": "wrong_code"})
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert await prove(page, "prove", code=wrong) == (422, {"error": "wrong_code"})
    assert await prove(page, "prove", code=code) == (200, {})
    assert await prove(page, "prove", code=code) == (422, {"error": "wrong_code"})

    town.text("我的材料收到了吗")
    await eventually(lambda: "我的材料收到了吗" in agent.texts(session), deadline_s=15)
    await eventually(lambda: "我的材料收到了吗" in page.texts(), deadline_s=15)

    seen = await window(town.hotline.http, size=PHONE_SCREEN)
    await seen.before_all(f"localStorage.setItem('yihao.visitor', {page.visitor!r})")
    await seen.sees(".standing-talking", 15)
    await seen.click(".proof-door summary")
    await seen.click(f".proof .act{seen.says('widget.proof.scan')}")
    await seen.sees(".proof img", 15)
    await screens.shows(seen, "citizen-wechat")
    drawn = segno.make_qr(FOLLOWED, error="m").matrix_iter(border=4)
    assert await seen.evaluate(MODULES) == [[int(dark) for dark in row] for row in drawn]
    scene = town.wechat.qr[-1]["action_info"]["scene"]["scene_str"]
    assert len(scene) <= 64
    event = town.wire.event("SCAN", scene, openid=OPENID, Ticket="gQH47==")
    town.wechat.windows[OPENID] = (time.time() + 60, 3)
    assert (await town.wire.push(event))[0] == 200
    stranger = town.wire.event("SCAN", scene, openid="another-openid-of-somebody", Ticket="gQH47==")
    assert (await town.wire.push(stranger))[0] == 200
    await agent.command("msg.send", session=session, text="您也可以在微信里说")
    await eventually(lambda: "您也可以在微信里说" in told(town), deadline_s=15)
    assert page.texts()[-1] == "您也可以在微信里说", "in both, before they have written there"
    await seen.sees(".bubble-agent:has-text('您也可以在微信里说')", 15)
    shown = await person(agent, session)
    assert [one.split()[0] for one in known(shown)] == ["tel", "web", "wechat"]
    assert known(shown)[2] == f"wechat {OPENID[-4:]}", "the first who scanned it, and nobody after"

    for _ in range(20):
        status, refusal = await prove(thief, "send", number=MOBILE)
        if status != 200:
            break
    assert (status, refusal) == (429, {"error": "too_many_codes"})

    for text in ("请讲", "在听"):  # a scan allows three, and these are the second and the third
        await agent.command("msg.send", session=session, text=text)
        await eventually(partial(is_told, town, text), deadline_s=15)
    await town.write("我在微信里继续")
    await seen.sees(".bubble-citizen:has-text('我在微信里继续')", 15)
    assert agent.texts(session)[-1] == "我在微信里继续"
    screen = await window(f"{town.hotline.http}/desk")
    await log_in(screen, town.hotline.agent("8001"))
    await screen.click(".veil .el-button")  # here, and no longer by hand
    hours = screen.words("reach.hours", count=47)
    await screen.sees(f".reach{screen.says('reach.left', count=5, time=hours)}", 15)
    await reply(screen, "这就办")
    await eventually(partial(is_told, town, "这就办"), deadline_s=15)
    await screen.sees(f".reach{screen.says('reach.left', count=4, time=hours)}", 15)
    await screens.shows_desk(screen, "desk-wechat")
    await eventually(partial(is_told, town, "这就办"), deadline_s=15)
    assert town.wechat.windows[OPENID][1] == 4
    assert MOBILE not in town.hotline.log()


async def test_a_caller_who_is_known_there_goes_on_in_wechat(
    town: Town,
    desk: OpensDesk,
    citizen: OpensChat,
    window: OpensWindow,
    softphone: MakesSoftphone,
    draws: Draws,
    eventually: Eventually,
) -> None:
    """Story 1: the third in line presses 1; the link comes by WeChat while that may be written to, else as a text. In
    WeChat's browser they are third still, then second; they write in WeChat itself, and it is one session.
    """
    agent = await desk(town.hotline, "8002")
    await eventually(lambda: town.carrier.logins, deadline_s=15)
    page = await citizen(town.hotline)
    assert await prove(page, "send", number=MOBILE) == (200, {})
    code = await eventually(lambda: town.code, deadline_s=15)
    assert await prove(page, "prove", code=code) == (200, {})
    assert (await prove(page, "scan"))[0] == 200
    scene = town.wechat.qr[-1]["action_info"]["scene"]["scene_str"]
    assert (await town.wire.push(town.wire.event("SCAN", scene, openid=OPENID, Ticket="gQH47==")))[0] == 200
    town.wechat.windows[OPENID] = (time.time() + 60, 1)

    async with Telephones(town.hotline.sip) as phones:
        for number in ("13800138001", "13800138002"):
            before = await phones.call(caller=number, vouched=True)
            await before.answered(15)
        call = await phones.call(caller=MOBILE, vouched=True)
        await call.answered(15)
        await hears(call.sound, prompt("keep_place")[:8000])
        await call.press("1")
        await eventually(lambda: "/go#" in told(town), deadline_s=15)
        assert "/go#" not in town.texted()
        # WeChat takes no more: the window that we thought open is spent.
        await call.press("1")
        await eventually(lambda: "/go#" in town.texted(), deadline_s=15)
        assert await call.hang_up() == 200

        seen = await window(linked(town), size=PHONE_SCREEN, calls_itself=IN_WECHAT)
        await seen.sees(f".standing-waiting{seen.says('widget.words.place', ahead=2)}", 15)
        phone = await softphone(town.hotline, "8001", answers=True)
        await phone.saw("CALL_ESTABLISHED", 15)
        await seen.sees(f".standing-waiting{seen.says('widget.words.place', ahead=1)}", 15)
        await town.write("我在微信里继续")
        await seen.sees(".bubble-citizen:has-text('我在微信里继续')", 15)
        await agent.make_ready()
        offer = await agent.offer(15)
        await agent.accept(offer)
        session = str(offer["session"])
        await seen.sees(".standing-talking", 15)
        await agent.command("msg.send", session=session, text="您好，请讲")
        await seen.sees(".bubble-agent:has-text('您好，请讲')", 15)
        await eventually(lambda: "您好，请讲" in told(town), deadline_s=15)
    assert agent.texts(session) == ["我在微信里继续", "您好，请讲"]
    placed = await history(agent, session)
    assert legs(placed) == ["phone", "webchat", "wechat"]
    assert [one["channel"] for one in entries(placed, "notice")] == ["wechat", "wechat", "sms"]
    assert [one["what"] for one in entries(placed, "offer")].count("accepted") == 1
    await draws("keep-my-place-wechat.png", "保留位置，改到微信继续 · on in WeChat, at the same place", placed)


async def test_two_matters_of_one_citizen_go_on_as_one_and_part_again(
    town: Town, desk: OpensDesk, citizen: OpensChat, eventually: Eventually
) -> None:
    """They chat, and their text waits in line. One charge, the longer wait, every word in one timeline, none lost."""
    agent = await desk(town.hotline, "8001")
    await agent.make_ready()
    await eventually(lambda: town.carrier.logins, deadline_s=15)
    page = await citizen(town.hotline)
    await page.write("我来补充材料")
    session = await taken(agent, "webchat")
    await agent.command("presence.set", presence="break", reason="meeting")
    town.text("材料什么时候能批")
    await eventually(lambda: waits(agent), deadline_s=15)
    assert (await act(agent, session, "join", other="01J"))[1] == {"error": "no_such_session"}
    assert await prove(page, "send", number=MOBILE) == (200, {})
    code = await eventually(lambda: town.code, deadline_s=15)
    assert await prove(page, "prove", code=code) == (200, {})
    (other,) = await eventually(lambda: also_open(agent, session), deadline_s=15)
    assert not other["joined"]

    assert (await act(agent, session, "join", other=other["session"]))[0] == 200
    await eventually(lambda: not waits(agent), deadline_s=15)
    assert (await act(agent, session, "join", other=other["session"]))[1] == {"error": "not_running"}
    before = len(town.carrier.submits)
    await agent.command("msg.send", session=session, text="明天就批")
    await eventually(lambda: len(town.carrier.submits) > before, deadline_s=15)
    await eventually(lambda: page.texts()[-1] == "明天就批", deadline_s=15)
    town.text("好的")
    await eventually(lambda: agent.texts(session)[-1] == "好的", deadline_s=15)
    await page.write("谢谢")
    await eventually(lambda: agent.texts(session)[-1] == "谢谢", deadline_s=15)
    assert await texts(agent, session) == ["我来补充材料", "材料什么时候能批", "明天就批", "好的", "谢谢"]

    (other,) = await eventually(lambda: also_open(agent, session), deadline_s=15)
    assert other["joined"]
    assert (await act(agent, session, "split", other=other["session"], why=""))[1] == {"error": "why_needed"}
    assert (await act(agent, session, "split", other=other["session"], why="两件事"))[0] == 200
    assert (await act(agent, session, "split", other=other["session"], why="两件事"))[1] == {"error": "not_joined"}
    await eventually(lambda: waits(agent), deadline_s=15)
    town.text("还在吗")
    await agent.make_ready()
    assert await taken(agent, "sms") == other["session"]
    await eventually(lambda: agent.texts(other["session"])[-1] == "还在吗", deadline_s=15)
    assert agent.texts(session)[-1] == "谢谢"


def waits(agent: DeskPage) -> bool:
    """Whether anybody stands in line, as the desk is told."""
    told = [frame for frame in agent.mentions if frame["t"] == "queue.stats"]
    return bool(told) and any(line["waiting"] for line in told[-1]["queues"])


async def also_open(agent: DeskPage, session: str) -> list[dict[str, Any]]:
    return list((await person(agent, session))["also_open"])
