"""The process that carries the sound is killed in the middle of a call: nobody is left talking to silence, the citizen
is owed a call, the recording has its end, and the next call is heard.
"""

import asyncio
import os
import signal
from pathlib import Path

from tests.conftest import Eventually
from tests.peers.caller import Call, Telephones
from tests.peers.sound import likeness, read_wave, speech
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensDesk
from tests.scenarios.test_phone import hears, music, picked_up
from tests.scenarios.told import entries, history

AGENT, CITIZEN = speech(1, seed=41), speech(1, seed=42)
KNOWN = 0.6
"""Whose words a channel holds, however busy the machine was that recorded them."""


def carriers(gateway: int) -> list[int]:
    """The processes of a gateway that carry sound."""
    children = Path(f"/proc/{gateway}/task/{gateway}/children").read_text().split()
    return [int(one) for one in children if b"gateway.sound" in Path(f"/proc/{one}/cmdline").read_bytes()]


async def test_what_carries_the_sound_is_killed(
    own_gateway: MakesGateway, softphone: MakesSoftphone, desk: OpensDesk, eventually: Eventually, tmp_path: Path
) -> None:
    gateway = own_gateway(media__workers="1")
    await gateway.start()
    agent = await desk(gateway, "8001")
    phone = await softphone(gateway, "8001", says=AGENT)
    (carrier,) = carriers(gateway.pid)
    async with Telephones(gateway.sip) as telephones:
        call = await telephones.call()
        await picked_up(call, phone)
        session = (await agent.offer())["session"]
        await hears(call.sound, AGENT)
        await call.sound.say(CITIZEN)

        killed_at = asyncio.get_running_loop().time()
        os.kill(carrier, signal.SIGKILL)
        assert await call.ended() == "them"
        await phone.saw("CALL_CLOSED")
        assert asyncio.get_running_loop().time() - killed_at < 10, "a citizen and an agent hear dead air"

        async def mended() -> str | None:
            recordings = entries(await history(agent, session), "recording")
            return next(
                (one["recording"] for one in recordings if one["what"] == "finished" and not one["whole"]), None
            )

        recording = await eventually(mended, 15)
        closed = [one["reason"] for one in entries(await history(agent, session), "leg") if one["what"] == "closed"]
        assert closed == ["node_lost", "closed"]
        file = tmp_path / "recording.wav"
        file.write_bytes(await agent.get(f"/api/recordings/{recording}"))
        left, right = read_wave(file)
        assert likeness(CITIZEN, left).correlation >= KNOWN
        assert likeness(AGENT, right).correlation >= KNOWN

        await eventually(lambda: carriers(gateway.pid) not in ([], [carrier]), 15)

        async def next_call() -> Call | None:
            call = await telephones.call()
            await eventually(lambda: call.answered_at or call.over, 15)
            return None if call.over else call

        again = await eventually(next_call, 15)
        assert again is not None
        await hears(again.sound, *music())
        await phone.saw("CALL_INCOMING", times=2)  # the agent is free
        await again.hang_up()
    figures = (await agent.get("/metrics")).decode()
    assert "yihao_media_deaths_total 1.0" in figures
    assert 'yihao_calls_owed_ended{end="returned"} 1.0' in figures, "they were owed a call, and have come by themselves"
