"""Recordings written, killed, mended, found and read, on a real disk."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
import wave
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from media.engine import Engine
from media.g711 import EXPANSIONS, Law, encode
from media.prompts import PromptLibrary
from recordings.errors import AlreadyRecorded, RecordingNotFound, UnsafeName
from recordings.store import RecordingStore
from recordings.tape import Tape
from session.audio import Slot
from session.ids import RecordingId, SessionId
from tests.media.conftest import prompt_folder, prompts
from tests.media.phone import Phone, likeness, speech

if TYPE_CHECKING:
    from tests.conftest import Eventually

__all__ = ["prompt_folder", "prompts"]

SESSION, RECORDING = SessionId("01JDXYZABCDEFGHJKMNPQRSTVW"), RecordingId("01JDXYZABCDEFGHJKMNPQRSTVW-3")


def channels(path: Path) -> tuple[Any, Any]:
    """Citizen and agent as a player would hear them; the header must be true for that."""
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        pcm = file.readframes(file.getnframes())
        assert len(pcm) == 4 * file.getnframes()
    both = np.frombuffer(pcm, "<i2").astype(float).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@pytest.mark.parametrize("laws", [(Law.PCMA, Law.PCMA), (Law.PCMU, Law.PCMA)])
async def test_both_sides_of_a_call(prompts: PromptLibrary, tmp_path: Path, laws: tuple[Law, Law]) -> None:
    async with RecordingStore(tmp_path) as store, Engine(prompts, recorder=store.writer) as engine:
        assert engine.capabilities.can_record
        call = await engine.open("call")
        async with Phone(laws[0]) as citizen, Phone(laws[1]) as agent:
            citizen.take(await call.answer(Slot.CITIZEN, citizen.sdp()))
            agent.take(await call.answer(Slot.AGENT, agent.sdp()))
            await call.join()
            await call.record(store.path(SESSION, RECORDING))
            asked, told = speech(1.6, 1), speech(1.6, 2)
            # A tenth of the packets is lost, which must not shift those after it.
            lost = frozenset(range(3, 80, 10))
            await asyncio.gather(citizen.say(asked, lose=lost), agent.say(told))
            await call.hold(Slot.AGENT, held=True)
            private = speech(0.5, 3)
            await agent.say(private)
            result = await call.finish_recording()
        assert result is not None
        left, right = channels(result.path)
        likeness_left, shift_left = likeness(asked, left)
        likeness_right, shift_right = likeness(told, right)
        assert likeness_left >= 0.9
        assert likeness_right >= 0.98
        assert abs(shift_left - shift_right) < 320  # 40 ms
        assert -160 <= shift_right < 800  # this phone says a frame before its time, not after
        assert likeness(private, right)[0] < 0.3
        assert abs(result.duration_s - len(left) / 8000) < 0.001
        assert abs(result.duration_s - 2.1) < 0.15
        assert result.size_bytes == result.path.stat().st_size
        assert result.sha256 == sha256(result.path.read_bytes()).hexdigest()
        found = await store.get(SESSION, RECORDING)
        assert found.card.whole
        assert found.path == result.path
        peaks = np.frombuffer(await store.peaks(found), np.uint8).reshape(-1, 2)
        assert len(peaks) == -(-len(left) // 800)
        for peak, start in zip(peaks, range(0, len(left), 800), strict=True):
            assert abs(int(peak[0]) - np.abs(left[start : start + 800 : 4]).max() // 128) <= 1
        assert peaks[-2:, 0].max() == 0


class Wire:
    """Packets of two speakers as a network brings them: each with its delay, in order of arrival."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, Slot, int, bytes]] = []

    def add(self, slot: Slot, sound: Any, *, at_s: float, timestamp: int, delays: Any, rate: float = 1.0) -> None:
        octets = encode(sound.astype("<i2").tobytes(), Law.PCMA)
        for index, delay in enumerate(delays):
            said_s = at_s + (index + 1) * 0.02 * rate
            payload = octets[160 * index : 160 * index + 160]
            self.packets.append((said_s + delay, slot, (timestamp + 160 * index) & 0xFFFFFFFF, payload))

    def play_into(self, tape: Any, started_s: float) -> float:
        self.packets.sort(key=lambda each: each[0])
        flushed = 0.0
        for arrived, slot, timestamp, payload in self.packets:
            while arrived > flushed + 0.5:
                flushed += 0.5
                tape.cut(started_s + flushed).write()
            tape.ear(slot).note(started_s + arrived, timestamp, payload, EXPANSIONS[Law.PCMA])
        return float(started_s + self.packets[-1][0])


@pytest.mark.parametrize("trouble", ["jitter", "stall", "drift", "leap", "late start"])
def test_channels_stay_together(tmp_path: Path, trouble: str) -> None:
    tape = Tape(tmp_path / "x" / "a.wav")
    rng = np.random.default_rng(5)
    seconds = 20.0
    count = int(seconds * 50)
    said = {slot: speech(seconds, seed) for seed, slot in enumerate(Slot, 1)}
    delays = {slot: np.full(count, 0.02) for slot in Slot}
    rate, wire = 1.0, Wire()
    if trouble == "jitter":
        delays[Slot.AGENT] = 0.02 + rng.exponential(0.02, count).clip(0, 0.15)
    elif trouble == "stall":
        ahead_s = np.arange(count) * 0.02
        delays[Slot.AGENT] = np.where((ahead_s > 5) & (ahead_s < 5.15), 5.16 - ahead_s, 0.02)
    elif trouble == "drift":
        rate = 1.004  # four in a thousand, forty times what a bad quartz does
    elif trouble == "late start":
        delays[Slot.AGENT][0] = 0.16
    if trouble == "leap":
        half = count // 2
        wire.add(Slot.AGENT, said[Slot.AGENT], at_s=0, timestamp=2**32 - 4000, delays=delays[Slot.AGENT][:half])
        rest = said[Slot.AGENT][160 * half :]
        wire.add(Slot.AGENT, rest, at_s=half * 0.02, timestamp=77, delays=delays[Slot.AGENT][half:])
    else:
        wire.add(Slot.AGENT, said[Slot.AGENT], at_s=0, timestamp=2**32 - 4000, delays=delays[Slot.AGENT], rate=rate)
    wire.add(Slot.CITIZEN, said[Slot.CITIZEN], at_s=0, timestamp=99, delays=delays[Slot.CITIZEN])
    ended_s = wire.play_into(tape, tape._started_s)
    tape.rest(ended_s).write()
    tape.close()
    left, right = channels(tmp_path / "x" / "a.wav")
    for start_s in (1, 8, 17):
        part = slice(int(start_s * 8000), int(start_s * 8000) + 4000)
        shifts = []
        for slot, heard in ((Slot.CITIZEN, left), (Slot.AGENT, right)):
            alike, shift = likeness(said[slot][part], heard)
            assert alike > 0.9, (slot, start_s)
            shifts.append(shift)
        true_s = start_s * (rate - 1)  # a slow clock says the same later
        assert abs(shifts[1] - shifts[0] - true_s * 8000) < 320


async def test_what_comes_while_the_loop_is_held_up_is_in_the_file(tmp_path: Path) -> None:
    """It waits in the sockets; and the writer has its turn before all of them are read."""
    said = speech(2.0, 1)
    octets = encode(said.astype("<i2").tobytes(), Law.PCMA)
    async with RecordingStore(tmp_path) as store:
        tape = await store.writer.begin(store.path(SESSION, RECORDING))
        note, begun_s, heard = tape.ear(Slot.CITIZEN).note, time.monotonic(), 0

        async def hear(until_s: float) -> None:
            nonlocal heard
            while (now_s := time.monotonic()) < begun_s + until_s:
                while heard + 160 <= min(len(octets), (now_s - begun_s) * 8000):
                    note(now_s, heard, octets[heard : heard + 160], EXPANSIONS[Law.PCMA])
                    heard += 160
                await asyncio.sleep(0.01)

        await hear(0.4)
        time.sleep(0.8)
        await asyncio.sleep(0.15)
        await hear(2.1)
        await tape.finish()
        left, _ = channels((await store.get(SESSION, RECORDING)).path)
    assert likeness(said[3200:9600], left)[0] > 0.99


async def test_nothing_is_overwritten_and_names_are_safe(tmp_path: Path) -> None:
    async with RecordingStore(tmp_path) as store:
        path = store.path(SESSION, RECORDING)
        tape = await store.writer.begin(path)
        with pytest.raises(AlreadyRecorded):
            await store.writer.begin(path)
        await tape.finish()
        with pytest.raises(AlreadyRecorded):
            await store.writer.begin(path)
        for name in ("../x", "", ".hidden", "a/b", "a~b", "电话", "x" * 200, "a\0"):
            with pytest.raises(UnsafeName):
                store.path(SESSION, RecordingId(name))
            with pytest.raises(UnsafeName):
                await store.find(SessionId(name))
        for outside in (tmp_path.parent / "a.wav", tmp_path / "a.wav", tmp_path / "x" / ".." / "a.wav"):
            with pytest.raises(UnsafeName):
                await store.writer.begin(outside)
        with pytest.raises(RecordingNotFound):
            await store.get(SESSION, RecordingId("other"))
        assert path.stat().st_mode & 0o077 == 0
    async with RecordingStore(tmp_path) as store:
        assert store.mended == ()
        assert [each.card.whole for each in await store.find(SESSION)] == [True]


async def test_reading_a_range(tmp_path: Path) -> None:
    async with RecordingStore(tmp_path) as store:
        tape = await store.writer.begin(store.path(SESSION, RECORDING))
        await tape.finish()
        sound = store.path(SESSION, RECORDING)
        with sound.open("ab") as file:
            file.write(os.urandom(200_000))
        found = await store.get(SESSION, RECORDING)
        whole = sound.read_bytes()
        assert b"".join([piece async for piece in store.read(found, 70, 150_000)]) == whole[70:150_001]
        assert b"".join([piece async for piece in store.read(found)]) == whole[: found.card.size_bytes]


async def test_leaving_the_store_completes_what_runs(tmp_path: Path) -> None:
    async with RecordingStore(tmp_path) as store:
        await store.writer.begin(store.path(SESSION, RECORDING))
    async with RecordingStore(tmp_path) as store:
        assert (await store.get(SESSION, RECORDING)).card.whole


async def test_every_finished_file_passes_the_seal(tmp_path: Path) -> None:
    def seal(sound: Path) -> Path:
        return sound.rename(sound.with_suffix(".sealed"))

    async with RecordingStore(tmp_path, seal=seal) as store:
        tape = await store.writer.begin(store.path(SESSION, RECORDING))
        assert (await tape.finish()).path.suffix == ".sealed"


async def test_a_full_disk_ends_the_recording_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        async with RecordingStore(tmp_path) as store:
            tape = await store.writer.begin(store.path(SESSION, RECORDING))
            resource.setrlimit(resource.RLIMIT_FSIZE, (9000, before[1]))
            start = time.monotonic()
            for index in range(50):
                tape.ear(Slot.CITIZEN).note(start + index / 50, index * 160, b"\x2a" * 160, EXPANSIONS[Law.PCMA])
            await asyncio.sleep(0.9)
            result = await tape.finish()
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert result.size_bytes <= 9000
            assert not (await store.get(SESSION, RECORDING)).card.whole
            channels(result.path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert "stopped early" in caplog.text


CHILD = """
import asyncio, json, sys
from pathlib import Path
from media.engine import Engine
from media.prompts import PromptLibrary
from recordings.store import RecordingStore
from recordings.tape import Tape
from session.audio import Slot

async def main():
    folder, root, session, recording, citizen, agent = json.loads(sys.stdin.readline())
    async with RecordingStore(Path(root)) as store:
        async with Engine(PromptLibrary.load(Path(folder)), recorder=store.writer) as engine:
            call = await engine.open("doomed")
            answers = [
                (await call.answer(Slot.CITIZEN, citizen.encode())).decode(),
                (await call.answer(Slot.AGENT, agent.encode())).decode(),
            ]
            await call.join()
            await call.record(store.path(session, recording))
            print(json.dumps(answers), flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_process_leaves_a_file_that_plays(
    prompt_folder: Path, tmp_path: Path, eventually: Eventually
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CHILD,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        async with Phone() as citizen, Phone(Law.PCMU) as agent:
            offers = [citizen.sdp().decode(), agent.sdp().decode()]
            asked = json.dumps([str(prompt_folder), str(tmp_path), SESSION, RECORDING, *offers])
            child.stdin.write(asked.encode() + b"\n")
            answers = json.loads(await asyncio.wait_for(child.stdout.readline(), 15))
            citizen.take(answers[0].encode())
            agent.take(answers[1].encode())
            said = {0: speech(2.0, 11), 1: speech(2.0, 12)}
            # A store of another process must leave alone what is being written.
            async with RecordingStore(tmp_path) as store:
                assert store.mended == ()
            await asyncio.gather(citizen.say(said[0]), agent.say(said[1]))
            sound = store.path(SESSION, RECORDING)
            await eventually(lambda: sound.stat().st_size > 44 + 32_000 * 1.2)
            child.send_signal(signal.SIGKILL)
            await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    for mended in (False, True):
        if mended:
            async with RecordingStore(tmp_path) as store:
                assert [(each.session, each.id, each.card.whole) for each in store.mended] == [
                    (SESSION, RECORDING, False)
                ]
                assert store.mended[0].card.sha256 == sha256(sound.read_bytes()).hexdigest()
                assert len(await store.peaks(store.mended[0])) > 20
            async with RecordingStore(tmp_path) as store:
                assert store.mended == ()
        sides = channels(sound)
        assert len(sides[0]) > 8000 * 1.2
        shifts = []
        for index, side in enumerate(sides):
            alike, shift = likeness(said[index][:8000], side)
            assert alike > 0.9
            shifts.append(shift)
        assert abs(shifts[0] - shifts[1]) < 320


async def test_a_torn_header_is_mended(tmp_path: Path) -> None:
    async with RecordingStore(tmp_path) as store:
        path = store.path(SESSION, RECORDING)
        tape = await store.writer.begin(path)
        tape._tape.close()
        store.writer._tapes.clear()
    whole = path.read_bytes()[:40] + (0).to_bytes(4, "little") + bytes(32_003)
    path.write_bytes(whole)
    async with RecordingStore(tmp_path) as store:
        assert len(store.mended) == 1
        left, _right = channels(path)
        assert len(left) == 8000
