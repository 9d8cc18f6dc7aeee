"""A process that carries sound, for a long time at half of what it can: it grows no more, and the two channels of a
recording stay together from its first word to its last.

Half of what it can is 300 recorded calls: `make bench NAME=bridge` finds 580 to 650 on a core. Most last a minute or
so, and as one ends the next begins; some last from the first to the last. Every day a few, for seconds; `make soak`
for an hour, at whose every minute it says how it stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import time
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from operator import attrgetter
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from benchmarks.bridge import FRAME_S
from benchmarks.relays import described, port_of
from gateway.sound import Outfit
from media.crew import Crew
from media.prompts import PromptLibrary
from recordings.shelf import Shelf
from session.audio import AudioSession, Slot
from session.ids import RecordingId, SessionId
from tests.conftest import Eventually
from tests.media.conftest import prompt_folder, prompts
from tests.peers.sound import from_a_law
from tests.soak import watched
from tests.soak.crowd import Crowd, page, voices
from tests.soak.recorded import RATE, Found, found
from tests.soak.test_soak import Size

__all__ = ["prompt_folder", "prompts"]

TOGETHER_MS = 40.0
GROWS_MIB_AN_HOUR = 16
"""A kilobyte for each call that has come and gone; less may be an allocator's mood."""
MISSED = 0.01
"""Of all moments that are looked for. What is lost on a busy machine's way is noted; more would show nothing."""
A_MOMENT_S = 0.001
SPARE_FILES = 15
"""Of three calls that have just ended, or not yet quite begun."""
SPARE_TASKS = 3


@dataclass(frozen=True)
class Pace:
    """So many calls at once for so long."""

    lasts_s: float
    settles_s: float
    """From when on it is to grow no more."""
    looks_every_s: float
    tells_every: int
    """Looks."""
    seats: int
    """Calls at once that end, to be followed by another."""
    call_s: float
    """How long those are, more or less."""
    throughout: int
    """Calls that last from the first to the last."""


EVERY_DAY = Pace(3.0, 0.0, 0.25, 4, seats=6, call_s=1.0, throughout=2)
AN_HOUR = Pace(3600.0, 600.0, 10.0, 6, seats=290, call_s=60.0, throughout=10)


@dataclass(frozen=True)
class Look:
    """How the process stood."""

    at_s: float
    calls: int
    resident_mib: float
    files: int
    tasks: int


@dataclass
class Watch:
    """The process, looked at from outside; but its tasks it tells itself (`tests.soak.watched`)."""

    pid: int
    report: Path
    begun_s: float = field(default_factory=time.monotonic)

    async def look(self, calls: int, eventually: Eventually) -> Look:
        os.kill(self.pid, signal.SIGUSR1)
        await eventually(self.report.exists)
        tasks = int(self.report.read_text())
        self.report.unlink()
        size = Size.of(self.pid)
        return Look(time.monotonic() - self.begun_s, calls, size.resident_mib, size.files, tasks)


@dataclass(frozen=True)
class Recording:
    """One that is complete, before anybody has looked at it."""

    call: int
    path: Path
    ticks: int
    """That both have said."""
    duration_s: float
    least_s: float
    """From when recording had begun until it was to end; `most_s` from when it was to begin until it had ended."""
    most_s: float


@dataclass
class Soak:
    """All calls of a run."""

    crew: Crew
    crowd: Crowd
    shelf: Shelf
    pace: Pace
    talking: int = 0
    seen: list[tuple[Recording, Found]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Of recordings, in words."""
    _numbers: Iterator[int] = field(default_factory=count)
    _looker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    async def hold(self) -> None:
        """All calls, and all recordings looked at."""
        until_s = time.monotonic() + self.pace.lasts_s
        async with asyncio.TaskGroup() as seats:
            for _ in range(self.pace.throughout):
                seats.create_task(self.one(self.pace.lasts_s))
            for seat in range(self.pace.seats):
                seats.create_task(self._one_after_the_other(seat, until_s))

    async def one(self, seconds: float) -> None:
        """A call and its recording."""
        await self._look_at(await self._talk(seconds))

    async def _one_after_the_other(self, seat: int, until_s: float) -> None:
        """The first begin evenly spread, and since none is as long as the next they never end all at once."""
        await asyncio.sleep(self.pace.call_s * seat / self.pace.seats)
        chance = random.Random(seat)
        async with asyncio.TaskGroup() as looking:
            while time.monotonic() < until_s:
                recording = await self._talk(self.pace.call_s * chance.uniform(0.75, 1.25))
                looking.create_task(self._look_at(recording))

    async def _talk(self, seconds: float) -> Recording:
        """Both talk all the time, and are recorded."""
        number, ticks = next(self._numbers), round(seconds / FRAME_S)
        path = self.shelf.path(SessionId(f"call-{number}"), RecordingId("1"))
        call = await self.crew.open(str(number))
        self.talking += 1
        try:
            far = zip((Slot.CITIZEN, Slot.AGENT), self.crowd.addresses, strict=True)
            ports = [port_of(await call.answer(slot, described(*ear, secret=False))) for slot, ear in far]
            await call.join()
            asked_s = time.monotonic()
            await call.record(path)
            began_s = time.monotonic()
            await self.crowd.talk(number, ports, ticks)
            await arrived(call, ticks)
            ends_s = time.monotonic()
            result = await call.finish_recording()
            ended_s = time.monotonic()
        finally:
            self.talking -= 1
            await call.close()
        assert result is not None
        return Recording(number, path, ticks, result.duration_s, ends_s - began_s, ended_s - asked_s)

    async def _look_at(self, recording: Recording) -> None:
        one = recording
        look = partial(found, one.path, one.call, one.ticks, every=round(1 / FRAME_S))
        name = f"call {one.call}, {one.ticks * FRAME_S:.0f} s"
        try:
            seen = await asyncio.get_running_loop().run_in_executor(self._looker, look)
        except LookupError as error:
            self.faults.append(f"{name}: {error}")
            return
        finally:
            shutil.rmtree(one.path.parent)
        self.seen.append((one, seen))
        if seen.apart_ms > TOGETHER_MS:
            self.faults.append(f"{name}: its channels are {seen.apart_ms:.1f} ms apart")
        if not one.least_s - A_MOMENT_S <= one.duration_s <= one.most_s + A_MOMENT_S:
            self.faults.append(f"{name}: {one.duration_s:.3f} s of it in the file, {one.least_s:.3f} s were recorded")

    def close(self) -> None:
        """Once all has been looked at."""
        self._looker.shutdown()


async def arrived(call: AudioSession, ticks: int) -> None:
    """Until all that was said has come, which on a busy machine takes its time; what is lost is waited for a while."""
    for _ in range(50):
        if all([(await call.stats(slot)).packets_received >= ticks for slot in (Slot.CITIZEN, Slot.AGENT)]):
            return
        await asyncio.sleep(FRAME_S)


async def looks(soak: Soak, watch: Watch, eventually: Eventually) -> list[Look]:
    """How the process stands, as often as it is to be looked at, until the last look that is due; told meanwhile."""
    taken: list[Look] = []
    pace = soak.pace
    for turn in range(1, round(pace.lasts_s / pace.looks_every_s) + 1):
        await asyncio.sleep(max(0.0, watch.begun_s + turn * pace.looks_every_s - time.monotonic()))
        taken.append(await watch.look(soak.talking, eventually))
        if turn % pace.tells_every == 0:
            print(f"{taken[-1]}; {told(soak)}", flush=True)
    return taken


def told(soak: Soak) -> str:
    """What there is to say of the calls so far."""
    crowd, apart = soak.crowd, max((seen.apart_ms for _, seen in soak.seen), default=0.0)
    lost = 1 - crowd.heard / max(1, crowd.sent)
    late_s, crowd.late_s = crowd.late_s, 0.0
    longer_ms = max((1000 * (one.duration_s - one.ticks * FRAME_S) for one, _ in soak.seen), default=0.0)
    missed = sum(seen.missed for _, seen in soak.seen)
    return (
        f"{len(soak.seen)} recordings, {missed} moments missing in them, channels apart {apart:.1f} ms at most, longer "
        f"than what was said by {longer_ms:.0f} ms at most; {crowd.sent} packets, {lost:.4%} lost, crowd late by "
        f"{late_s:.2f} s; {len(soak.faults)} faults"
    )


def growth(settled: list[Look], what: Callable[[Look], float]) -> tuple[float, float]:
    """From the first fifth to the last, by their medians; and in an hour, by the slope of all."""
    fifth = -(-len(settled) // 5)
    first, last = (median(map(what, some)) for some in (settled[:fifth], settled[-fifth:]))
    slope = np.polyfit([look.at_s / 3600 for look in settled], [what(look) for look in settled], 1)[0]
    return last - first, float(slope)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_sound_grows_no_more_and_does_not_drift(
    prompts: PromptLibrary, tmp_path: Path, long_run: bool, eventually: Eventually
) -> None:
    pace = AN_HOUR if long_run else EVERY_DAY
    outfit = Outfit(("127.0.0.1",), (0, 0), str(tmp_path), "error", "plain")
    report = tmp_path / "tasks"
    command = [sys.executable, "-P", watched.__file__, json.dumps(asdict(outfit)), str(report)]
    async with Crew(prompts, 1, lambda _: command) as crew, Crowd() as crowd:
        (pid,) = crew.pids
        soak = Soak(crew, crowd, Shelf(tmp_path), pace)
        await soak.one(0.6)  # what the first call of all opens stays open
        watch = Watch(pid, report)
        idle = await watch.look(0, eventually)
        async with asyncio.TaskGroup() as group:
            group.create_task(soak.hold())
            taken = await looks(soak, watch, eventually)
        soak.close()

        async def rests() -> Look | None:
            look = await watch.look(soak.talking, eventually)
            return look if (look.files, look.tasks) == (idle.files, idle.tasks) else None

        rested = await eventually(rests)
        assert crew.pids == [pid], "it has died, and another stands in its place"
        print(f"before: {idle}\nafter: {rested}, {crew.packets_lost} packets never came to it; {told(soak)}")
    settled = [look for look in taken if look.at_s > pace.settles_s]
    grown = {what: growth(settled, attrgetter(what)) for what in ("calls", "resident_mib", "files", "tasks")}
    strays_ms = max(abs(seen.strays_ms) for one, seen in soak.seen if one.ticks * FRAME_S == pace.lasts_s)
    print(f"grown from first to last, and by the hour: {grown}; the longest stray by {strays_ms:.1f} ms from the clock")
    assert not soak.faults, "\n".join(soak.faults[:20])
    assert len(soak.seen) > pace.seats + pace.throughout, "no call has followed another: the soak has shown nothing"
    looked_for = sum(seen.moments + seen.missed for _, seen in soak.seen)
    assert sum(seen.missed for _, seen in soak.seen) < MISSED * looked_for, "the machine does too much else besides"
    if long_run:
        assert median(look.calls for look in settled) > 0.95 * (pace.seats + pace.throughout)
        assert max(grown["resident_mib"]) <= GROWS_MIB_AN_HOUR
        assert max(grown["files"]) <= SPARE_FILES
        assert max(grown["tasks"]) <= SPARE_TASKS
        assert strays_ms <= TOGETHER_MS


def test_channels_that_drift_are_seen(tmp_path: Path) -> None:
    """A thousandth faster in one than in the other, and for a second nothing."""
    ticks, call = 3000, 7
    channels = []
    for voice, faster in zip(voices(call), (0, 1), strict=True):
        said = from_a_law(b"".join(page(voice, tick) for tick in range(ticks)))
        said[40 * RATE : 41 * RATE] = 0
        pieces = (said[at + faster : at + 1000] for at in range(0, len(said), 1000))
        channels.append(np.concatenate([np.zeros(RATE), *pieces]))
    both = np.zeros((len(channels[0]), 2), "<i2")
    for side, channel in enumerate(channels):
        both[: len(channel), side] = channel
    with wave.open(str(tmp_path / "drifting.wav"), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(both.tobytes())
    seen = found(tmp_path / "drifting.wav", call, ticks, every=50)
    assert 58 < seen.apart_ms <= 60
    assert (seen.moments, seen.missed, seen.strays_ms) == (60, 1, 0.0)
