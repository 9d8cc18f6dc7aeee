"""Behind a real rtpengine: what goes straight, what never does, and what becomes of calls when somebody dies.

That it does whatever the Audio port asks is shown by the contract in `test_engine`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from media.crew import Crew
from media.errors import AudioRefused, EngineFull, EngineLost, EngineSlow
from media.rtpengine import ng as module
from media.rtpengine.bencode import Cut, decoded, encoded
from media.rtpengine.engine import AnchoredEngine
from media.rtpengine.ng import Ng
from recordings.shelf import Shelf
from recordings.writer import RecordingWriter
from session.audio import Announcement, AudioGone, DigitHeard, PlaybackEnded, Secrecy, Slot
from session.ids import RecordingId, SessionId
from tests.media.phone import Phone, likeness, speech
from tests.media.secret_phone import KeyedPhone, PagePhone
from tests.media.test_crew import outfit
from tests.media.test_engine import connect, sound_of
from tests.peers.rtpengine import Rtpengine, shared
from tests.peers.sound import read_wave

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from media.prompts import PromptLibrary
    from media.rtpengine.call import AnchoredCall
    from session.audio import AudioSession
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT
SESSION = SessionId("01JDXYZABCDEFGHJKMNPQRSTVW")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Callable[[], Rtpengine]]:
    """Starts rtpengines that the test may kill."""
    started: list[Rtpengine] = []

    def start() -> Rtpengine:
        started.append(Rtpengine(tmp_path).start())
        return started[-1]

    yield start
    for one in started:
        one.stop()


async def opened(engine: AnchoredEngine, key: str = "one") -> AnchoredCall:
    call = await engine.open(key)
    assert hasattr(call, "_bridges")
    return call  # type: ignore[return-value]  # it makes no others


async def talk(citizen: Phone, agent: Phone, seed: int, seconds: float = 0.6) -> None:
    asked, told = speech(seconds, seed), speech(seconds, seed + 1)
    await asyncio.gather(citizen.say(asked), agent.say(told))
    async with asyncio.timeout(15):
        while min(likeness(asked, agent.heard())[0], likeness(told, citizen.heard())[0]) < 0.9:
            await asyncio.sleep(0.02)


async def test_who_just_talk_go_straight_and_are_recorded(
    prompts: PromptLibrary, tmp_path: Path, eventually: Eventually
) -> None:
    path = Shelf(tmp_path).path(SESSION, RecordingId("a"))
    path.parent.mkdir(parents=True, exist_ok=True)
    async with (
        RecordingWriter(Shelf(tmp_path)) as recorder,
        AnchoredEngine(prompts, rtpengines=[shared().address], recorder=recorder) as engine,
        Phone() as citizen,
        Phone() as agent,
    ):
        call = await opened(engine)
        await connect(call, citizen, agent)
        await call.record(path)
        await call.join()
        assert len(call._bridges) == 2
        ends = [place.end for place in (call._places[CITIZEN], call._places[AGENT])]
        sent = [end.outgoing.packets for end in ends if end is not None]
        await talk(citizen, agent, 21)
        assert [end.outgoing.packets for end in ends if end is not None] == sent, "we only listen"
        assert (await call.stats(AGENT)).packets_sent >= 25, "rtpengine's count as ours"
        assert await call.finish_recording() is not None
        for said, channel in zip((speech(0.6, 21), speech(0.6, 22)), read_wave(path), strict=True):
            assert likeness(said, channel)[0] > 0.9

        await call.play(CITIZEN, [Announcement("welcome")])
        assert len(call._bridges) == 1, "what the citizen says still goes to the agent"
        unheard = speech(0.3, 25)
        await agent.say(unheard)
        assert likeness(unheard, citizen.heard())[0] < 0.3
        assert await asyncio.wait_for(anext(call.events()), 15) == PlaybackEnded(CITIZEN, "welcome")
        await call.join()
        await call.hold(CITIZEN, held=True)
        assert not call._bridges
        await call.hold(CITIZEN, held=False)
        await call.send_digits(AGENT, "5")
        await eventually(lambda: sum(each.payload_type == 96 for each in agent.arrived) == 8)
        await talk(citizen, agent, 27)
        assert [pair[1] for pair in call._bridges] == [call._places[CITIZEN].leg], "digits and voice take turns with us"
        assert {each.payload[0] for each in agent.arrived if each.payload_type == 96} == {5}
    assert likeness(sound_of("welcome"), citizen.heard())[0] > 0.9


async def test_a_digit_of_who_goes_straight_is_heard_once(prompts: PromptLibrary) -> None:
    async with (
        AnchoredEngine(prompts, rtpengines=[shared().address]) as engine, Phone() as citizen, Phone() as agent,
    ):  # fmt: skip
        call = await opened(engine)
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 7))
        for _ in range(3):
            citizen.send(bytes([5, 0x8A]) + (800).to_bytes(2), 96)
        assert await asyncio.wait_for(anext(call.events()), 15) == DigitHeard(CITIZEN, "5", 100)


async def test_a_stranger_is_not_heard(prompts: PromptLibrary, eventually: Eventually) -> None:
    async with (
        AnchoredEngine(prompts, rtpengines=[shared().address]) as engine,
        Phone() as citizen, Phone() as agent, Phone() as stranger,
    ):  # fmt: skip
        call = await opened(engine)
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.2, 31))
        stranger.target = citizen.target
        intruding = speech(0.5, 33)
        await asyncio.gather(stranger.say(intruding), citizen.say(speech(0.5, 35)))
        assert likeness(intruding, agent.heard())[0] < 0.3


@pytest.mark.parametrize("kind", [KeyedPhone, PagePhone])
async def test_keys_are_ours_alone(prompts: PromptLibrary, kind: type[KeyedPhone]) -> None:
    async with AnchoredEngine(prompts, rtpengines=[shared().address]) as engine, Phone() as citizen, kind() as agent:
        call = await opened(engine)
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        agent.take(await call.offer(AGENT, Secrecy.PAGE if kind is PagePhone else Secrecy.REQUIRE))
        await call.accept(AGENT, agent.page_sdp("active") if isinstance(agent, PagePhone) else agent.keyed_sdp())
        if isinstance(agent, PagePhone):
            await asyncio.wait_for(agent.connected.wait(), 15)
        await call.join()
        await talk(citizen, agent, 41)
        assert not call._bridges
        assert agent.target is not None
        assert agent.target[1] == call._places[AGENT].end.port  # type: ignore[union-attr]  # it is up
        async with KeyedPhone() as keyed:
            with pytest.raises(AudioRefused, match="began without"):
                await call.answer(CITIZEN, keyed.keyed_sdp(), Secrecy.OFFER)


async def test_one_that_is_killed_is_told_and_the_next_takes_over(
    prompts: PromptLibrary, daemon: Callable[[], Rtpengine], eventually: Eventually
) -> None:
    one, other = daemon(), daemon()
    async with (
        AnchoredEngine(prompts, rtpengines=[one.address, other.address]) as engine,
        Phone() as citizen, Phone() as agent, Phone() as next_citizen, Phone() as next_agent,
    ):  # fmt: skip
        calls = {anchored._anchor.port: anchored for anchored in [await opened(engine), await opened(engine, "two")]}
        assert calls.keys() == {one.port, other.port}, "each has one"
        call, living = calls[one.port], calls[other.port]
        await connect(call, citizen, agent)
        await connect(living, next_citizen, next_agent)
        await call.join()
        await living.join()
        one.kill()
        assert await asyncio.wait_for(anext(call.events()), 15) == AudioGone()
        await call.play(CITIZEN, [Announcement("music")])
        await call.drop(AGENT)
        with pytest.raises(EngineLost):
            await call.offer(AGENT)
        await call.close()
        assert [event async for event in call.events()] == []
        await talk(next_citizen, next_agent, 51, 0.3)
        assert (await opened(engine, "three"))._anchor.port == other.port
        one.start()
        await eventually(lambda: engine.pool.anchors[0].ng is not None, deadline_s=20)
        assert (await opened(engine, "four"))._anchor.port == one.port


class Control:
    """The way to an rtpengine's control, on which answers can be held back: it is busy, and its sound goes on."""

    def __init__(self, daemon: Rtpengine) -> None:
        self._daemon, self.passes = daemon, asyncio.Event()
        self.passes.set()

    async def __aenter__(self) -> tuple[str, int]:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def __aexit__(self, *_: object) -> None:
        self.passes.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection(*self._daemon.address)
        await asyncio.gather(self._carry(reader, asks), self._carry(answers, writer, self.passes))

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event | None = None
    ) -> None:
        while some := await reader.read(65_536):
            if passes is not None:
                await passes.wait()
            writer.write(some)
        writer.close()


async def test_one_that_is_busy_is_not_gone_while_its_sound_goes_on(
    prompts: PromptLibrary, daemon: Callable[[], Rtpengine], monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    one, missed = daemon(), 0
    asked = Ng.ask

    async def ask(self: Ng, command: str, fields: Any = None) -> Any:
        nonlocal missed
        try:
            return await asked(self, command, fields)
        except EngineSlow:
            missed += 1
            raise

    monkeypatch.setattr(Ng, "ask", ask)
    control = Control(one)
    async with (
        control as address,
        AnchoredEngine(prompts, rtpengines=[address, shared().address]) as engine,
        Phone() as citizen,
        Phone() as agent,
    ):
        call = await opened(engine)
        await connect(call, citizen, agent)
        await call.join()
        speaking = asyncio.create_task(citizen.say(speech(40, 71)))
        monkeypatch.setattr(module, "ANSWERS_S", 1.0)
        control.passes.clear()
        await eventually(lambda: missed >= 2)
        assert engine.pool.anchors[0].is_slow
        others = [(await opened(engine, str(number)))._anchor for number in range(2)]
        assert others == [engine.pool.anchors[1]] * 2, "new calls are for who has time for them"
        monkeypatch.setattr(module, "ANSWERS_S", 3.0)
        held = asyncio.create_task(call.hold(AGENT, held=True))
        control.passes.set()
        await held
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        unheard = speech(0.3, 75)
        await agent.say(unheard)
        assert likeness(unheard, citizen.heard())[0] < 0.3
        await call.hold(AGENT, held=False)
        await talk(citizen, agent, 77)
        await eventually(lambda: not engine.pool.anchors[0].is_slow)

        monkeypatch.setattr(module, "ANSWERS_S", 0.5)
        control.passes.clear()  # nobody speaks now: it is dead for all that anybody can tell
        assert await asyncio.wait_for(anext(call.events()), 15) == AudioGone()


def test_an_answer_that_came_while_our_loop_stood_still_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that serves looks at its clock before it reads."""
    monkeypatch.setattr(module, "ANSWERS_S", 0.1)

    async def asked() -> object:
        ng = await Ng.connected(*shared().address)
        hearing = asyncio.create_task(ng.run())
        asking = asyncio.create_task(ng.ask("ping"))
        await asyncio.sleep(0)
        time.sleep(0.5)
        try:
            return await asking
        finally:
            ng.close()
            await hearing

    assert uvloop.run(asked()) == {"result": b"pong"}


async def test_one_that_hangs_is_given_up(
    prompts: PromptLibrary, daemon: Callable[[], Rtpengine], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = daemon()
    async with AnchoredEngine(prompts, rtpengines=[one.address]) as engine:
        call = await opened(engine)
        monkeypatch.setattr(module, "ANSWERS_S", 0.2)
        os.kill(one.pid, signal.SIGSTOP)
        try:
            assert await asyncio.wait_for(anext(call.events()), 15) == AudioGone()
            with pytest.raises(EngineLost):
                await engine.open("two")
        finally:
            os.kill(one.pid, signal.SIGCONT)


async def test_two_who_talk_talk_on_when_their_gateway_is_killed(prompts: PromptLibrary) -> None:
    fitted = replace(outfit(), rtpengines=(shared().address,))
    async with Crew(prompts, 1, lambda _: fitted.command()) as crew, Phone() as citizen, Phone() as agent:
        call: AudioSession = await crew.open("one")
        await connect(call, citizen, agent)
        await call.join()
        await talk(citizen, agent, 61, 0.3)
        os.kill(crew.pids[0], signal.SIGKILL)
        assert await asyncio.wait_for(anext(call.events()), 15) == AudioGone()
        agent.arrived.clear()
        citizen.arrived.clear()
        await talk(citizen, agent, 63)


async def test_what_answers_like_no_rtpengine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWERS_S", 0.3)

    async def said(answer: bytes) -> AsyncIterator[Ng]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = await reader.read(65_536)
            writer.write(answer.replace(b"COOKIE", asked.partition(b" ")[0]))
            await reader.read()
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            ng = await Ng.connected(*server.sockets[0].getsockname())
            hearing = asyncio.create_task(ng.run())
            yield ng
            ng.close()
            await hearing

    for answer in (b"", b"nonsense", b"COOKIE x", b"other d6:result4:ponge", b"COOKIE li1ee", b"COOKIE " + b"l" * 99):
        async for ng in said(answer):
            with pytest.raises(EngineLost):
                await ng.ask("ping")
    async for ng in said(b"COOKIE d12:error-reason4:why?6:result5:errore"):
        with pytest.raises(AudioRefused, match="why"):
            await ng.ask("offer")
    for answer in (b"COOKIE d6:result10:load limite", b"COOKIE d12:error-reason16:Ran out of ports6:result5:errore"):
        async for ng in said(answer):
            with pytest.raises(EngineFull):
                await ng.ask("offer")
    async for ng in said(b"COOKIE d6:result4:ponge"):
        assert await ng.ask("ping") == {"result": b"pong"}
    with pytest.raises(EngineLost):
        await Ng.connected("127.0.0.1", 9)


VALUES = st.recursive(
    st.integers(-(10**12), 10**12) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc-", max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.data())
def test_bencoding(value: object, data: st.DataObject) -> None:
    octets = encoded(value)  # type: ignore[arg-type]  # of what it takes
    assert decoded(octets + b"rest") == (value, len(octets))
    with pytest.raises(Cut):
        decoded(octets[: data.draw(st.integers(0, len(octets) - 1))])


@given(st.binary(max_size=60))
def test_whatever_comes_is_a_value_or_none(octets: bytes) -> None:
    try:
        _, end = decoded(octets)
    except ValueError:
        return
    assert end <= len(octets)
