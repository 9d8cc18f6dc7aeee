"""The phones of the tests, one against the other: what they cannot do alone they cannot show about a gateway."""

import asyncio
from pathlib import Path

import pytest

from tests.peers.baresip import Baresip
from tests.peers.caller import Telephones
from tests.peers.rtp import RtpEnd
from tests.peers.sipp import ANSWERED, HANG_UP, INVITE, Sipp, pause
from tests.peers.sound import likeness, speech

NOWHERE = "127.0.0.1:9"
"""Where they would register: they are called directly."""


async def test_a_softphone_and_a_caller_hear_each_other(tmp_path: Path) -> None:
    said, answered = speech(2, seed=1), speech(2, seed=2)
    softphone = Baresip(tmp_path, NOWHERE, "8001", "-", registers=False, answers=True, says=answered)
    async with softphone, Telephones(("127.0.0.1", softphone.sip_port)) as phones:
        call = await phones.call("8001")
        await call.answered()
        await softphone.saw("CALL_ESTABLISHED")
        await call.sound.say(said)
        await call.sound.say(speech(0.5, seed=3))
        await call.hang_up()
        await softphone.saw("CALL_CLOSED")
        assert likeness(said, softphone.heard()).correlation >= 0.9
        assert likeness(answered, call.sound.heard()).correlation >= 0.9


async def test_a_softphone_rings_until_the_caller_gives_up(tmp_path: Path) -> None:
    softphone = Baresip(tmp_path, NOWHERE, "8001", "-", registers=False)
    async with softphone, Telephones(("127.0.0.1", softphone.sip_port)) as phones:
        call = await phones.call("8001")
        await softphone.saw("CALL_INCOMING")
        assert call.status == 180
        assert await call.hang_up() == 200
        assert await call.ended() == "487"
        await softphone.saw("CALL_CLOSED")


async def test_a_softphone_refuses(tmp_path: Path) -> None:
    softphone = Baresip(tmp_path, NOWHERE, "8001", "-", registers=False)
    async with softphone, Telephones(("127.0.0.1", softphone.sip_port)) as phones:
        call = await phones.call("8001")
        await softphone.saw("CALL_INCOMING")
        await softphone.hang_up()
        assert await call.ended() in {"486", "603"}
        assert await asyncio.wait_for(call.ended(), 1) == call.over


async def test_sipp_calls_with_the_sound_of_the_test(tmp_path: Path) -> None:
    said, answered = speech(2, seed=1), speech(2, seed=2)
    softphone = Baresip(tmp_path / "b", NOWHERE, "8001", "-", registers=False, answers=True, says=answered)
    async with softphone, RtpEnd() as sound:
        steps = [INVITE, ANSWERED, pause(2500), HANG_UP]
        async with Sipp(tmp_path / "s", f"127.0.0.1:{softphone.sip_port}", steps, sound.port, number="8001") as sipp:
            await softphone.saw("CALL_ESTABLISHED")
            await sound.spoken_to()
            await sound.say(said)
            await sipp.succeeded()
        assert sipp.statistic("SuccessfulCall(C)") == "1"
        assert likeness(said, softphone.heard()).correlation >= 0.9
        assert likeness(answered, sound.heard()).correlation >= 0.9


async def test_sipp_tells_of_a_failure(tmp_path: Path) -> None:
    softphone = Baresip(tmp_path / "b", NOWHERE, "8001", "-", registers=False)
    caller = Sipp(tmp_path / "s", f"127.0.0.1:{softphone.sip_port}", [INVITE, ANSWERED, HANG_UP], number="8001")
    async with softphone, caller:
        await softphone.saw("CALL_INCOMING")
        await softphone.hang_up()
        with pytest.raises(AssertionError, match="sipp exited with 1"):
            await caller.succeeded()
