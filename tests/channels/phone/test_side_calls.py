"""Calls that agents' telephones make to each other, and how one comes to a citizen's call (RFC 3515, 3891, 3892)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Request, Response
from channels.phone.trunk import TrunkSettings
from session.events import CallPassedOn, LegOpened
from session.state import Handing, Party
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.pages import PagePhone, web_server
from tests.channels.phone.telephone import Dialled, Telephone
from tests.channels.phone.test_adapter import AGENT, joined
from tests.channels.phone.test_comeback import PAGE_SDP
from tests.channels.phone.test_own_calls import dials
from tests.channels.phone.test_refer import asked
from tests.conftest import Eventually

COLLEAGUE = "a8002"
POLICE, TRUNK_NUMBER = "110", "0106512345"


@dataclass
class Floor:
    """A citizen with an agent on the line, and a colleague whose telephone is registered."""

    citizen: Dialled
    agent: Telephone
    invite: Request
    """That rang at the agent."""
    colleague: Telephone

    @property
    def replaces(self) -> str:
        """The agent's dialog of the citizen's call, as we have it."""
        tag = self.invite.from_address.tag
        return f"{self.invite.call_id};to-tag={tag};from-tag=dev"


@pytest.fixture
async def floor(phone: PhoneChannel, core: Core, eventually: Eventually) -> AsyncIterator[Floor]:
    async with talking(phone, core, eventually) as made:
        yield made


@asynccontextmanager
async def talking(
    phone: PhoneChannel, core: Core, eventually: Eventually, lent: AbstractAsyncContextManager[Telephone] | None = None
) -> AsyncIterator[Floor]:
    async with (
        Telephone(phone.bound) as caller,
        Telephone(phone.bound, user="8001") as agent,
        lent or Telephone(phone.bound, user="8002") as colleague,
    ):
        await agent.register(PASSWORD)
        if colleague.user == "8002":
            await colleague.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, agent, eventually)
        yield Floor(call, agent, await agent.request("INVITE"), colleague)


async def beside(
    phone: PhoneChannel, agent: Telephone, colleague: Telephone, number: str = "8002"
) -> tuple[Response, Request]:
    """The agent calls the colleague, who picks up: the answer to the one, and what rang at the other."""
    await dials(phone, agent, number, "beside")
    rang = await colleague.request("INVITE")
    shown = TRUNK_NUMBER if number == POLICE else "8001"
    assert rang.from_address.uri.user == shown, "who calls"
    assert (rang.headers.first("alert-info") is None) is (number == POLICE), "a colleague's call rings as one"
    colleague.reply(rang, 200, tag="col", body=colleague.offer())
    answer = await agent.response(count=2)
    assert answer.status == 200
    agent.send(agent.compose("ACK", call="beside", cseq=2, to=answer.headers.first("to") or ""))
    await colleague.request("ACK")
    return answer, rang


def named(answer: Response) -> str:
    """The agent's dialog beside, as it stands in a URI."""
    return f"beside%3Bto-tag%3D{answer.to_address.tag}%3Bfrom-tag%3Dtbeside"


async def passed(core: Core, eventually: Eventually) -> CallPassedOn:
    (one,) = await eventually(lambda: core.said(CallPassedOn), deadline_s=15)
    assert isinstance(one, CallPassedOn)
    return one


async def test_one_extension_calls_another_and_no_session_comes_of_it(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound, user="8001") as agent, Telephone(phone.bound, user="8002") as colleague:
        for one in (agent, colleague):
            await one.register(PASSWORD)
        answer, _ = await beside(phone, agent, colleague)
        agent.send(agent.compose("BYE", call="beside", cseq=3, to=answer.headers.first("to") or ""))
        colleague.reply(await colleague.request("BYE"), 200)
        await eventually(lambda: not phone._endpoint.calls)
        assert (core.contacts, core.events, core.begun, phone.calls) == ([], [], [], 0)


@pytest.mark.parametrize(("number", "wanted"), [("8002", 486), ("8003", 480), ("nowhere", 404)])
async def test_a_colleague_who_does_not_pick_up(phone: PhoneChannel, core: Core, number: str, wanted: int) -> None:
    async with Telephone(phone.bound, user="8001") as agent, Telephone(phone.bound, user="8002") as colleague:
        for one in (agent, colleague):
            await one.register(PASSWORD)
        await dials(phone, agent, number, "beside")
        if wanted == 486:
            colleague.reply(await colleague.request("INVITE"), 486)
        assert (await agent.response(count=2)).status == wanted


async def test_who_gives_up_rings_nobody_any_more(phone: PhoneChannel, eventually: Eventually) -> None:
    async with Telephone(phone.bound, user="8001") as agent, Telephone(phone.bound, user="8002") as colleague:
        for one in (agent, colleague):
            await one.register(PASSWORD)
        await dials(phone, agent, "8002", "beside")
        rang = await colleague.request("INVITE")
        colleague.reply(rang, 180)
        uri = f"sip:8002@{phone.bound[0]}:{phone.bound[1]}"
        agent.send(agent.compose("CANCEL", uri, call="beside", cseq=2, branch="z9hG4bKbeside"))
        colleague.reply(await colleague.request("CANCEL"), 200)
        colleague.reply(rang, 487)
        assert (await agent.response(count=2)).status == 487
        await eventually(lambda: not phone._endpoint.calls)


async def test_a_node_that_drains_lets_who_is_on_a_call_consult(
    phone: PhoneChannel, floor: Floor, eventually: Eventually
) -> None:
    draining = asyncio.create_task(phone.drain(15.0))
    await eventually(lambda: not phone.takes_calls)
    await dials(phone, floor.colleague, "8001", "besides")
    assert (await floor.colleague.response(count=2)).status == 503, "about nothing that runs here"
    await beside(phone, floor.agent, floor.colleague)
    floor.citizen.bye()
    await draining


@pytest.mark.parametrize("reversed_", [False, True], ids=["in the citizen's call", "in the call beside"])
async def test_an_agents_telephone_joins_the_citizen_with_whom_it_has_called(
    phone: PhoneChannel, core: Core, floor: Floor, eventually: Eventually, reversed_: bool
) -> None:
    agent, colleague = floor.agent, floor.colleague
    answer, _ = await beside(phone, agent, colleague)
    if reversed_:
        inverse = floor.replaces.replace(";", "%3B").replace("=", "%3D")
        to = answer.headers.first("to") or ""
        extra = (f"Refer-To: <sip:12345@yihao?Replaces={inverse}>",)
        agent.send(agent.compose("REFER", call="beside", cseq=3, to=to, extra=extra))
    else:
        agent.send(asked(agent, floor.invite, 1, f"Refer-To: <sip:8002@yihao?Replaces={named(answer)}>"))
    again = await colleague.request("INVITE", count=2)
    assert again.body, "the sound of the citizen's call is offered to them"
    colleague.reply(again, 200, tag="col", body=colleague.offer())
    assert (await agent.response("REFER")).status == 202
    assert (await agent.request("NOTIFY")).body == b"SIP/2.0 200 OK\r\n"
    told = await passed(core, eventually)
    assert (told.by, told.to, told.why) == (AGENT, COLLEAGUE, Handing.REFERRED)
    thirds = [one for one in core.said(LegOpened) if isinstance(one, LegOpened) and one.leg.party is Party.THIRD]
    assert [one.leg.id for one in thirds] == [told.leg]
    for number in (1, 2):
        agent.reply(await agent.request("BYE", count=number), 200)
    await eventually(lambda: ("agent", "closed") in core.closed())
    assert not [one for one in colleague.heard if isinstance(one, Request) and one.method == "BYE"]
    floor.citizen.bye()
    colleague.reply(await colleague.request("BYE"), 200)
    await eventually(lambda: not phone._endpoint.calls and phone.calls == 0)


@pytest.mark.parametrize("whom", ["a line", "a number outside", "a page"])
async def test_whoever_it_has_called_comes_to_the_citizen(
    open_phone: OpenPhone, core: Core, eventually: Eventually, whom: str
) -> None:
    """Somebody in a line, of which the first is not there; the police, by a trunk; a colleague who has only a page."""
    async with AsyncExitStack() as stack:
        police = await stack.enter_async_context(Telephone(("127.0.0.1", 9), user=POLICE))
        trunk = TrunkSettings(host="127.0.0.1", port=police.port, caller=TRUNK_NUMBER)
        phone = await stack.enter_async_context(open_phone(outbound=trunk))
        police.server = phone.bound
        http = await stack.enter_async_context(web_server(phone))
        far, number, to = {
            "a line": (Telephone(phone.bound, user="8002"), "line", COLLEAGUE),
            "a number outside": (police, POLICE, None),
            "a page": (PagePhone(phone.bound, user="8002", http=http), "8002", COLLEAGUE),
        }[whom]
        if whom == "a page":
            far.offer = lambda: PAGE_SDP  # type: ignore[method-assign]  # as a page describes itself
        lent = nullcontext(far) if far is police else far
        floor = await stack.enter_async_context(talking(phone, core, eventually, lent))
        answer, rang = await beside(phone, floor.agent, far, number)
        agent, target = floor.agent, f"<sip:{number}@yihao?Replaces={named(answer)}>"
        agent.send(asked(agent, floor.invite, 1, f"Refer-To: {target}"))
        again = await far.request("INVITE", count=2)
        if whom == "a page":
            assert b"UDP/TLS/RTP/SAVPF" in again.body
            for line in ("a=ice-ufrag:", "a=fingerprint:"):  # RFC 8445, section 9; RFC 8842, section 3.1
                assert said(again, line) != said(rang, line), "another end of ours: its page must look and agree anew"
        far.reply(again, 200, tag="col", body=far.offer())
        assert (await agent.response("REFER")).status == 202
        told = await passed(core, eventually)
        assert (told.by, told.to, told.why) == (AGENT, to, Handing.REFERRED)
        for count in (1, 2):
            agent.reply(await agent.request("BYE", count=count), 200)
        await eventually(lambda: ("agent", "closed") in core.closed())
        floor.citizen.bye()
        far.reply(await far.request("BYE"), 200)
        await eventually(lambda: not phone._endpoint.calls and phone.calls == 0)


def said(request: Request, beginning: str) -> str:
    """The line of its description that begins so."""
    return next(line for line in request.body.decode().splitlines() if line.startswith(beginning))


async def test_what_is_not_theirs_to_join_stays_as_it_was(
    phone: PhoneChannel, core: Core, floor: Floor, eventually: Eventually
) -> None:
    """By who has learned the names: the citizen, or who was called; and a telephone that takes no other sound."""
    agent, colleague = floor.agent, floor.colleague
    answer, rang = await beside(phone, agent, colleague)
    inverse = floor.replaces.replace(";", "%3B").replace("=", "%3D")
    whom = (f"Refer-To: <sip:12345@yihao?Replaces={inverse}>",)
    wire = colleague.compose("REFER", call=rang.call_id, cseq=1, to=rang.headers.first("from") or "", extra=whom)
    ours = f"From: <sip:8002@127.0.0.1>;tag=t{rang.call_id[:6]}"
    colleague.send(wire.replace(ours.encode(), f"From: {rang.headers.first('to')};tag=col".encode()))
    assert (await colleague.response("REFER")).status == 403
    floor.citizen.telephone.send(
        floor.citizen.within("REFER", 2, extra=(f"Refer-To: <sip:8002@yihao?Replaces={named(answer)}>",))
    )
    assert (await floor.citizen.telephone.response("REFER")).status == 403
    agent.send(asked(agent, floor.invite, 1, f"Refer-To: <sip:8002@yihao?Replaces={named(answer)}>"))
    colleague.reply(await colleague.request("INVITE", count=2), 488, tag="col")
    assert (await agent.response("REFER")).status == 403
    assert core.said(CallPassedOn) == []
    agent.send(asked(agent, floor.invite, 2, f"Refer-To: <sip:8002@yihao?Replaces={named(answer)}>"))
    colleague.reply(await colleague.request("INVITE", count=3), 200, tag="col", body=colleague.offer())
    assert (await agent.response("REFER", count=2)).status == 202, "asked again it may"
    assert (await passed(core, eventually)).to == COLLEAGUE


@pytest.mark.parametrize(("by", "sent"), [("8001", ()), ("8002", ("Referred-By: <sip:8001@yihao>",))])
async def test_another_telephone_takes_the_agents_place(
    phone: PhoneChannel, core: Core, floor: Floor, eventually: Eventually, by: str, sent: tuple[str, ...]
) -> None:
    """Their own other one, or a colleague's whom they have sent (RFC 3892)."""
    async with Telephone(phone.bound, user=by, device="second") as other:
        await other.register(PASSWORD)
        await dials(phone, other, "other", "instead", f"Replaces: {floor.replaces}", "Require: replaces", *sent)
        answer = await other.response(count=2)
        assert answer.status == 200
        other.send(other.compose("ACK", call="instead", cseq=2, to=answer.headers.first("to") or ""))
        told = await passed(core, eventually)
        assert (told.by, told.to, told.why) == (AGENT, f"a{by}", Handing.REPLACED)
        floor.agent.reply(await floor.agent.request("BYE"), 200)
        floor.citizen.bye()
        other.reply(await other.request("BYE"), 200)
        await eventually(lambda: not phone._endpoint.calls)


async def test_nobody_else_takes_it(phone: PhoneChannel, core: Core, floor: Floor) -> None:
    """Not a colleague who only knows its name, nor one whom somebody else has sent: none is told that it is there."""
    wanted = (
        ((floor.replaces,), 481),
        ((floor.replaces, "Referred-By: <sip:8003@yihao>"), 481),
        ((floor.replaces, "Referred-By: <"), 481),
        (("nobody;to-tag=1;from-tag=2", "Referred-By: <sip:8001@yihao>"), 481),
        ((f"{floor.replaces};early-only", "Referred-By: <sip:8001@yihao>"), 486),
    )
    for number, ((value, *more), status) in enumerate(wanted, 1):
        line = f"Replaces: {value}"
        await dials(phone, floor.colleague, "other", f"instead{number}", line, *more, before=number * 2 - 2)
        assert (await floor.colleague.response(count=number * 2)).status == status, value
    assert core.said(CallPassedOn) == []
