"""Sound through rtpengine: a caller and an agent talk straight, and when it is killed nobody is stuck."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.peers.caller import Telephones
from tests.peers.rtpengine import Rtpengine
from tests.peers.sound import likeness, speech
from tests.scenarios.kinds import MakesGateway, MakesSoftphone
from tests.scenarios.test_phone import ALIKE, hears
from tests.scenarios.told import figures

AGENT, CITIZEN = speech(1.2, seed=71), speech(1.2, seed=72)


@pytest.fixture
async def daemons(tmp_path: Path) -> AsyncIterator[tuple[Rtpengine, Rtpengine]]:
    one, other = Rtpengine(tmp_path), Rtpengine(tmp_path)
    while other.ports == one.ports:
        other = Rtpengine(tmp_path)
    yield one.start(), other.start()
    for daemon in (one, other):
        daemon.stop()


async def test_a_killed_rtpengine_leaves_nobody_stuck(
    daemons: tuple[Rtpengine, Rtpengine],
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
) -> None:
    named = ", ".join(f'"127.0.0.1:{daemon.port}"' for daemon in daemons)
    gateway = own_gateway(media__engine="rtpengine", media__rtpengine=f"[{named}]")
    await gateway.start()
    phone = await softphone(gateway, "8001", says=AGENT, answers=True)
    async with Telephones(gateway.sip) as phones:
        call = await phones.call(vouched=True)
        await call.answered(15)
        await phone.saw("CALL_ESTABLISHED", 20)
        await hears(call.sound, AGENT)
        await call.sound.say(CITIZEN)
        assert call.sound.target is not None
        carrier = next(one for one in daemons if call.sound.target[1] in one.ports)
        carrier.kill()
        assert await call.ended(20) == "them"
        await phone.saw("CALL_CLOSED", 20)
        assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE
        await figures(gateway, waiting=0, owed=1)

        again = await phones.call(caller="13900139000")
        await again.answered(15)
        await phone.saw("CALL_ESTABLISHED", 20, times=2)
        await hears(again.sound, AGENT)
        assert again.sound.target is not None
        assert again.sound.target[1] not in carrier.ports, "the other one carries it"
