"""Two gateways on one store are one hotline: whoever comes to one is served by who sits at the other."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.cable import Cable
from tests.peers.caller import Telephones
from tests.peers.pages import CitizenPage
from tests.peers.sound import likeness, speech, tone
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensChat, OpensDesk, OpensWindow
from tests.scenarios.test_page_telephone import beeps, hums_in
from tests.scenarios.test_phone import ALIKE, hears
from tests.scenarios.told import entries, history, legs

KEYS = {"secrets__resume_key": "1" * 64, "secrets__cookie_key": "2" * 64, "secrets__pepper": "3" * 64}
AGENT, CITIZEN = speech(1.5, seed=31), speech(1.5, seed=32)
AGENT_HZ = 1100


@pytest.fixture
async def two(own_gateway: MakesGateway, short_folder: Path) -> AsyncIterator[tuple[Yihao, Yihao]]:
    store = ValkeyServer(short_folder)
    await asyncio.to_thread(store.start)
    shared = {"store__url": store.url, "storage__url": f"sqlite+aiosqlite:///{short_folder / 'history.db'}", **KEYS}
    one, other = own_gateway("one", **shared), own_gateway("other", **shared)
    await one.start()
    await other.start()
    yield one, other
    for gateway in (one, other):
        await gateway.__aexit__()
    store.stop()


async def test_a_call_to_one_rings_the_telephone_at_the_other(
    two: tuple[Yihao, Yihao], softphone: MakesSoftphone
) -> None:
    one, other = two
    phone = await softphone(other, "8001", says=AGENT, password=one.agent("8001").sip_password)
    async with Telephones(one.sip) as phones:
        call = await phones.call()
        await call.answered()
        await phone.saw("CALL_INCOMING")
        await phone.answer()
        await phone.saw("CALL_ESTABLISHED")
        await hears(call.sound, AGENT)
        await call.sound.say(CITIZEN)
        await call.hang_up()
        await phone.saw("CALL_CLOSED")
        assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE


async def test_who_dials_again_at_the_other_is_back_with_their_agent(
    two: tuple[Yihao, Yihao], softphone: MakesSoftphone, desk: OpensDesk
) -> None:
    """Nobody has said that the first call is dead: it is let go, and the second goes on in its session."""
    one, other = two
    password = one.agent("8001").sip_password
    phone = await softphone(other, "8001", says=AGENT, transport="tcp", password=password)
    agent = await desk(one, "8001", other)
    async with Telephones(one.sip) as phones, Telephones(other.sip) as elsewhere:
        call = await phones.call(vouched=True)
        await phone.saw("CALL_INCOMING")
        await phone.answer()
        await hears(call.sound, AGENT)
        session = str((await agent.offer(15))["session"])
        again = await elsewhere.call(vouched=True)
        assert await call.ended(15) == "them"
        await again.answered(15)
        await phone.saw("CALL_INCOMING", times=2)
        await phone.answer()
        await hears(again.sound, AGENT)
        await again.sound.say(CITIZEN)
        await again.hang_up()
        placed = await history(agent, session)
        assert legs(placed) == ["phone", "phone"]
        assert [one["what"] for one in entries(placed, "offer")].count("accepted") == 1, "one charge, one agent"
        await phone.saw("CALL_CLOSED", times=2)
        assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE


async def test_a_page_that_is_loaded_anew_at_the_other_is_back_in_its_call(
    two: tuple[Yihao, Yihao], softphone: MakesSoftphone, window: OpensWindow, eventually: Eventually
) -> None:
    """Its sound stays at the one: nobody is rung again, and each end hears the other as before."""
    one, other = two
    password = one.agent("8001").sip_password
    phone = await softphone(other, "8001", says=tone(AGENT_HZ, 60.0), answers=True, password=password)
    async with Cable(one.http) as cable:
        page = await window("about:blank")
        await page.tap()
        await page.open(cable.address)
        await page.click(".call-door")
        await page.sees(".call[data-stage=talking]", 20)
        await eventually(lambda: hums_in(page, AGENT_HZ), deadline_s=20)
        cable.lead_to(other.http)
        cable.cut()
        cable.mend()
        await page.reload()
        await page.sees(".call[data-stage=talking]", 20)
        await eventually(lambda: hums_in(page, AGENT_HZ), deadline_s=20)
        before = len(phone.heard())
        await eventually(lambda: beeps(phone.heard()[before:]), deadline_s=20)
        await page.click(".call-end")
        await phone.saw("CALL_CLOSED", 20)
        await page.sees(f".call p{page.says('widget.call.over')}")
    assert len(phone.all("CALL_ESTABLISHED")) == 1


async def test_a_chat_goes_on_at_the_other_when_one_is_killed(
    two: tuple[Yihao, Yihao], desk: OpensDesk, citizen: OpensChat, eventually: Eventually
) -> None:
    one, other = two
    agent = await desk(one, "8001", other)
    await agent.make_ready()
    async with Cable(one.http) as cable, CitizenPage(cable.address) as page:
        await page.open()
        await page.write("第一句")
        offer = await agent.offer()
        await agent.accept(offer)
        await agent.command("msg.send", session=offer["session"], text="您好")
        await page.saw("msg.new", text="您好")
        cable.lead_to(other.http)
        one.kill()
        await page.write("第二句", 20)
        await eventually(lambda: agent.texts(offer["session"]) == ["第一句", "您好", "第二句"], 20)
        await agent.command("msg.send", 20, session=offer["session"], text="我还在")
        await page.saw("msg.new", 20, text="我还在")
        assert page.texts() == ["第一句", "您好", "第二句", "我还在"]
        assert page.phase == "talking"
