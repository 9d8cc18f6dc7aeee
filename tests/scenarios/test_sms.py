"""A citizen texts, an agent answers at the desk, and the desk shows what became of it: by two carriers at once."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from channels.sms.cmpp import messages as cmpp
from channels.sms.coding import Coding, decode, encode
from tests.conftest import Eventually
from tests.peers.cmpp import ACCOUNT as SP_ID
from tests.peers.cmpp import SECRET, Gateway, listening
from tests.peers.pages import DeskPage
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, TwilioApi, open_api, sign, texted
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesGateway, OpensDesk

ABROAD, MOBILE = "+14155550100", "13800138000"
UP = "/api/sms/twilio/up"


@pytest.fixture
async def twilio() -> AsyncIterator[TwilioApi]:
    async with open_api() as api:
        yield api


@pytest.fixture
async def carrier() -> AsyncIterator[Gateway]:
    async with listening(Gateway()) as gateway:
        yield gateway


@pytest.fixture
async def hotline(own_gateway: MakesGateway, twilio: TwilioApi, carrier: Gateway) -> Yihao:
    yihao = own_gateway(
        sms__cmpp__host="127.0.0.1",
        sms__cmpp__port=str(carrier.port),
        sms__cmpp__account=SP_ID,
        sms__cmpp__secret=SECRET,
        sms__cmpp__source_id="12345",
        sms__twilio__account=ACCOUNT,
        sms__twilio__tokens=TOKEN,
        sms__twilio__sender="+18005551212",
        sms__twilio__public_url=PUBLIC,
        sms__twilio__url=twilio.url,
        sms__ways='["+86=cmpp", "+=twilio"]',
    )
    await yihao.start()
    twilio.gateway = yihao.http
    return yihao


async def bring(hotline: Yihao, fields: dict[str, str], token: str = TOKEN) -> int:
    """Twilio brings a citizen's text, signed by its own SDK."""
    headers = sign(UP, fields, token)
    async with aiohttp.ClientSession() as http, http.post(hotline.http + UP, data=fields, headers=headers) as answer:
        return answer.status


def deliver(words: str, message: int) -> cmpp.Deliver:
    """A carrier's gateway brings one."""
    content = encode(words, Coding.UCS2)
    return cmpp.Deliver(message=message, destination="12345", source=f"86{MOBILE}", format=8, content=content)


def failures(desk: DeskPage, session: str) -> list[tuple[str, str, str]]:
    """What will not come, as the desk shows it: channel, reason, the carrier's code."""
    shown = [entry for entry in desk.timeline(session) if entry["kind"] == "failure"]
    return [(entry["channel"], entry["reason"], entry["code"]) for entry in shown]


def delivered(desk: DeskPage, session: str) -> list[str]:
    """The messages that the citizen's telephone has."""
    states = [entry for entry in desk.timeline(session) if entry["kind"] == "progress"]
    return [entry["message"] for entry in states if entry["who"]["kind"] == "citizen"]


async def taken(desk: DeskPage, after: int = 0) -> str:
    """The next offer, accepted."""
    offer = await desk.offer(after=after)
    assert offer["channel"] == "sms"
    await desk.accept(offer)
    return str(offer["session"])


async def test_a_text_is_answered_and_its_delivery_shows(
    hotline: Yihao, twilio: TwilioApi, desk: OpensDesk, eventually: Eventually
) -> None:
    agent = await desk(hotline, "8001")
    await agent.make_ready()
    assert await bring(hotline, texted("SM1", ABROAD, "The street light is out"), token="another") == 403
    for _ in range(3):
        assert await bring(hotline, texted("SM1", ABROAD, "The street light is out")) == 200
    session = await taken(agent)
    await agent.command("msg.send", session=session, text="Which street?")
    (sent,) = await eventually(lambda: twilio.sent, deadline_s=10)
    assert (sent["To"], sent["Body"]) == (ABROAD, "Which street?")
    await eventually(lambda: delivered(agent, session), deadline_s=10)
    twilio.unreachable.add(ABROAD)
    await agent.command("msg.send", session=session, text="Are you there?")
    await eventually(lambda: failures(agent, session), deadline_s=10)
    assert failures(agent, session) == [("sms", "undelivered", "30003")]
    assert await bring(hotline, texted("SM2", ABROAD, "Main Street")) == 200
    await eventually(lambda: "Main Street" in agent.texts(session), deadline_s=10)
    assert agent.texts(session) == ["The street light is out", "Which street?", "Are you there?", "Main Street"]
    assert len(delivered(agent, session)) == 1
    assert ABROAD not in hotline.log()


async def test_a_carriers_gateway_brings_a_text_and_takes_the_answer(
    hotline: Yihao, carrier: Gateway, desk: OpensDesk, eventually: Eventually
) -> None:
    agent = await desk(hotline, "8001")
    await agent.make_ready()
    await eventually(lambda: carrier.logins, deadline_s=10)
    carrier.bring(deliver("路灯坏了", 1))
    carrier.bring(deliver("路灯坏了", 1))
    await eventually(lambda: carrier.acknowledged == [(1, 0), (1, 0)], deadline_s=10)
    session = await taken(agent)
    long = "已派人前往中山路维修，" * 10
    await agent.command("msg.send", session=session, text=long)
    await eventually(lambda: len(carrier.submits) == 2, deadline_s=10)
    assert "".join(decode(one.content[6:], Coding.UCS2) for _, one in carrier.submits) == long
    first, second = carrier.messages.values()
    carrier.report(first, "DELIVRD")
    carrier.report(second, "DELIVRD")
    await eventually(lambda: delivered(agent, session), deadline_s=10)
    await agent.command("msg.send", session=session, text="修好了吗？")
    await eventually(lambda: len(carrier.messages) == 3, deadline_s=10)
    carrier.report(max(carrier.messages.values()), "MK:0001")
    await eventually(lambda: failures(agent, session), deadline_s=10)
    assert failures(agent, session) == [("sms", "undelivered", "MK:0001")]
    assert agent.texts(session) == ["路灯坏了", long, "修好了吗？"]
