"""Behind a proxy of ours: who a request truly comes from, and that only such a proxy is believed."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.flow import Flow, Protocol3261
from channels.phone.proxies import seen_through
from channels.phone.sip.via import Via
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone

PROXY, TRUNK, PHONE = "127.6.0.1", "127.6.0.2", "127.6.0.3"
FROM = "Via: SIP/2.0/UDP {};branch=z9hG4bKbefore"


@pytest.mark.parametrize(
    ("vias", "origin"),
    [
        (["10.0.0.5"], "10.0.0.5"),
        (["10.0.0.5", "192.0.2.7:5060"], "192.0.2.7"),
        (["10.0.0.5", "192.168.1.9;received=192.0.2.7"], "192.0.2.7"),
        (["10.0.0.5", "10.0.0.6", "192.168.1.9;received=192.0.2.7", "10.9.9.9"], "192.0.2.7"),
        (["10.0.0.5", "phone.example"], "phone.example"),
    ],
    ids=["the proxy itself", "as the Via says", "behind a translator", "two proxies", "a name is nobody's address"],
)
def test_the_address_beyond_our_proxies(vias: list[str], origin: str) -> None:
    flow = Flow(Protocol3261.UDP, ("10.0.0.5", 5060))
    seen = seen_through(flow, [Via.parse(f"SIP/2.0/UDP {one}") for one in vias], lambda one: one.startswith("10.0.0."))
    assert seen.origin == origin
    assert seen == flow, "it answers by the same way"


def test_nobody_elses_word_is_taken() -> None:
    flow = Flow(Protocol3261.UDP, ("192.0.2.1", 5060))
    vias = [Via.parse("SIP/2.0/UDP 192.0.2.1"), Via.parse("SIP/2.0/UDP 198.51.100.10")]
    assert seen_through(flow, vias, lambda _: False).origin == "192.0.2.1"


@pytest.fixture
async def behind(open_phone: OpenPhone) -> AsyncIterator[PhoneChannel]:
    async with open_phone(trunks=(f"{TRUNK}/32",), proxies=(f"{PROXY}/32",)) as phone:
        yield phone


@pytest.mark.parametrize(
    ("sender", "beyond", "status"), [(PROXY, TRUNK, 200), (PROXY, PHONE, 401), (PROXY, None, 401), (PHONE, TRUNK, 401)]
)
async def test_a_trunk_is_known_by_the_address_beyond(
    behind: PhoneChannel, sender: str, beyond: str | None, status: int
) -> None:
    async with Telephone(behind.bound, host=sender) as phone:
        call = await phone.call(extra=(FROM.format(beyond),) if beyond else ())
        assert call.answer.status == status


async def test_who_guesses_is_barred_and_nobody_else_behind_the_proxy(behind: PhoneChannel, core: Core) -> None:
    async with Telephone(behind.bound, host=PROXY, user="8001") as one, Telephone(behind.bound, host=PROXY) as other:
        for cseq in range(1, 11, 2):
            answer = await one.register("wrong", cseq=cseq, extra=(FROM.format("192.0.2.66"),))
            assert answer.status == 401
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await one.register(PASSWORD, cseq=20, extra=(FROM.format("192.0.2.66"),))
        other.user = "8002"
        assert (await other.register(PASSWORD, extra=(FROM.format("192.0.2.67"),))).status == 200
        assert core.presence == [("a8002", True)]


async def test_a_node_that_drains_says_so_to_who_asks(behind: PhoneChannel) -> None:
    async with Telephone(behind.bound, host=TRUNK) as caller, Telephone(behind.bound, host=PROXY) as proxy:
        call = await caller.call()
        proxy.send(proxy.compose("OPTIONS"))
        assert (await proxy.response("OPTIONS")).status == 200
        draining = asyncio.create_task(behind.drain(15.0))
        await asyncio.sleep(0)
        proxy.send(proxy.compose("OPTIONS"))
        assert (await proxy.response("OPTIONS", count=2)).status == 503
        call.bye()
        await draining
