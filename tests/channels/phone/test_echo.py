"""A telephone that dials the echo's code hears itself, and nobody else does anything by it."""

import asyncio

from channels.phone.adapter import PhoneChannel
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_codes import dialled
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

CODE = "*40"
SAID = 0x31


async def test_it_hears_itself(open_phone: OpenPhone, core: Core, eventually: Eventually) -> None:
    ear = Ear(SAID)
    speaking = asyncio.create_task(ear.run())
    async with open_phone(trunks=(), echo_code=CODE) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        agent.offer = lambda: ear.sdp  # type: ignore[method-assign]  # says where its sound goes
        answer = await dialled(phone, agent, CODE)
        assert answer.status == 200
        to = answer.headers.first("to") or ""
        agent.send(agent.compose("ACK", call=CODE, cseq=2, to=to))
        ear.target = port_of(answer.body)
        await eventually(lambda: SAID in ear.heard, deadline_s=15)
        agent.send(agent.compose("BYE", call=CODE, cseq=3, to=to))
        assert (await agent.response("BYE")).status == 200
        await eventually(lambda: not phone._endpoint.calls, deadline_s=15)
        assert (core.contacts, core.chosen) == ([], []), "neither a session nor a choice comes of it"
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    ear.socket.close()


async def test_where_there_is_no_code_there_is_no_echo(open_phone: OpenPhone) -> None:
    async with open_phone(trunks=()) as phone, Telephone(phone.bound, user="8001") as agent:
        await agent.register(PASSWORD)
        assert (await _status(phone, agent)) == 404


async def test_so_many_at_once(open_phone: OpenPhone) -> None:
    async with open_phone(trunks=(), echo_code=CODE) as phone, Telephone(phone.bound, user="8001") as agent:
        phone._echoes._running = 64
        await agent.register(PASSWORD)
        assert (await _status(phone, agent)) == 503


async def _status(phone: PhoneChannel, agent: Telephone) -> int:
    return (await dialled(phone, agent, CODE)).status
