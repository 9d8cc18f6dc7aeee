"""What an agent does with a call from the desk, proved by what is heard: hold, mute, digits, the recording's marks."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.peers.caller import Call, Telephones
from tests.peers.pages import DeskPage, Refused
from tests.peers.rtp import RtpEnd
from tests.peers.sound import RATE, likeness, loudness, read_wave, speech
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesSoftphone, OpensDesk
from tests.scenarios.test_phone import ALIKE, finished_recording, hears, music, picked_up

AGENT = speech(1, seed=31)
CITIZEN = speech(1, seed=32)
UNHEARD = 60.0
"""Loudness of what is as good as silence: A-law's least step is 8."""


async def a_call(gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones, desk: DeskPage) -> tuple[Call, Any]:
    """Joined; gives the desk's contact too."""
    phone = await softphone(gateway, "8001", says=AGENT)
    call = await telephones.call()
    await picked_up(call, phone)
    await hears(call.sound, AGENT)
    contact = await desk.saw("contact.state", phase="active")
    return call, (phone, contact["session"])


async def leg_was(desk: DeskPage, what: str) -> None:
    await desk.until(
        lambda one: one["t"] == "contact.timeline" and one["entry"]["kind"] == "leg" and one["entry"]["what"] == what,
        what=f"leg {what}",
    )


def quiet_since(sound: RtpEnd, since: int) -> bool:
    """Half a second of silence at the end of what came since."""
    heard = sound.heard()[since:]
    return len(heard) > RATE and loudness(heard[-RATE // 2 :]) < UNHEARD


async def test_hold_and_mute_are_what_is_heard_and_the_recording_says_when(
    gateway: Yihao,
    softphone: MakesSoftphone,
    telephones: Telephones,
    desk: OpensDesk,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    page = await desk(gateway, "8001")
    call, (phone, session) = await a_call(gateway, softphone, telephones, page)

    await page.command("call.hold", session=session, held=True)
    await leg_was(page, "held")
    held_from, phone_held_from = len(call.sound.heard()), len(phone.heard())
    await call.sound.say(CITIZEN)
    await hears(call.sound, *music(), after=held_from)
    assert likeness(AGENT[:RATE], call.sound.heard()[held_from + RATE // 5 :]).correlation < 0.5, "the agent leaks"
    assert likeness(CITIZEN, phone.heard()[phone_held_from:]).correlation < 0.5, "the citizen leaks"

    await page.command("call.hold", session=session, held=False)
    await leg_was(page, "unheld")
    await hears(call.sound, AGENT, after=len(call.sound.heard()))

    await page.command("call.mute", session=session, muted=True)
    await leg_was(page, "muted")
    muted_from = len(call.sound.heard())
    await eventually(lambda: quiet_since(call.sound, muted_from), deadline_s=10)
    await call.sound.say(CITIZEN)
    await eventually(lambda: likeness(CITIZEN, phone.heard()).correlation >= ALIKE, deadline_s=10)
    await page.command("call.mute", session=session, muted=False)
    await leg_was(page, "unmuted")
    await hears(call.sound, AGENT, after=len(call.sound.heard()))

    await call.hang_up()
    entry = await finished_recording(page)
    marks = [one["entry"] for one in page.frames if one["t"] == "contact.timeline" and one["entry"].get("mark")]
    assert [one["mark"] for one in marks] == ["held", "resumed", "muted", "unmuted"]
    file = tmp_path / "recording.wav"
    file.write_bytes(await page.get(f"/api/recordings/{entry['recording']}"))
    _, agents = read_wave(file)
    for begins, ends in ((0, 1), (2, 3)):
        between = slice(*(round((marks[one]["at_s"] + late) * RATE) for one, late in ((begins, 0.3), (ends, -0.1))))
        assert loudness(agents[between]) < UNHEARD, "what the citizen did not hear is recorded"
    assert likeness(AGENT[:RATE], agents[round((marks[1]["at_s"] + 0.1) * RATE) :]).correlation >= ALIKE
    assert entry["duration_s"] > marks[-1]["at_s"]


async def test_digits_are_pressed_once_each_for_the_far_ends_machine(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones, desk: OpensDesk, eventually: Eventually
) -> None:
    page = await desk(gateway, "8001")
    call, (phone, session) = await a_call(gateway, softphone, telephones, page)
    await page.command("call.digits", session=session, digits="1#")
    await eventually(lambda: "".join(call.sound.digits) == "1#", deadline_s=10)
    await call.hang_up()
    await phone.saw("CALL_CLOSED")
    await page.saw("contact.state", phase="wrapping")
    with pytest.raises(Refused, match="no_call"):
        await page.command("call.hold", session=session, held=True)
