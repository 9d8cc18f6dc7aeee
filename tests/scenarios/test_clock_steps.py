"""The machine's clock is set by an hour, forward and back, while two talk, one waits and a recording runs."""

import asyncio
from functools import partial
from pathlib import Path

from tests.conftest import Eventually
from tests.peers.caller import Call, Telephones
from tests.peers.sound import RATE, likeness, read_wave, speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS
from tests.scenarios.kinds import MakesSoftphone, OpensDesk
from tests.scenarios.test_phone import hears, picked_up
from tests.scenarios.told import entries, history

AGENT, CITIZEN = speech(1.2, seed=91), speech(1.2, seed=92)
HOUR_S = 3600.0
LOADED_S = 3.0
"""By which what a busy machine tells late may differ."""


def set_by(clock: Path, offset_s: float) -> None:
    """Set the machine's clock, for all that the gateway reads of it, to so much beside the true time."""
    new = clock.with_suffix(".new")
    new.write_text(str(offset_s))
    new.replace(clock)


def has_heard(call: Call, samples: int) -> bool:
    """Whether so much has come to a caller: the music of the line goes on."""
    return len(call.sound.heard()) >= samples


async def test_a_clock_that_is_set_harms_no_call(
    short_folder: Path, softphone: MakesSoftphone, desk: OpensDesk, eventually: Eventually, tmp_path: Path
) -> None:
    clock, loop = short_folder / "clock", asyncio.get_running_loop()
    set_by(clock, 0.0)
    async with Yihao(short_folder / "data", SHORT_WAITS, clock=clock) as gateway, Telephones(gateway.sip) as phones:
        page = await desk(gateway, "8001")
        phone = await softphone(gateway, "8001", says=AGENT)
        call = await phones.call()
        await picked_up(call, phone)
        joined_at = loop.time()
        session = str((await page.offer())["session"])
        waits = await phones.call(caller="13900139000")
        await waits.answered()
        for offset_s in (HOUR_S, 0.0, -HOUR_S):
            set_by(clock, offset_s)
            told, heard = len(call.sound.heard()), len(waits.sound.heard())
            await call.sound.say(CITIZEN)
            await hears(call.sound, AGENT, after=told)
            await eventually(partial(has_heard, waits, heard + RATE))
            assert not waits.over
        assert await call.hang_up() == 200
        lasted_s = loop.time() - joined_at
        await phone.saw("CALL_CLOSED")
        await phone.saw("CALL_INCOMING", times=2)  # the agent is free, and their telephone is still known
        await phone.answer()
        before = len(waits.sound.heard())
        await hears(waits.sound, AGENT, after=before)
        assert await waits.hang_up() == 200

        async def finished() -> list[dict[str, object]]:
            return [one for one in entries(await history(page, session), "recording") if one["what"] == "finished"]

        (recorded,) = await eventually(finished, deadline_s=20)
        file = tmp_path / "recording.wav"
        file.write_bytes(await page.get(f"/api/recordings/{recorded['recording']}"))
        citizen, agent = read_wave(file)
        assert recorded["whole"]
        assert abs(len(citizen) / RATE - lasted_s) < LOADED_S
        assert likeness(CITIZEN, citizen).correlation > 0.9
        assert likeness(AGENT, agent).correlation > 0.9
        times = [float(one["entry"]["at"]) for one in await history(page, session)]
        assert times == sorted(times)
        assert times[-1] - times[0] < lasted_s + 2 * LOADED_S
