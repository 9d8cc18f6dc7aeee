"""Story 3: a chat becomes a call. The same agent, the same session, and the chat stays open beside it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from channels.sms.coding import Coding, decode
from tests.conftest import Eventually
from tests.peers import cmpp as carriers
from tests.peers.baresip import Baresip
from tests.peers.browser import MOBILE as PHONE_SCREEN
from tests.peers.pages import CitizenPage, DeskPage, Refused
from tests.peers.sound import likeness, speech
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import Draws, MakesGateway, MakesSoftphone, OpensChat, OpensDesk, OpensWindow
from tests.scenarios.test_browser import write
from tests.scenarios.told import history, legs

MOBILE = "13800138000"
CITIZEN, AGENT = speech(1.5, seed=41), speech(1.5, seed=42)
ALIKE = 0.9


@dataclass
class Town:
    """A hotline with a carrier of texts, and a trunk that leads to the citizen's telephone."""

    hotline: Yihao
    carrier: carriers.Gateway
    telephone: Baresip

    @property
    def code(self) -> str:
        """The code in the newest text to the citizen."""
        words = [decode(sent.content, Coding.UCS2) for _, sent in self.carrier.submits]
        found = [match[1] for one in words if (match := re.search(r"验证码是(\d{6})", one))]
        return found[-1] if found else ""


@pytest.fixture
async def town(own_gateway: MakesGateway, tmp_path: Path) -> AsyncIterator[Town]:
    telephone = Baresip(tmp_path / "citizen", "127.0.0.1:9", f"+86{MOBILE}", "none", registers=False, says=CITIZEN)
    async with carriers.listening(carriers.Gateway()) as carrier, telephone:
        hotline = own_gateway(
            sms__cmpp__host="127.0.0.1",
            sms__cmpp__port=str(carrier.port),
            sms__cmpp__account=carriers.ACCOUNT,
            sms__cmpp__secret=carriers.SECRET,
            sms__cmpp__source_id="12345",
            outbound__trunk="127.0.0.1",
            outbound__port=str(telephone.sip_port),
            session__dial_ring_s="20",
        )
        await hotline.start()
        yield Town(hotline, carrier, telephone)


async def prove(town: Town, page: CitizenPage, eventually: Eventually) -> None:
    """The citizen proves their number on the page, by the code that is sent to it."""
    url, headers = f"{page.servers[0]}/api/webchat/verify", {"X-Visitor": page.visitor or ""}
    async with page.http.post(f"{url}/send", json={"number": MOBILE}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    code = await eventually(lambda: town.code, deadline_s=15)
    async with page.http.post(f"{url}/prove", json={"code": code}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


@asynccontextmanager
async def writing(
    town: Town, desk: OpensDesk, citizen: OpensChat, softphone: MakesSoftphone, eventually: Eventually
) -> AsyncIterator[tuple[DeskPage, CitizenPage, Baresip, str]]:
    """An agent with a softphone has the chat of a citizen."""
    agent, page = await desk(town.hotline, "8001"), await citizen(town.hotline)
    phone = await softphone(town.hotline, "8001", says=AGENT)
    await eventually(lambda: town.carrier.logins, deadline_s=15)
    await page.write("办证要带什么材料")
    offer = await agent.offer()
    await agent.accept(offer)
    yield agent, page, phone, str(offer["session"])


def told(agent: DeskPage, session: str) -> list[tuple[str, str | None]]:
    """What the timeline says of calls that we make."""
    return [(one["what"], one["reason"]) for one in agent.timeline(session) if one["kind"] == "dial"]


def said(page: CitizenPage) -> tuple[str, str | None]:
    return page.state["call"], page.state["call_failed"]


async def refused(page: Any, what: str, **fields: object) -> str:
    with pytest.raises(Refused) as refusal:
        await page.command(what, **fields)
    return str(refusal.value)


async def test_a_chat_becomes_a_call_with_the_same_agent_and_stays_open(
    town: Town,
    desk: OpensDesk,
    window: OpensWindow,
    softphone: MakesSoftphone,
    draws: Draws,
    album: Path,
    eventually: Eventually,
) -> None:
    """The citizen's page is a real browser's: they prove their number there, ask to be called, and write on."""
    agent, page = await desk(town.hotline, "8001"), await window(town.hotline.http, size=PHONE_SCREEN)
    phone = await softphone(town.hotline, "8001", says=AGENT)
    await eventually(lambda: town.carrier.logins, deadline_s=15)
    await page.sees(".welcome")
    await write(page, "办证要带什么材料")
    offer = await agent.offer()
    await agent.accept(offer)
    session = str(offer["session"])
    await page.sees(".standing-talking")
    assert await refused(agent, "call.start", session=session) == "number_unproven"

    await page.click(".proof-door summary")
    await page.write(".proof input[type=tel]", MOBILE)
    await page.click(".proof form:nth-of-type(1) button")
    code = await eventually(lambda: town.code, deadline_s=15)
    await page.write(".proof input[inputmode=numeric]", code)
    await page.click(f".proof form:nth-of-type(2) button{page.says('widget.proof.confirm')}")
    await page.sees(f".proof p[role=status]{page.says('widget.proof.done')}")
    await page.click(f".proof button{page.says('widget.proof.call_ask')}")
    await phone.saw("CALL_INCOMING")
    assert not town.telephone.all("CALL_INCOMING"), "the agent first"
    await phone.answer()
    await town.telephone.saw("CALL_INCOMING")
    await town.telephone.answer()
    await page.sees(f".proof p[role=status]{page.says('widget.proof.call_talking')}", 15)
    await eventually(lambda: likeness(AGENT, town.telephone.heard()).correlation >= ALIKE, deadline_s=20)
    await write(page, "我在电话里，也在这里")
    await eventually(lambda: "我在电话里，也在这里" in agent.texts(session), deadline_s=15)
    await agent.command("msg.send", session=session, text="材料清单")
    await page.sees(".bubble-agent:has-text('材料清单')")
    await page.picture(album / "chat-to-call-page.png")
    await phone.hang_up()
    await town.telephone.saw("CALL_CLOSED")
    await page.sees_no(f".proof p[role=status]{page.says('widget.proof.call_talking')}")
    await write(page, "电话挂了，这里还在")
    await eventually(lambda: "电话挂了，这里还在" in agent.texts(session), deadline_s=15)
    assert [what for what, _ in told(agent, session)] == ["requested", "started"]
    assert {frame["session"] for frame in agent.frames if frame["t"] == "contact.state"} == {session}
    recorded = [one for one in agent.timeline(session) if one["kind"] == "recording" and one["what"] == "finished"]
    assert len(recorded) == 1
    placed = await history(agent, session)
    assert legs(placed) == ["webchat", "phone"]
    await draws("chat-to-call.png", "网页会话转为通话，坐席不变，会话仍在 · a chat becomes a call", placed)


async def test_a_call_that_is_not_taken_returns_to_the_chat_and_the_agent_asks_again(
    town: Town, desk: OpensDesk, citizen: OpensChat, softphone: MakesSoftphone, eventually: Eventually
) -> None:
    """The citizen asks, from the page; their own telephone is busy. Then the agent asks, until both are there."""
    async with writing(town, desk, citizen, softphone, eventually) as (agent, page, phone, session):
        assert await refused(page, "call.ask") == "number_unproven"
        await prove(town, page, eventually)
        await page.command("call.ask")
        await phone.saw("CALL_INCOMING")
        await phone.answer()
        await town.telephone.saw("CALL_INCOMING")
        await town.telephone.hang_up()  # 486
        await phone.saw("CALL_CLOSED")
        await eventually(lambda: said(page) == ("none", "busy"), deadline_s=10)
        await eventually(lambda: told(agent, session)[-1:] == [("failed", "busy")], deadline_s=10)
        await page.write("刚才占线了")
        await eventually(lambda: "刚才占线了" in agent.texts(session), deadline_s=10)
        # Now the agent asks, and does not pick up: nobody is called, and the chat goes on too.
        await agent.command("call.start", session=session)
        await phone.saw("CALL_INCOMING", times=2)
        await phone.hang_up()
        await eventually(lambda: said(page) == ("none", "no_agent"), deadline_s=10)
        assert len(town.telephone.all("CALL_INCOMING")) == 1
        # The agent asks once more, and both are there.
        await agent.command("call.start", session=session)
        await phone.saw("CALL_INCOMING", times=3)
        await phone.answer()
        await town.telephone.saw("CALL_INCOMING", times=2)
        await town.telephone.answer()
        await eventually(lambda: likeness(CITIZEN, phone.heard()).correlation >= ALIKE, deadline_s=15)
        await page.write("现在听得见")
        await eventually(lambda: "现在听得见" in agent.texts(session), deadline_s=10)
