"""Story 6: a call that nobody answered is a debt, dialled back when an agent is free and closed by contact only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Telephones
from tests.peers.sound import likeness, speech
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensDesk

NUMBER = "+8613800138000"
CITIZEN, AGENT = speech(3, seed=31), speech(3, seed=32)
ALIKE = 0.9
AT_ONCE = {
    "session__missed_after_s": "0.2",
    "session__call_grace_s": "0.3",
    "session__callback_pauses_s": "[0.2, 0.2, 3600]",
    "session__callback_from_s": "0",
    "session__callback_until_s": "86400",
    "session__callback_claims": "true",
    "session__dial_ring_s": "20",
}
"""A story of a day, told in seconds. The callers' numbers are believed, as no network vouches for a test."""


@asynccontextmanager
async def citizens_phone(folder: Path, *, answers: bool = False) -> AsyncIterator[Baresip]:
    """A citizen's telephone, to which the trunk leads."""
    phone = Baresip(folder, "127.0.0.1:9", NUMBER, "none", answers=answers, registers=False, says=CITIZEN)
    async with phone:
        yield phone


async def started(own_gateway: MakesGateway, citizen: Baresip, **more: str) -> Yihao:
    """A gateway whose trunk leads to that telephone."""
    trunk = {"outbound__trunk": "127.0.0.1", "outbound__port": str(citizen.sip_port), "outbound__caller": "02112345"}
    gateway = own_gateway(**AT_ONCE, **trunk, **more)
    await gateway.start()
    return gateway


async def missed(gateway: Yihao) -> None:
    """Somebody calls, waits, and hangs up."""
    async with Telephones(gateway.sip) as phones:
        call = await phones.call()
        await call.answered(5.0)
        await asyncio.sleep(0.5)  # they wait: that is what makes it a debt
        await call.hang_up()


async def test_a_missed_call_is_dialled_back_when_an_agent_is_there(
    own_gateway: MakesGateway, softphone: MakesSoftphone, desk: OpensDesk, tmp_path: Path, eventually: Eventually
) -> None:
    async with citizens_phone(tmp_path / "citizen") as citizen:
        gateway = await started(own_gateway, citizen)
        page = await desk(gateway, "8001")
        await missed(gateway)
        phone = await softphone(gateway, "8001", says=AGENT)
        offer = await page.offer()
        assert offer["owed"]["attempts"] == 0, "the agent sees that it is a call back, and since when"
        await phone.saw("CALL_INCOMING", 10)
        assert not citizen.all("CALL_INCOMING"), "nobody is called before the agent is there"
        await phone.answer()
        await citizen.saw("CALL_INCOMING", 10)
        await citizen.answer()
        await citizen.saw("CALL_ESTABLISHED", 10)
        await eventually(lambda: likeness(AGENT, citizen.heard()).correlation >= ALIKE, deadline_s=15)
        await eventually(lambda: likeness(CITIZEN, phone.heard()).correlation >= ALIKE, deadline_s=15)
        await citizen.hang_up()
        await phone.saw("CALL_CLOSED", 10)
        assert len(citizen.all("CALL_INCOMING")) == 1
