"""Who cannot be put through is told why, and has a way on: by night, before a full line, in a flood of one number."""

from pathlib import Path

from tests.conftest import Eventually
from tests.peers.caller import Call, Telephones
from tests.peers.pages import OWN_PAGE, DeskPage
from tests.peers.sound import RATE, likeness, read_wave, speech
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import MakesGateway, OpensDesk
from tests.scenarios.test_phone import ALIKE, finished_recording, hears
from tests.scenarios.told import figures

CITIZEN = speech(1.5, seed=61)
NEVER_OPEN = "[]"
PATIENT_S = 25.0


async def test_out_of_hours_a_message_is_left_and_heard(
    own_gateway: MakesGateway, desk: OpensDesk, eventually: Eventually, tmp_path: Path
) -> None:
    """They leave a voice message (语音留言)."""
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


WAYS = {
    "full": {"ways": ["call_back"], "owed": False},
    "often": {"calls": 2, "within_s": 3600, "ways": []},
    "queues": [{"queue": "general", "longest": 1}],
}


async def rules_are(page: DeskPage, document: object) -> None:
    """An administrator's ways on, in force at once."""
    base = page.servers[0]
    given = {"document": document, "expected": 0, "why": "演练"}
    headers = {**OWN_PAGE, "Origin": base}
    async with page.http.post(f"{base}/api/admin/rules/ways", json=given, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_a_full_line_promises_a_call_and_a_flood_of_one_number_is_told_so(
    own_gateway: MakesGateway, desk: OpensDesk
) -> None:
    gateway = own_gateway(outbound__trunk="127.0.0.1", outbound__port="9")
    await gateway.start()
    await rules_are(await desk(gateway, "8009"), WAYS)
    async with Telephones(gateway.sip) as phones:

        async def calls(number: str) -> Call:
            call = await phones.call(caller=number, vouched=True)
            await call.answered(PATIENT_S)
            return call

        await calls("13800138001")
        await figures(gateway, waiting=1, owed=0)
        second = await calls("13800138002")
        await hears(second.sound, prompt("line_full")[:RATE], deadline_s=PATIENT_S)
        await second.press("2")
        await hears(second.sound, prompt("callback_promised")[:RATE], deadline_s=PATIENT_S)
        assert await second.ended(PATIENT_S) == "them"
        await figures(gateway, waiting=1, owed=1)

        for _ in range(2):
            assert await (await calls("13800138003")).hang_up() == 200
        third = await calls("13800138003")
        await hears(third.sound, prompt("too_often")[:RATE], deadline_s=PATIENT_S)
        assert await third.ended(PATIENT_S) == "them"
