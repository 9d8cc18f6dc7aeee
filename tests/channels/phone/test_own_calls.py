"""What an agent's telephone dials beside our numbers: who may, whom, and what becomes of it."""

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Response
from session.events import DialFailed, DialStarted, LegOpened
from session.ids import LegId
from session.state import DialFailure, Party
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone, authorization
from tests.conftest import Eventually

SOMEBODY = "13900139000"


async def dials(
    phone: PhoneChannel, agent: Telephone, number: str, call: str = "own", *extra: str, before: int = 0
) -> None:
    """Through the challenge, up to the INVITE that has the proof; it has had so many answers to others `before`."""
    uri = f"sip:{number}@{phone.bound[0]}:{phone.bound[1]}"
    agent.send(agent.compose("INVITE", uri, call=call, extra=extra, body=agent.offer()))
    challenge = await agent.response(count=before + 1)
    proof = authorization(challenge, "INVITE", uri, agent.user, PASSWORD, "SHA-256")
    ours = f"z9hG4bK{call}"
    agent.send(agent.compose("INVITE", uri, call=call, cseq=2, branch=ours, extra=(*extra, proof), body=agent.offer()))


async def answered(phone: PhoneChannel, agent: Telephone, number: str) -> Response:
    await dials(phone, agent, number)
    return await agent.response(count=2)


@pytest.mark.parametrize("trunks", [(), ("127.0.0.0/8",)], ids=["", "who stands on a trunk's network"])
async def test_an_agent_dials_a_number_and_is_on_the_line_before_it_is_called(
    open_phone: OpenPhone, core: Core, eventually: Eventually, trunks: tuple[str, ...]
) -> None:
    async with open_phone(trunks=trunks) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        answer = await answered(phone, agent, SOMEBODY)
        assert answer.status == 200
        agent.send(agent.compose("ACK", call="own", cseq=2, to=answer.headers.first("to") or ""))
        assert core.begun == [("a8001", SOMEBODY)]
        (opened,) = await eventually(lambda: core.said(LegOpened))
        assert isinstance(opened, LegOpened)
        assert opened.leg.party is Party.ASSIGNEE
        assert not core.said(DialStarted), "the core says when"
        await phone.dial(LegId("dial-1"), 5.0)
        (failed,) = await eventually(lambda: core.said(DialFailed))
        assert isinstance(failed, DialFailed)
        assert failed.reason is DialFailure.UNREACHABLE, "no trunk leads there"
        assert len(core.said(DialStarted)) == 1, "noted before it was tried"
        agent.reply(await agent.request("BYE"), 200)
        await eventually(lambda: not phone._endpoint.calls and phone.calls == 0)


@pytest.mark.parametrize(("number", "status"), [("16812345", 403), ("busy", 486)])
async def test_whom_they_may_not_call_they_do_not(open_phone: OpenPhone, core: Core, number: str, status: int) -> None:
    async with open_phone(trunks=()) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        assert (await answered(phone, agent, number)).status == status
        assert phone.calls == 0


async def test_nobody_calls_at_our_expense_but_a_telephone_of_ours(open_phone: OpenPhone, core: Core) -> None:
    async with open_phone(trunks=("127.0.0.1/32",)) as phone:
        async with Telephone(phone.bound) as citizen, Telephone(phone.bound, user="8001", host="127.0.0.2") as stranger:
            assert (await citizen.call(SOMEBODY)).answer.status == 404
            assert (await answered(phone, stranger, SOMEBODY)).status == 403, "who knows the password is not registered"
        async with Telephone(phone.bound, user="8001") as agent, Telephone(phone.bound, user="8001") as other:
            await agent.register(PASSWORD)
            assert (await other.call(SOMEBODY)).answer.status == 404, "another socket of a trunk's host, by that name"
        assert core.begun == []


async def test_an_agent_who_thinks_better_of_it_calls_nobody(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    """The core is still being asked: the session that has begun is told that nobody was called."""
    async with open_phone(trunks=()) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        core.opens.clear()
        uri = f"sip:{SOMEBODY}@{phone.bound[0]}:{phone.bound[1]}"
        agent.send(agent.compose("INVITE", uri, call="own", body=agent.offer()))
        proof = authorization(await agent.response(), "INVITE", uri, "8001", PASSWORD, "SHA-256")
        ours, body = "z9hG4bKown", agent.offer()
        agent.send(agent.compose("INVITE", uri, call="own", cseq=2, branch=ours, extra=(proof,), body=body))
        await agent.until(
            lambda: len([one for one in agent.heard if isinstance(one, Response) and one.status == 100]) == 1
        )
        agent.send(agent.compose("CANCEL", uri, call="own", cseq=2, branch=ours))
        assert (await agent.response(count=2)).status == 487
        core.opens.set()
        (failed,) = await eventually(lambda: core.said(DialFailed))
        assert isinstance(failed, DialFailed)
        assert failed.reason is DialFailure.NO_AGENT
        assert not core.said(LegOpened)
        await eventually(lambda: phone.calls == 0)
