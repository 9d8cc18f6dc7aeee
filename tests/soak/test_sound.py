"""A process that carries sound, for a long time at half of what it is planned for: it grows no more, and the two
channels of a recording stay together from its first word to its last.

Every day a few calls of seconds, `make soak` a hundred at a time for an hour.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.sound import Outfit
from media.crew import Crew
from media.prompts import PromptLibrary
from recordings.shelf import Shelf
from session.audio import Slot
from session.ids import RecordingId, SessionId
from tests.media.conftest import prompt_folder, prompts
from tests.media.phone import Phone, likeness, speech
from tests.peers.sound import read_wave
from tests.soak.test_soak import GROWS_MIB_AN_HOUR, Size

__all__ = ["prompt_folder", "prompts"]

RATE = 8000
TOGETHER_WITHIN = 320
"""40 ms."""


@dataclass(frozen=True)
class Pace:
    """So many calls at once, of such a length, so often."""

    calls: int
    seconds: float
    rounds: int


def drift(said: Any, heard: Any) -> int:
    """By how many samples the last second lies otherwise than the first."""
    first, last = said[:RATE], said[-RATE:]
    alike_first, first_at = likeness(first, heard)
    alike_last, last_at = likeness(last, heard)
    assert min(alike_first, alike_last) > 0.5
    return last_at - (len(said) - RATE) - first_at


async def talk(crew: Crew, path: Path, seed: int, seconds: float) -> None:
    """One call, recorded, both talking all the time."""
    async with AsyncExitStack() as stack:
        citizen, agent = [await stack.enter_async_context(Phone()) for _ in range(2)]
        call = await crew.open(path.stem)
        stack.push_async_callback(call.close)
        citizen.take(await call.answer(Slot.CITIZEN, citizen.sdp()))
        agent.take(await call.answer(Slot.AGENT, agent.sdp()))
        await call.join()
        await call.record(path)
        asked, told = speech(seconds, seed), speech(seconds, seed + 1)
        await asyncio.gather(citizen.say(asked), agent.say(told))
        result = await call.finish_recording()
    assert result is not None
    left, right = await asyncio.to_thread(read_wave, result.path)
    assert abs(drift(asked, left)) <= TOGETHER_WITHIN
    assert abs(drift(told, right)) <= TOGETHER_WITHIN
    assert abs(likeness(asked[-RATE:], left)[1] - likeness(told[-RATE:], right)[1]) <= TOGETHER_WITHIN
    await asyncio.to_thread(result.path.unlink)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_sound_grows_no_more_and_does_not_drift(prompts: PromptLibrary, tmp_path: Path, long_run: bool) -> None:
    pace = Pace(100, 60.0, 60) if long_run else Pace(2, 2.0, 2)
    shelf = Shelf(tmp_path)
    outfit = Outfit(("127.0.0.1",), (0, 0), str(tmp_path), "error", "plain")
    async with Crew(prompts, 1, lambda _: outfit.command()) as crew:
        (pid,) = crew.pids
        sizes, tasks = [], []
        for turn in range(pace.rounds):
            paths = [shelf.path(SessionId(f"s{turn}"), RecordingId(f"r{number}")) for number in range(pace.calls)]
            await asyncio.gather(*(talk(crew, path, 2 * seed, pace.seconds) for seed, path in enumerate(paths)))
            sizes.append(Size.of(pid))
            tasks.append(len(asyncio.all_tasks()))
        print(f"{pace}: {sizes[0]} after the first round, {sizes[-1]} after the last")
        assert crew.pids == [pid], "it has died, and another stands in its place"
        assert tasks[-1] == tasks[0]
        assert sizes[-1].files == sizes[0].files
        if long_run:
            hours = pace.rounds * pace.seconds / 3600
            assert sizes[-1].resident_mib - sizes[0].resident_mib <= GROWS_MIB_AN_HOUR * hours
