"""What goes straight through is recorded as if each of its packets had been told, whatever breaks it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from media import inbox
from media.engine import Engine
from media.rtp import Packet, build
from media.telephone_event import write
from recordings.tape import Tape
from recordings.track import Expansion, Gathering, Stretch
from session.audio import RecordingResult, Slot
from tests.media.conftest import prompt_folder, prompts
from tests.media.phone import Phone

if TYPE_CHECKING:
    from media.call import Call
    from media.end import End
    from media.prompts import PromptLibrary
    from media.tap import Ear

__all__ = ["prompt_folder", "prompts"]

STARTED_S = 1000.0
SEQUENCE, TIMESTAMP, SSRC = 65_500, 2**32 - 30 * 160, 7
LAST = 45


class Told:
    """A recorder's ear that takes no runs."""

    def __init__(self, gathering: Gathering) -> None:
        self.note = gathering.note

    def reel(self, _timestamp: int, _samples: int, _expansion: Expansion) -> None:
        """Each packet is to be told."""


class Kept:
    """A recorder and its one recording, which keeps what it gathers."""

    def __init__(self, *, straight: bool) -> None:
        self.gathered = {slot: Gathering(STARTED_S) for slot in Slot}
        self.straight = straight
        self.stretches: list[Stretch] = []

    async def begin(self, _path: Path) -> Kept:
        return self

    def ear(self, slot: Slot) -> Ear:
        gathering = self.gathered[slot]
        return gathering if self.straight else Told(gathering)

    def take(self) -> None:
        self.stretches += self.gathered[Slot.CITIZEN].take()

    async def finish(self) -> RecordingResult:
        self.take()
        return RecordingResult(Path(), 0.0, 0, "")


class Spoken:
    """One call, of which the citizen's packets come when the test says."""

    def __init__(self, call: Call, kept: Kept, citizen: Phone, agent: Phone) -> None:
        self.call, self.kept, self.citizen, self.agent = call, kept, citizen, agent
        self.runs = 0

    @property
    def end(self) -> End:
        end = self.call._places[Slot.CITIZEN].end
        assert end is not None
        return end

    async def begin(self) -> None:
        self.citizen.take(await self.call.answer(Slot.CITIZEN, self.citizen.sdp(formats="8 0 96")))
        self.agent.take(await self.call.answer(Slot.AGENT, self.agent.sdp()))
        await self.call.join()
        await self.call.record(Path("x"))
        for _ in range(3):
            self.agent.send(bytes(160))
            self.agent.timestamp += 160
        await self.until(lambda: self.call._places[Slot.AGENT].end.incoming.received == 3)  # type: ignore[union-attr]

    async def hear(self, packet: Packet) -> None:
        before = self.end.incoming.received
        self.citizen.raw(build(packet))
        await self.until(lambda: self.end.incoming.received == before + 1)
        self.runs += self.end._run is not None

    @staticmethod
    async def until(true: object) -> None:
        assert callable(true)
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0)


def nth(number: int, *, kind: int = 8, marker: bool = False, size: int = 160) -> Packet:
    """A packet of the stream."""
    payload = bytes((number * 7 + place) & 0xFF for place in range(size))
    at = (TIMESTAMP + 160 * number) & 0xFFFFFFFF
    return Packet(marker, kind, (SEQUENCE + number) & 0xFFFF, at, SSRC, payload)


def digit() -> list[Packet]:
    """A key is pressed in place of packet 20 and those behind it."""
    steps = [step.payload for step in write("5") if step.payload is not None]
    at = nth(20).timestamp
    events = [
        Packet(index == 0, 96, (SEQUENCE + 20 + index) & 0xFFFF, at, SSRC, payload)
        for index, payload in enumerate(steps)
    ]
    behind = [nth(number)._replace(sequence=(SEQUENCE + number) & 0xFFFF) for number in range(20 + len(steps), LAST)]
    return [*map(nth, range(20)), *events, *behind]


STREAMS: dict[str, list[Packet]] = {
    "nothing": [nth(number) for number in range(LAST)],
    "a gap": [nth(number) for number in range(LAST) if number not in {20, 21}],
    "a marker": [nth(number, marker=number == 20) for number in range(LAST)],
    "another order": [nth({20: 21, 21: 20}.get(number, number)) for number in range(LAST)],
    "a double": [nth(number) for number in sorted([*range(LAST), 19])],
    "another source": [
        nth(number) if number < 20 else nth(number)._replace(ssrc=8, sequence=number, timestamp=number * 160)
        for number in range(LAST)
    ],
    "a leap": [
        nth(number)._replace(timestamp=(nth(number).timestamp + 50_000 * (number >= 20)) & 0xFFFFFFFF)
        for number in range(LAST)
    ],
    "another law": [nth(number, kind=0 if number >= 20 else 8) for number in range(LAST)],
    "a shorter packet": [nth(number, size=80 if number == 20 else 160) for number in range(LAST)],
    "a digit": digit(),
}


@pytest.mark.parametrize("broken_by", [*STREAMS, "a look at it", "a mute", "its end"])
async def test_a_run_is_recorded_as_packets_one_by_one(
    prompts: PromptLibrary, monkeypatch: pytest.MonkeyPatch, broken_by: str
) -> None:
    now = [STARTED_S]
    monkeypatch.setattr(inbox, "monotonic", lambda: now[0])
    kept = [Kept(straight=straight) for straight in (True, False)]
    async with (
        Engine(prompts, recorder=kept[0]) as straight,
        Engine(prompts, recorder=kept[1]) as told,
        Phone() as one, Phone() as two, Phone() as three, Phone() as four,
    ):  # fmt: skip
        calls = [
            Spoken(await straight.open("straight"), kept[0], one, two),
            Spoken(await told.open("told"), kept[1], three, four),
        ]
        for call in calls:
            await call.begin()
        for place, packet in enumerate(STREAMS.get(broken_by, STREAMS["nothing"])):
            late_s = (place * 5 % 7) / 1000 + (0 if place == 10 else 0.01)  # the tenth tells where all lie
            if broken_by == "another source" and place >= 20:
                late_s += 0.3
            now[0] = STARTED_S + place * 0.02 + late_s
            for call in calls:
                if place == 20 and broken_by == "its end":
                    await call.call.finish_recording()
                if broken_by == "a mute" and place in {20, 26}:
                    await call.call.mute(Slot.CITIZEN, muted=place == 20)
                if broken_by == "a look at it" and place in {20, 24}:
                    call.kept.take()
                    call.call.look(time.monotonic())
                await call.hear(packet)
        for call in calls:
            await call.call.finish_recording()
        assert calls[0].runs > 15, "most goes straight"
        assert calls[1].runs == 0 or broken_by == "its end", "after it, who recorded takes no part"
    as_run, as_told = ([each._replace(begun=0) for each in one.stretches] for one in kept)
    assert as_run == as_told
    begun, begun_too = ([each.begun for each in one.stretches] for one in kept)
    assert begun == pytest.approx(begun_too)
    octets = b"".join(each.octets for each in as_run)
    if broken_by in {"nothing", "a look at it"}:
        assert octets == b"".join(each.payload for each in STREAMS["nothing"])
    if broken_by == "its end":
        assert octets == b"".join(each.payload for each in STREAMS["nothing"][:20])
    if broken_by == "a mute":
        assert octets == b"".join(each.payload for each in [*map(nth, range(20)), *map(nth, range(26, LAST))])


def test_a_run_that_nobody_takes_away_costs_a_minute_of_memory_at_most() -> None:
    gathering = Gathering(0.0)
    gathering.note(0.0, 0, bytes(160), (b"", b""))
    reel = gathering.reel(160, 160, (b"", b""))
    for _second in range(90):
        for _packet in range(50):
            reel.octets += bytes(160)
        reel.trim()
    assert 400_000 < sum(len(each.octets) for each in gathering.take()) <= 480_000


def test_what_is_cut_is_in_the_file_in_its_order(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "x" / "a.wav")
    began_s = tape._started_s
    expansion = bytes(256), bytes(range(256))
    for packet in range(100):
        tape.ear(Slot.AGENT).note(began_s + packet / 50 + 0.02, packet * 160, bytes([packet]) * 160, expansion)
    pieces = [tape.cut(began_s + 0.1), tape.cut(began_s + 1.0), tape.rest(began_s + 2.0)]
    for piece in pieces:
        piece.write()
    tape.close()
    frames = (tmp_path / "x" / "a.wav").read_bytes()[44:]
    assert frames[2::4] == bytes(16_000)
    assert frames[3::4] == b"".join(bytes([packet]) * 160 for packet in range(100))
    assert len(tape.peaks) == 40
