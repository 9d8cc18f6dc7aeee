"""Callers whom no human takes: let go with a word, or once they have left a message. Real sockets, engine, recorder."""

import wave
from array import array
from pathlib import Path

import pytest

from channels.contract import LegUnknown
from channels.phone import way_out
from channels.phone.adapter import PhoneChannel
from session.audio import Announcement
from session.events import DigitPressed, LegClosed, RecordingFinished, VoiceMessageLeft
from session.ids import LegId, RecordingId
from session.state import LegEnd
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Dialled, Telephone
from tests.channels.phone.test_sound import Ear, ears, port_of, recording_phone
from tests.conftest import Eventually

__all__ = ["ears", "recording_phone"]

GOODBYE = (Announcement("goodbye"),)
MESSAGE = RecordingId("m-1")
STAR_KEY, HASH_KEY = 10, 11


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(way_out, "QUIET_S", 1.5)
    monkeypatch.setattr(way_out, "LEAST_S", 0.3)
    monkeypatch.setattr(way_out, "_LOOK_S", 0.1)


async def dials(caller: Telephone, ear: Ear, core: Core, eventually: Eventually) -> tuple[Dialled, LegId]:
    call = await caller.call(body=ear.sdp)
    await eventually(lambda: core.contacts, deadline_s=15)
    ear.target = port_of(call.answer.body)
    return call, core.contacts[0].leg


async def is_recording(phone: PhoneChannel, leg: LegId, folder: Path, eventually: Eventually) -> Path:
    await phone.take_message(leg, MESSAGE, 20.0)

    def begun() -> list[Path]:
        return [one for one in folder.rglob(f"{MESSAGE}.wav") if one.stat().st_size > 4000]

    await eventually(begun, deadline_s=15)
    return begun()[0]


def left(core: Core) -> list[float]:
    return [event.duration_s for event in core.events if isinstance(event, VoiceMessageLeft)]


async def test_a_caller_hears_goodbye_to_its_end_and_is_hung_up_on(
    recording_phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually
) -> None:
    async with Telephone(recording_phone.bound) as caller:
        _, leg = await dials(caller, ears[0], core, eventually)
        await recording_phone.let_go(leg, GOODBYE)
        await recording_phone.let_go(leg, GOODBYE)
        caller.reply(await caller.request("BYE"), 200)
        assert ord("U") in ears[0].heard
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)], deadline_s=15)
        with pytest.raises(LegUnknown):
            await recording_phone.let_go(LegId("nobody"), GOODBYE)


async def test_a_message_ends_by_silence_and_holds_what_was_said(
    recording_phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually, tmp_path: Path
) -> None:
    async with Telephone(recording_phone.bound) as caller:
        _, leg = await dials(caller, ears[0], core, eventually)
        path = await is_recording(recording_phone, leg, tmp_path, eventually)
        await recording_phone.take_message(leg, MESSAGE, 20.0)  # asked for twice, as after a crash
        await eventually(lambda: path.stat().st_size > 40_000, deadline_s=15)
        ears[0].target = None
        await eventually(lambda: left(core), deadline_s=15)
        kinds = [type(event) for event in core.events]
        assert kinds.index(RecordingFinished) < kinds.index(VoiceMessageLeft)
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / 8000
            samples = array("h", file.readframes(file.getnframes()))
        assert 0.3 < left(core)[0] < seconds - 1.0, "the silence at its end is no message"
        assert max(map(abs, samples[::2])) > 1000
        assert not any(samples[1::2]), "nobody else is in it"
        assert core.said(LegClosed) == []


async def test_who_hangs_up_has_left_what_they_said(
    recording_phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually, tmp_path: Path
) -> None:
    """Told before the end of the leg, so that the core never takes them for somebody who chose nothing."""
    async with Telephone(recording_phone.bound) as caller:
        call, leg = await dials(caller, ears[0], core, eventually)
        path = await is_recording(recording_phone, leg, tmp_path, eventually)
        await eventually(lambda: path.stat().st_size > 30_000, deadline_s=15)
        call.bye()
        await eventually(lambda: core.said(LegClosed), deadline_s=15)
        assert left(core)[0] > 0.3
        kinds = [type(event) for event in core.events]
        assert kinds.index(VoiceMessageLeft) < kinds.index(LegClosed)


async def test_a_key_ends_it_and_chooses_nothing(
    recording_phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually, tmp_path: Path
) -> None:
    async with Telephone(recording_phone.bound) as caller:
        _, leg = await dials(caller, ears[0], core, eventually)
        ears[0].press(3)
        await eventually(lambda: core.said(DigitPressed), deadline_s=15)
        path = await is_recording(recording_phone, leg, tmp_path, eventually)
        await eventually(lambda: path.stat().st_size > 30_000, deadline_s=15)
        ears[0].press(HASH_KEY)
        await eventually(lambda: left(core), deadline_s=15)
        assert left(core)[0] > 0.3
        assert [event.digit for event in core.said(DigitPressed) if isinstance(event, DigitPressed)] == ["3"]


async def test_silence_is_no_message(
    recording_phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually
) -> None:
    async with Telephone(recording_phone.bound) as caller:
        _, leg = await dials(caller, ears[0], core, eventually)
        ears[0].target = None
        await recording_phone.take_message(leg, MESSAGE, 20.0)
        await eventually(lambda: left(core) == [0.0], deadline_s=15)


async def test_where_nothing_can_be_recorded_nothing_is_left(
    phone: PhoneChannel, core: Core, ears: list[Ear], eventually: Eventually
) -> None:
    async with Telephone(phone.bound) as caller:
        _, leg = await dials(caller, ears[0], core, eventually)
        await phone.take_message(leg, MESSAGE, 20.0)
        await eventually(lambda: left(core) == [0.0], deadline_s=15)
