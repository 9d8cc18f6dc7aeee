"""A citizen goes on elsewhere: the same session, the same place, the same agent. By a real caller, a carrier's gateway
and a real Chromium; with `--long` the timelines' pictures in docs/timelines are drawn anew.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from channels.sms.coding import Coding, decode
from session.switch import read
from tests.conftest import Eventually
from tests.peers.browser import MOBILE
from tests.peers.caller import Call, Telephones
from tests.peers.cmpp import ACCOUNT as SP_ID
from tests.peers.cmpp import SECRET, Gateway, listening
from tests.peers.pages import DeskPage
from tests.peers.sound import likeness, speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import Draws, MakesGateway, MakesSoftphone, OpensDesk, OpensWindow
from tests.scenarios.test_browser import log_in, make_ready, photograph
from tests.scenarios.test_phone import ALIKE, hears
from tests.scenarios.told import entries, history, legs

MOBILES = ("13800138001", "13800138002", "13800138003")
WHERE = (39.90420, 116.40740)
AGENT, CITIZEN = speech(1.5, seed=12), speech(1.5, seed=13)


@pytest.fixture
async def carrier() -> AsyncIterator[Gateway]:
    async with listening(Gateway()) as gateway:
        yield gateway


@pytest.fixture
async def hotline(own_gateway: MakesGateway, carrier: Gateway) -> Yihao:
    yihao = own_gateway(
        sms__cmpp__host="127.0.0.1",
        sms__cmpp__port=str(carrier.port),
        sms__cmpp__account=SP_ID,
        sms__cmpp__secret=SECRET,
        sms__cmpp__source_id="12345",
        session__announce_s="[0.5, 12]",
        session__wrap_s="30",
        agents__offer_lease_s="20",
    )
    await yihao.start()
    return yihao


def texts(carrier: Gateway) -> str:
    """All that the carrier was given, as its subscribers read it."""
    return "".join(
        decode(one.content[6:] if one.content[:2] == b"\x05\x00" else one.content, Coding.UCS2)
        for _, one in carrier.submits
    )


async def linked(carrier: Gateway, eventually: Eventually, seen: int = 0) -> str:
    """The address in the newest text."""

    def link() -> str:
        said = texts(carrier)[seen:]
        return said[said.index("http") :].split(" ")[0] if "http" in said and "请勿转发" in said else ""

    return str(await eventually(link, deadline_s=15))


async def three_in_line(phones: Telephones) -> list[Call]:
    """Three callers, in their order."""
    calls = []
    for number in MOBILES:
        call = await phones.call(caller=number, vouched=True)
        await call.answered()
        calls.append(call)
    return calls


async def test_a_caller_keeps_the_place_and_goes_on_in_the_chat(
    hotline: Yihao,
    carrier: Gateway,
    window: OpensWindow,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    draws: Draws,
    eventually: Eventually,
) -> None:
    """Story 1: still third, then second; and the link is worth nothing to anybody else."""
    async with Telephones(hotline.sip) as phones:
        *_, third = await three_in_line(phones)
        await hears(third.sound, prompt("keep_place")[:8000])
        await third.press("1")
        link = await linked(carrier, eventually)
        await hears(third.sound, prompt("place_kept")[:8000])
        assert await third.hang_up() == 200

        page = await window(link, size=MOBILE)
        await page.sees(f".standing-waiting{page.says('widget.words.place', ahead=2)}")
        assert "#" not in await page.evaluate("location.href")
        await page.reload()
        await page.sees(f".standing-waiting{page.says('widget.words.place', ahead=2)}")
        thief = await window(link, size=MOBILE)
        await thief.sees(f".refusal{thief.says('widget.refused.used')}")
        phone = await softphone(hotline, "8001", answers=True)
        await phone.saw("CALL_ESTABLISHED")
        await page.sees(f".standing-waiting{page.says('widget.words.place', ahead=1)}")

        await page.write(".composer textarea", "我家楼下的路灯不亮。")
        await page.click(".composer .send")
        agent = await desk(hotline, "8002")
        await agent.make_ready()
        offer = await agent.offer(20)
        await agent.accept(offer)
        await page.sees(".standing-talking")
        session = str(offer["session"])
        await agent.command("msg.send", session=session, text="您好，请问在哪条路？")
        await page.sees(".bubble-agent:has-text('请问在哪条路')")
        state = await agent.saw("contact.state", session=session, phase="active")
        here = [leg["channel"] for leg in state["legs"] if leg["state"] != "ended"]
        assert (state["medium"], here) == ("chat", ["webchat"])
        placed = await history(agent, session)
        assert legs(placed) == ["phone", "webchat"]
        told = dict.fromkeys(one["what"] for one in entries(placed, "event"))
        assert list(told)[:4] == ["opened", "place", "digit", "place_kept"]
        assert [one["template"] for one in entries(placed, "notice")] == ["link"]
        assert agent.texts(session) == ["我家楼下的路灯不亮。", "您好，请问在哪条路？"]
        await draws("keep-my-place.png", "保留位置，改到网页继续 · keep my place", placed)


async def test_pictures_and_the_place_come_into_a_running_call(
    hotline: Yihao,
    carrier: Gateway,
    window: OpensWindow,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    draws: Draws,
    eventually: Eventually,
    tmp_path: Path,
    album: Path,
) -> None:
    """Story 2: pressed at a real desk, sent from a real page, while both talk on; one charge all the while."""
    phone = await softphone(hotline, "8001", answers=True, says=AGENT)
    screen = await window(f"{hotline.http}/desk")
    await log_in(screen, hotline.agent("8001"))
    await make_ready(screen)
    async with Telephones(hotline.sip) as phones:
        call = await phones.call(caller=MOBILES[0], vouched=True)
        await call.answered()
        await phone.saw("CALL_ESTABLISHED")
        await screen.click(".call .ask")
        link = await linked(carrier, eventually)
        page = await window(link, size=MOBILE)
        await page.is_at(*WHERE)
        photos = [tmp_path / "路灯.png", tmp_path / "电箱.png"]
        for place, photo in enumerate(photos):
            photo.write_bytes(photograph(240, 180 + place))
        await page.choose_files("#asked-pictures", photos)
        await page.click(".asked-acts button:nth-child(2)")
        await page.sees(".place:has-text('39.90420, 116.40740')")
        await screen.sees(".timeline .message:has-text('39.90420, 116.40740')")
        await screen.sees(f".timeline :text('138****8001 · {screen.words('person.proof.switch_link')}')")
        await eventually(lambda: screen.evaluate("document.querySelectorAll('.timeline .message img').length === 2"))
        await screen.sees(f".head .tag{screen.says('channel.phone')}")
        await screen.sees(f".head .tag{screen.says('channel.webchat')}")
        before, said_before = len(call.sound.heard()), len(phone.heard())
        await call.sound.say(CITIZEN)
        await hears(call.sound, AGENT, after=before)
        await eventually(lambda: likeness(CITIZEN, phone.heard()[said_before:]).correlation >= ALIKE, deadline_s=15)
        await screen.sees(f".quality{screen.says('call.sound.citizen')}:has-text(' 4.')", 15)
        await screen.sees(f".quality{screen.says('call.sound.assignee')}:has-text(' 4.')", 15)
        await page.picture(album / "picture-page.png")
        await screen.picture(album / "picture-desk.png")

        session = read(link.partition("#")[2]).session
        supervisor = await desk(hotline, "8004")
        house = json.loads(await supervisor.get("/api/wallboard"))["agents"]
        assert [one["sessions"] for one in house if one["login"] == "8001"] == [[session]], "one charge"
        await eventually(lambda: _sound_on_the_ladder(supervisor, session), deadline_s=15)
        placed = await screen.evaluate(f"fetch('/api/sessions/{session}/timeline').then((one) => one.json())")
        placed = list(placed["entries"] if isinstance(placed, dict) else placed)
        assert legs(placed) == ["phone", "webchat"]
        assert len(entries(placed, "file")) == 2
        await draws("pictures-in-a-call.png", "通话中发照片和位置 · pictures in a call", placed)
        await call.hang_up()


async def _sound_on_the_ladder(supervisor: DeskPage, session: str) -> bool:
    """How each end of the only call sounds stands there while it runs."""
    (kept,) = json.loads(await supervisor.get(f"/api/calls?session={session}"))["calls"]
    ladder = (await supervisor.get(f"/api/calls/{kept['call']}/ladder.txt")).decode()
    return all(f"sounds good [{end}]: MOS 4." in ladder for end in ("citizen", "agent"))


async def test_a_call_that_drops_is_back_with_its_agent(
    hotline: Yihao, softphone: MakesSoftphone, desk: OpensDesk, draws: Draws, eventually: Eventually
) -> None:
    """Story 4: the network loses the caller; they dial again."""
    phone = await softphone(hotline, "8001", says=AGENT)
    agent = await desk(hotline, "8001")
    async with Telephones(hotline.sip) as phones:
        call = await phones.call(caller=MOBILES[0], vouched=True)
        await phone.saw("CALL_INCOMING")
        await softphone(hotline, "8002", answers=True)  # another is free, and is not asked
        await phone.answer()
        await phone.saw("CALL_ESTABLISHED")
        await hears(call.sound, AGENT)
        session = str((await agent.offer())["session"])
        await call.drop()
        await agent.until(lambda one: one["t"] == "contact.state" and _states(one) == ["away"], what="a dropped call")
        rung = len(phone.all("CALL_INCOMING"))
        again = await phones.call(caller=MOBILES[0], vouched=True)
        await again.answered()
        await phone.saw("CALL_INCOMING", times=rung + 1)
        await phone.answer()
        await hears(again.sound, AGENT)
        placed = await history(agent, session)
        assert legs(placed) == ["phone", "phone"]
        assert [one["what"] for one in entries(placed, "offer")].count("accepted") == 1, "one charge, one agent"
        assert [one["what"] for one in entries(placed, "leg")].count("joined") == 2
        await again.hang_up()
        await agent.until(lambda one: one["t"] == "contact.state" and one["phase"] == "wrapping", what="wrap-up")
        await draws("dropped-call.png", "通话中断，重拨后回到同一坐席 · a dropped call", await history(agent, session))


def _states(state: dict[str, Any]) -> list[str]:
    """How the citizen's calls of a contact stand."""
    return [leg["state"] for leg in state["legs"] if leg["party"] == "citizen" and leg["medium"] == "voice"]


async def test_who_is_cut_off_in_line_is_back_at_their_place(
    hotline: Yihao, softphone: MakesSoftphone, desk: OpensDesk, draws: Draws
) -> None:
    """Story 4, before anybody has answered: the second in line is cut off, is the second again, and is served so."""
    async with Telephones(hotline.sip) as phones:
        first, second, third = await three_in_line(phones)
        await second.drop()
        again = await phones.call(caller=MOBILES[1], vouched=True)
        await again.answered()
        place = ("position_head", "n2", "position_tail")
        await hears(again.sound, np.concatenate([prompt(piece) for piece in place]), deadline_s=30)
        await first.hang_up()
        agent, phone = await desk(hotline, "8001"), await softphone(hotline, "8001", answers=True, says=AGENT)
        await phone.saw("CALL_ESTABLISHED")
        await hears(again.sound, AGENT)
        placed = await history(agent, str((await agent.offer())["session"]))
        assert legs(placed) == ["phone", "phone"]
        assert {one["detail"] for one in entries(placed, "event") if one["what"] == "place"} == {"2"}
        await draws("dropped-in-line.png", "排队中通话中断，重拨后仍在原位 · cut off in line", placed)
        for call in (again, third):
            await call.hang_up()
