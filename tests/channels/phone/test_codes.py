"""An agent with a softphone alone dials what they choose."""

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Response
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone, authorization
from tests.conftest import Eventually

CODES = {"*41": "ready", "#42": "meal", "*99": "nothing"}


async def dialled(phone: PhoneChannel, agent: Telephone, code: str) -> Response:
    """Through the challenge; the final answer."""
    uri = f"sip:{code.replace('#', '%23')}@{phone.bound[0]}:{phone.bound[1]}"
    agent.send(agent.compose("INVITE", uri, call=code, body=agent.offer()))
    proof = authorization(await agent.response(), "INVITE", uri, "8001", PASSWORD, "SHA-256")
    agent.send(agent.compose("INVITE", uri, call=code, cseq=2, extra=(proof,), body=agent.offer()))
    return await agent.response(count=2)


@pytest.mark.parametrize(("code", "what"), [("*41", "ready"), ("#42", "meal")])
async def test_a_code_is_taken_answered_and_ended_with_a_word(
    open_phone: OpenPhone, core: Core, eventually: Eventually, code: str, what: str
) -> None:
    async with open_phone(trunks=(), codes=CODES) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        answer = await dialled(phone, agent, code)
        assert answer.status == 200
        assert core.chosen == [("a8001", what)]
        agent.send(agent.compose("ACK", call=code, cseq=2, to=answer.headers.first("to") or ""))
        bye = await agent.request("BYE")
        assert what in (bye.headers.first("reason") or "")
        assert core.contacts == [], "no session comes of it"
        agent.reply(bye, 200)
        await eventually(lambda: not phone._endpoint.calls)


async def test_what_is_no_code_of_theirs(open_phone: OpenPhone, core: Core) -> None:
    async with open_phone(trunks=(), codes=CODES) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        assert (await dialled(phone, agent, "*99")).status == 403
        agent.heard.clear()
        assert (await dialled(phone, agent, "*40")).status == 404
        assert core.chosen == [("a8001", "nothing")]


async def test_nobody_else_chooses_for_them(open_phone: OpenPhone, core: Core) -> None:
    """Neither a stranger, nor a citizen whose trunk lets them dial anything."""
    async with open_phone(trunks=("127.0.0.1/32",), codes=CODES) as phone:
        async with Telephone(phone.bound) as citizen, Telephone(phone.bound, host="127.0.0.2") as stranger:
            assert (await citizen.call("*41")).answer.status == 404
            assert (await stranger.call("*41")).answer.status == 401
        assert core.chosen == []
