"""Engines in processes of their own: how calls are spread, and what becomes of them when a process dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.sound import Outfit, share, workers
from media import crew as module
from media.crew import Crew
from media.engine import Limits
from media.errors import EngineFull, EngineLost, NotNegotiated
from media.g711 import Law
from media.prompts import PromptLibrary
from recordings.shelf import Shelf
from recordings.store import RecordingStore
from session.audio import Announcement, AudioGone, AudioStats, PlaybackEnded, Slot
from session.ids import RecordingId, SessionId
from tests.media.phone import Phone, likeness, speech
from tests.media.test_engine import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from session.audio import AudioSession
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT
SESSION = SessionId("01JDXYZABCDEFGHJKMNPQRSTVW")


def outfit(folder: Path | None = None, **limits: int) -> Outfit:
    return Outfit(("127.0.0.1",), (0, 0), str(folder or ""), "error", "plain", Limits(**limits))


async def talk(call: AudioSession, citizen: Phone, agent: Phone, seed: int) -> None:
    asked, told = speech(0.5, seed), speech(0.5, seed + 1)
    await asyncio.gather(citizen.say(asked), agent.say(told))
    assert likeness(asked, agent.heard())[0] > 0.9
    assert likeness(told, citizen.heard())[0] > 0.9


async def test_a_process_that_is_killed_takes_no_other_call_with_it(
    prompts: PromptLibrary, tmp_path: Path, eventually: Eventually
) -> None:
    died: list[int] = []
    shelf = Shelf(tmp_path)
    paths = [shelf.path(SESSION, RecordingId(name)) for name in ("a", "b")]
    async with (
        Crew(prompts, 2, lambda _: outfit(tmp_path).command(), died.append) as crew,
        Phone() as a_citizen, Phone() as a_agent, Phone() as b_citizen, Phone() as b_agent,
    ):  # fmt: skip
        assert crew.capabilities.can_record
        before = crew.pids
        assert [os.getsid(pid) for pid in before] == list(before), "Ctrl+C at the terminal is the gateway's to hear"
        calls = [await crew.open("a"), await crew.open("b")]
        for call, path, phones in zip(calls, paths, ((a_citizen, a_agent), (b_citizen, b_agent)), strict=True):
            await connect(call, *phones)
            await call.join()
            await call.record(path)
        await asyncio.gather(talk(calls[0], a_citizen, a_agent, 1), talk(calls[1], b_citizen, b_agent, 3))
        await eventually(lambda: paths[0].stat().st_size > 20_000, deadline_s=15)

        os.kill(before[0], signal.SIGKILL)
        assert await asyncio.wait_for(anext(calls[0].events()), 15) == AudioGone()
        await calls[0].play(CITIZEN, [Announcement("music")])
        await calls[0].drop(AGENT)
        assert await calls[0].finish_recording() is None
        assert await calls[0].stats(CITIZEN) == AudioStats(0, 0, 0, 0.0)
        assert await calls[0].quality() == {}
        with pytest.raises(EngineLost):
            await calls[0].offer(AGENT)
        await calls[0].close()
        assert [event async for event in calls[0].events()] == []

        await talk(calls[1], b_citizen, b_agent, 5)
        await eventually(lambda: len(crew.pids) == 2, deadline_s=30)
        assert died == before[:1]
        assert crew.deaths == 1
        store = RecordingStore(tmp_path)
        mended = await store.mend(died[0])
        assert [(one.session, one.id, one.card.whole) for one in mended] == [(SESSION, "a", False)]
        assert mended[0].card.duration_s > 0.5
        assert await store.mend(before[1]) == (), "what a living process writes is left alone"

        async with Phone() as c_citizen, Phone() as c_agent:
            again = await crew.open("c")
            await connect(again, c_citizen, c_agent)
            await again.join()
            await talk(again, c_citizen, c_agent, 7)
    assert (await store.get(SESSION, RecordingId("b"))).card.whole, "leaving completes what runs"


async def test_every_process_says_the_operators_own_announcements(prompts: PromptLibrary) -> None:
    library = PromptLibrary(prompts.shipped)
    before, after = ({law: bytes([octet]) * 800 for law in Law} for octet in (0x11, 0x22))
    library.put("welcome", before)
    async with Crew(library, 1, lambda _: outfit(sessions=1).command()) as crew, Phone() as citizen:
        library.put("goodbye", after)
        call = await crew.open("one")
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        two = await crew.open("two")
        for _ in range(2):
            with pytest.raises(EngineFull):
                await two.offer(CITIZEN)
        with pytest.raises(NotNegotiated):
            await call.accept(AGENT, citizen.sdp())
        await call.play(CITIZEN, [Announcement("welcome"), Announcement("goodbye")])
        assert await asyncio.wait_for(anext(call.events()), 15) == PlaybackEnded(CITIZEN, "goodbye")
        said = b"".join(each.payload for each in citizen.arrived)
        assert said.count(before[Law.PCMA]) == said.count(after[Law.PCMA]) == 1
        await call.close()
        assert b"m=audio" in await two.offer(CITIZEN), "who asks again when there is room has it"
        await two.close()
        assert crew._ready()[0].pipe.calls == {}


async def test_a_session_begins_in_the_trip_of_what_is_asked_first(prompts: PromptLibrary) -> None:
    async with Crew(prompts, 1, lambda _: outfit(sessions=1).command()) as crew:
        (pid,) = crew.pids
        os.kill(pid, signal.SIGSTOP)
        try:
            unused, call = await crew.open("unused"), await crew.open("one")
            await unused.close()
            offering = asyncio.create_task(call.offer(CITIZEN))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert b"m=audio" in await offering
        await call.close()
        assert crew._ready()[0].pipe.calls == {}


async def test_a_process_that_hangs_is_killed(
    prompts: PromptLibrary, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Crew(prompts, 1, lambda _: outfit().command()) as crew:
        monkeypatch.setattr(module, "_ANSWERS_S", 0.2)
        monkeypatch.setattr(module, "_LOOK_S", 0.1)
        call = await crew.open("one")
        (before,) = crew.pids
        os.kill(before, signal.SIGSTOP)
        assert await asyncio.wait_for(anext(call.events()), 15) == AudioGone()
        monkeypatch.undo()
        await call.close()
        # Who comes while none is there waits a moment for the next.
        monkeypatch.setattr(module, "_ROOM_S", 30.0)
        await (await crew.open("two")).close()
        assert crew.pids != [before]


async def test_a_process_whose_gateway_has_died_ends(prompts: PromptLibrary, eventually: Eventually) -> None:
    async with Crew(prompts, 1, lambda _: outfit().command()) as crew:
        await crew.open("one")
        hand = crew._hands[0]
        assert hand is not None
        hand.pipe._transport.close()
        await eventually(lambda: crew.deaths == 1, deadline_s=15)
        assert hand.process.returncode is not None


async def test_what_cannot_start_is_told_at_once(prompts: PromptLibrary) -> None:
    def command(place: int) -> Sequence[str]:
        return outfit().command() if place else (sys.executable, "-c", "")

    crew = Crew(prompts, 2, command)
    with pytest.raises(EngineLost):
        async with crew:
            pass
    assert crew.pids == []


@pytest.mark.parametrize("places", [1, 2, 3, 7])
def test_each_process_has_ports_of_its_own(places: int) -> None:
    shares = [share((30_001, 30_050), place, places) for place in range(places)]
    evens = [range(low + low % 2, high, 2) for low, high in shares]
    together = [port for one in evens for port in one]
    assert len(together) == len(set(together)) >= 23
    assert all(30_001 <= port < 30_050 for port in together)
    assert min(map(len, evens)) >= 3
    assert share((0, 0), 1, places) == (0, 0)


def test_how_many_there_are() -> None:
    assert workers(0, (0, 0)) == 0
    assert workers(3, (0, 0)) == 3
    assert 1 <= workers(-1, (0, 0)) <= max(1, (os.cpu_count() or 1) - 1)
    assert workers(-1, (30_000, 30_003)) == 1
