"""Who dials again before anybody has noticed that their call is dead goes on where they were."""

import asyncio

import pytest

from channels.phone.adapter import PhoneChannel
from session.state import LegEnd
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

MOBILE = ("P-Asserted-Identity: <tel:+8613800138000>",)
SWITCHBOARD = ("P-Asserted-Identity: <tel:+862112345678>",)


async def test_a_dead_call_is_over_before_the_core_hears_of_the_next(phone: PhoneChannel, core: Core) -> None:
    async with Telephone(phone.bound) as lost, Telephone(phone.bound) as again:
        await lost.call(extra=MOBILE)
        calling = asyncio.create_task(again.call(extra=MOBILE))
        await lost.until(lambda: core.closed() == [("call", LegEnd.LOST)] or len(core.contacts) == 2)
        assert len(core.contacts) == 1, "a second session would have begun"
        assert (await calling).answer.status == 200
        assert len(core.contacts) == 2
        await lost.request("BYE")


async def test_a_mobile_from_which_sound_comes_is_not_dead(phone: PhoneChannel, core: Core) -> None:
    """Whatever the network means by it: nobody is cut off who speaks."""
    ear = Ear(0x31)
    speaking = asyncio.create_task(ear.run())
    async with Telephone(phone.bound) as caller, Telephone(phone.bound) as other:
        caller.offer = lambda: ear.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        ear.target = port_of((await caller.call(extra=MOBILE)).answer.body)
        await other.call(extra=MOBILE)
        assert (core.closed(), len(core.contacts)) == ([], 2)
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    ear.socket.close()


@pytest.mark.parametrize("answer", [200, 481])
async def test_behind_a_switchboard_a_silent_telephone_is_asked_first(
    phone: PhoneChannel, core: Core, eventually: Eventually, answer: int
) -> None:
    """Its callers share a number: a colleague who is muted stays."""
    async with Telephone(phone.bound) as caller, Telephone(phone.bound) as colleague:
        await caller.call(extra=SWITCHBOARD)
        calling = asyncio.create_task(colleague.call(extra=SWITCHBOARD))
        caller.reply(await caller.request("OPTIONS"), answer, tag="")
        await calling
        await eventually(lambda: len(core.contacts) == 2)
        assert core.closed() == ([] if answer == 200 else [("call", LegEnd.LOST)])


async def test_a_number_that_nobody_vouches_for_ends_no_call(phone: PhoneChannel, core: Core) -> None:
    """Else whoever writes another's number into From could hang up on them."""
    async with Telephone(phone.bound, user="13800138000") as caller:
        await caller.call(extra=MOBILE)
        async with Telephone(phone.bound, user="13800138000") as stranger:
            await stranger.call()
        assert core.closed() == []
