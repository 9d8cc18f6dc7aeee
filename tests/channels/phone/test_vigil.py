"""People who vanish without a word: their telephones are asked, and only who does not answer is gone."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.page_end import GRACE_S
from channels.phone.sip.timing import Timing
from channels.phone.vigil import Vigilance
from session.events import LegOpened
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.rules import Rules
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

QUICK = Vigilance(silence_s=0.3, answer_s=0.2, look_s=0.02)


@pytest.fixture
async def phone(open_phone: OpenPhone) -> AsyncIterator[PhoneChannel]:
    async with open_phone(vigilance=QUICK) as opened:
        yield opened


async def test_a_silent_caller_who_answers_stays_and_is_asked_again(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound) as caller:
        call = await caller.call()
        for number in (1, 2):
            asked = await caller.request("OPTIONS", number)
            assert asked.cseq[0] == number
            assert asked.to_address.tag == f"t{call.call[:6]}"
            caller.reply(asked, 501, tag="")  # any answer is a sign of life
        call.bye()
        assert (await caller.response("BYE")).status == 200
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])


@pytest.mark.parametrize("status", [481, 408, None])
async def test_a_caller_whose_telephone_knows_nothing_of_the_call_is_lost(
    phone: PhoneChannel, core: Core, eventually: Eventually, status: int | None
) -> None:
    async with Telephone(phone.bound) as caller:
        await caller.call()
        asked = await caller.request("OPTIONS")
        if status is not None:
            caller.reply(asked, status)
        await caller.request("BYE")
        await eventually(lambda: core.closed() == [("call", LegEnd.LOST)])
        await eventually(lambda: phone.calls == 0)


async def test_a_caller_whose_connection_is_gone_is_lost(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound, tcp=True) as caller:
        await caller.call()
        caller.disconnect()
        await eventually(lambda: core.closed() == [("call", LegEnd.LOST)])


@pytest.fixture
async def talking() -> AsyncIterator[list[tuple[Ear, "asyncio.Task[None]"]]]:
    """A citizen and an agent who talk all the time; a task that is cancelled has fallen silent."""
    both = [(ear, asyncio.create_task(ear.run())) for ear in (Ear(0x31), Ear(0x47))]
    yield both
    for ear, task in both:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        ear.socket.close()


async def test_an_agent_s_telephone_that_died_is_noticed_while_the_citizen_talks(
    phone: PhoneChannel, core: Core, eventually: Eventually, talking: list[tuple[Ear, "asyncio.Task[None]"]]
) -> None:
    (citizen, _), (agent, speaking) = talking
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        caller.offer = lambda: citizen.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        citizen.target = port_of((await caller.call()).answer.body)
        leg: LegId = core.contacts[0].leg
        session = SessionId(f"session-{leg}")
        await phone.ring(session, leg, AssigneeId("a8001"), 1, time.time() + 20)
        invite = await device.request("INVITE")
        device.reply(invite, 200, body=agent.sdp)
        agent.target = port_of(invite.body)
        (opened,) = await eventually(lambda: core.said(LegOpened))
        assert isinstance(opened, LegOpened)
        await phone.join(session, leg, opened.leg.id, RecordingId("r1"))
        await eventually(lambda: 0x47 in citizen.heard and 0x31 in agent.heard)
        await asyncio.sleep(2 * QUICK.silence_s)  # longer than any silence that is suffered
        assert not [one for one in (*caller.heard, *device.heard) if one.cseq[1] == "OPTIONS"], "they speak"

        speaking.cancel()
        device.reply(await device.request("OPTIONS"), 200, tag="")
        await device.request("OPTIONS", 2)
        await eventually(lambda: core.closed() == [("agent", LegEnd.LOST)])
        assert phone.calls == 1
        citizen.heard.clear()
        await eventually(lambda: 0x55 in citizen.heard, 2.0)  # music


def test_nobody_is_kept_by_who_has_gone_for_more_than_forty_seconds() -> None:
    """The silence before the question, the time for its answer, two looks at the clock; then who may come back."""
    usual, rules = Vigilance(), Rules()
    noticed_s = usual.silence_s + usual.answer_s + 2 * usual.look_s
    assert noticed_s + rules.agent_kept_s <= 40, "the agent of a citizen whose telephone is gone"
    assert noticed_s + usual.page_s <= 40, "the citizen of an agent whose page is gone"
    assert GRACE_S + rules.agent_kept_s <= 40, "the agent of a citizen whose page is gone"
    assert Timing().give_up_s <= 40, "an answer that nobody acknowledges, a BYE that nobody hears"
