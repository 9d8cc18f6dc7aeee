"""Nobody is there, and the caller is told so; they leave a voice message, which an agent hears (语音留言)."""

from pathlib import Path

from tests.conftest import Eventually
from tests.peers.caller import Telephones
from tests.peers.sound import RATE, likeness, read_wave, speech
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import MakesGateway, OpensDesk
from tests.scenarios.test_phone import ALIKE, finished_recording, hears

CITIZEN = speech(1.5, seed=61)
NEVER_OPEN = "[]"
PATIENT_S = 25.0


async def test_out_of_hours_a_message_is_left_and_heard(
    own_gateway: MakesGateway, desk: OpensDesk, eventually: Eventually, tmp_path: Path
) -> None:
    gateway = own_gateway(bots__hours=NEVER_OPEN)
    await gateway.start()
    page = await desk(gateway, "8001")
    await page.make_ready()
    async with Telephones(gateway.sip) as phones:
        call = await phones.call(vouched=True)
        await call.answered(PATIENT_S)
        await hears(call.sound, prompt("hotline")[:RATE], deadline_s=PATIENT_S)
        await call.press("3")
        await hears(call.sound, prompt("leave_message")[:RATE], deadline_s=PATIENT_S)
        await call.press("#")  # enough of that
        await eventually(lambda: list((gateway.data / "recordings").rglob("*.wav")), deadline_s=PATIENT_S)
        await call.sound.say(CITIZEN)
        await call.press("#")
        offer = await page.offer(PATIENT_S)
        assert offer["medium"] == "message"
        await page.accept(offer)
        await hears(call.sound, prompt("message_taken")[:RATE], deadline_s=PATIENT_S)
        assert await call.ended(PATIENT_S) == "them"
    entry = await finished_recording(page)
    left = [one for one in page.timeline(offer["session"]) if one.get("what") == "voice_message"]
    assert 1 <= int(left[0]["detail"]) <= 3
    file = tmp_path / "message.wav"
    file.write_bytes(await page.get(f"/api/recordings/{entry['recording']}"))
    assert likeness(CITIZEN, read_wave(file)[0]).correlation >= ALIKE
