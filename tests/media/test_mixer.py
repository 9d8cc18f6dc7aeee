"""Several at once, through real sockets: who hears whom, whole through loss, recorded as the citizen heard it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from media.engine import Engine
from media.g711 import EXPANSIONS, Law, decode, encode
from media.mixer import Mix
from recordings.store import RecordingStore
from session.audio import Hearing, Slot
from session.ids import RecordingId, SessionId
from tests.media.phone import Phone, likeness, speech
from tests.peers.sound import read_wave

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from pathlib import Path

    from media.call import Call
    from media.prompts import PromptLibrary

CITIZEN, AGENT, SUPERVISOR = Slot.CITIZEN, Slot.AGENT, Slot.SUPERVISOR
LISTEN: Hearing = {CITIZEN: {AGENT: 0}, AGENT: {CITIZEN: 0}, SUPERVISOR: {CITIZEN: 0, AGENT: 0}}
WHISPER: Hearing = {**LISTEN, AGENT: {CITIZEN: -6, SUPERVISOR: 0}}
BARGE: Hearing = {one: {other: 0 for other in (CITIZEN, AGENT, SUPERVISOR) if other is not one} for one in LISTEN}
HEARD, UNHEARD = 0.5, 0.15
"""Of one voice within a sum of two or three as loud as itself, at 8 bits."""
TRIES = 5
"""Where the machine stands still for longer than the mix waits, what was said meanwhile is lost, and is said again."""

Way = tuple[Slot, Slot]
"""A mouth and an ear."""


@pytest.fixture
async def engine(prompts: PromptLibrary, tmp_path: Path) -> AsyncIterator[Engine]:
    async with RecordingStore(tmp_path / "recordings") as store, Engine(prompts, recorder=store.writer) as engine:
        yield engine


class Three:
    """Three telephones on one call."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.phones = {CITIZEN: Phone(Law.PCMA), AGENT: Phone(Law.PCMU), SUPERVISOR: Phone(Law.PCMA)}

    async def connect(self) -> None:
        for slot, phone in self.phones.items():
            await phone.__aenter__()
            phone.take(await self.call.answer(slot, phone.sdp()))

    async def close(self) -> None:
        for phone in self.phones.values():
            await phone.__aexit__()

    async def all_speak(self, seed: int, seconds: float = 0.8) -> dict[Slot, Any]:
        """Each says something of their own at the same time; gives it."""
        said = {slot: speech(seconds, seed + index) for index, slot in enumerate(self.phones)}
        for phone in self.phones.values():
            phone.arrived.clear()
        await asyncio.gather(*(phone.say(said[slot]) for slot, phone in self.phones.items()))
        await asyncio.sleep(0.2)  # what the mix still has in its buffer
        return said

    async def speak(self, seed: int, heard: Mapping[Way, float], unheard: Iterable[Way]) -> None:
        """Speak until each is heard as well as they are to be; who is not to be heard must not be, each time."""
        missed: list[str] = []
        for attempt in range(TRIES):
            said = await self.all_speak(seed + attempt * len(self.phones))
            alike = {
                (mouth, ear): likeness(sound, phone.heard())[0]
                for ear, phone in self.phones.items()
                for mouth, sound in said.items()
            }
            for mouth, ear in unheard:
                assert alike[mouth, ear] < UNHEARD, f"{ear} hears {mouth}"
            missed = [
                f"{ear} hears {mouth} by {alike[mouth, ear]:.2f}"
                for mouth, ear in heard
                if alike[mouth, ear] <= heard[mouth, ear]
            ]
            if not missed:
                return
        pytest.fail("; ".join(missed))


@pytest.fixture
async def three(engine: Engine) -> AsyncIterator[Three]:
    three = Three(await engine.open("three"))
    await three.connect()
    yield three
    await three.close()


@pytest.mark.parametrize("hearing", [LISTEN, WHISPER, BARGE], ids=["listen", "whisper", "barge"])
async def test_each_hears_just_whom_they_are_to_hear(three: Three, hearing: Hearing) -> None:
    await three.call.mix(hearing)
    heard = {
        (mouth, ear): HEARD - (0.2 if by_db < 0 else 0)
        for ear, mouths in hearing.items()
        for mouth, by_db in mouths.items()
    }
    await three.speak(100, heard, {(mouth, ear) for mouth in three.phones for ear in three.phones} - heard.keys())


async def test_from_relay_to_mix_and_back_each_stream_stays_one(three: Three) -> None:
    await three.call.join()
    await three.all_speak(200, 0.4)
    kept = {slot: list(phone.arrived) for slot, phone in three.phones.items()}
    for hearing in (BARGE, LISTEN, WHISPER):
        await three.call.mix(hearing)
        await three.all_speak(210, 0.4)
        for slot, phone in three.phones.items():
            kept[slot] += phone.arrived
    for slot in (CITIZEN, AGENT):
        assert len({each.ssrc for each in kept[slot]}) == 1
        steps = np.diff(np.array([each.sequence for each in kept[slot]], dtype=np.uint16))
        assert set(steps.tolist()) == {1}
        clock = np.diff(np.array([each.timestamp for each in kept[slot]], dtype=np.uint32))
        assert clock.min() > 0
        assert clock.max() < 4000


async def test_who_is_held_or_muted_is_not_in_the_mix_and_two_left_are_relayed(three: Three) -> None:
    await three.call.mix(BARGE)
    await three.call.mute(SUPERVISOR, muted=True)
    # One voice alone is relayed as it is.
    await three.speak(300, {(AGENT, CITIZEN): 0.95}, [(SUPERVISOR, CITIZEN)])
    await three.call.mute(SUPERVISOR, muted=False)
    await three.call.hold(AGENT, held=True)
    await three.speak(330, {(SUPERVISOR, CITIZEN): 0.95}, [(AGENT, CITIZEN), (CITIZEN, AGENT)])


async def test_the_recording_holds_what_the_citizen_said_and_heard(three: Three, tmp_path: Path) -> None:
    store = RecordingStore(tmp_path / "recordings")
    path = store.path(SessionId("s"), RecordingId("r"))
    await three.call.mix(WHISPER)
    await three.call.record(path)
    whispered = await three.all_speak(400, 0.6)
    await three.call.mix(BARGE)
    barged = await three.all_speak(410, 0.6)
    result = await three.call.finish_recording()
    assert result is not None
    left, right = read_wave(result.path)
    for said in (whispered, barged):
        assert likeness(said[CITIZEN], left)[0] > HEARD
        assert likeness(said[AGENT], right)[0] > 0.4
    assert likeness(whispered[SUPERVISOR], right)[0] < UNHEARD, "what only the agent heard is no part of the call"
    assert likeness(barged[SUPERVISOR], right)[0] > 0.4


def test_gains_and_full_scale() -> None:
    """A gain is one of decibels, and what is too loud is cut off, not wrapped round."""
    mix = Mix()
    mix.hear({AGENT: -6.0})
    loud = np.full(160, 16000).astype("<i2").tobytes()
    for index in range(4):
        mix.ear(AGENT).note(0.0, index * 160, encode(loud, Law.PCMA), EXPANSIONS[Law.PCMA])
    frames = [np.frombuffer(decode(mix.frame(Law.PCMA), Law.PCMA), "<i2") for _ in range(4)]
    assert abs(int(frames[-1][80]) / 16000 - 0.5) < 0.04
    mix.hear({AGENT: 6.0, CITIZEN: 6.0})
    for slot in (AGENT, CITIZEN):
        for index in range(4, 8):
            mix.ear(slot).note(0.0, index * 160, encode(loud, Law.PCMA), EXPANSIONS[Law.PCMA])
    loudest = max(int(np.frombuffer(decode(mix.frame(Law.PCMA), Law.PCMA), "<i2").max()) for _ in range(4))
    assert loudest > 30000
