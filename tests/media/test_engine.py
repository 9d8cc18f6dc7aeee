"""Whole calls through real UDP sockets: the contract of the Audio port, of an engine in this loop and beyond a pipe."""

from __future__ import annotations

import asyncio
import inspect
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import uvloop

from media.engine import Engine, Limits
from media.errors import AudioRefused, CannotAnnounce, CannotRecord, EngineFull, NoPortFree, NotNegotiated
from media.g711 import Law, decode, encode
from media.ports import PortRange
from media.rtp import ahead
from session.audio import Announcement, AudioLost, DigitHeard, PlaybackEnded, Slot
from tests.media.conftest import tone
from tests.media.forms import FORMS, OpenEngine
from tests.media.phone import Phone, likeness, speech
from tests.peers.rtpengine import shared

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from media.prompts import PromptLibrary
    from session.audio import AudioSession
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT


@pytest.fixture(params=FORMS)
def open_engine(request: pytest.FixtureRequest) -> OpenEngine:
    return FORMS[request.param]


def in_each_form(story: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """A story of one `call`, told of each form at once: most of its time is what its speakers take to speak."""

    async def told(prompts: PromptLibrary, **asked: Any) -> None:
        async def tell(name: str) -> None:
            try:
                async with FORMS[name](prompts) as engine:
                    await story(await engine.open("call-1"), **asked)
            except BaseException as error:
                error.add_note(name)
                raise

        shared()  # it starts before anybody speaks
        async with asyncio.TaskGroup() as forms:
            for name in FORMS:
                forms.create_task(tell(name))

    told.__name__, told.__doc__ = story.__name__, story.__doc__
    given = [one for one in inspect.signature(story).parameters.values() if one.name != "call"]
    prompts = inspect.Parameter("prompts", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    told.__signature__ = inspect.Signature([prompts, *given])  # type: ignore[attr-defined]  # what pytest asks for
    return told


async def connect(call: AudioSession, citizen: Phone, agent: Phone) -> None:
    """The citizen's offer is answered, ours is answered by the agent, as in a real call."""
    citizen.take(await call.answer(CITIZEN, citizen.sdp()))
    agent.take(await call.offer(AGENT))
    await call.accept(AGENT, agent.sdp())


async def comes_through(said: Any, mouth: Phone, ear: Phone, eventually: Eventually) -> None:
    """Said again where the machine stood still for longer than what was said can wait."""
    for _ in range(3):
        await mouth.say(said)
        with suppress(pytest.fail.Exception):
            await eventually(lambda: likeness(said, ear.heard())[0] > 0.9, deadline_s=3)
            return
    pytest.fail("what was said does not come through")


def sound_of(name: str, seconds: float = 0.25) -> Any:
    return np.frombuffer(tone(name, seconds), dtype="<i2").astype(float)


@pytest.mark.parametrize("laws", [(Law.PCMA, Law.PCMA), (Law.PCMU, Law.PCMA)])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_two_people_hear_each_other(
    prompts: PromptLibrary, laws: tuple[Law, Law], loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def story() -> None:
        async with Engine(prompts) as engine:
            await two_people_talk(await engine.open("talk"), laws)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(story())


async def two_people_talk(call: AudioSession, laws: tuple[Law, Law]) -> None:
    async with Phone(laws[0]) as citizen, Phone(laws[1]) as agent:
        await connect(call, citizen, agent)
        await call.join()
        asked, told = speech(1.5, 1), speech(1.5, 2)
        await asyncio.gather(citizen.say(asked), agent.say(told))
        async with asyncio.timeout(15):
            while min(likeness(asked, agent.heard())[0], likeness(told, citizen.heard())[0]) < 0.97:
                await asyncio.sleep(0.02)
        assert likeness(asked, citizen.heard())[0] < 0.2
        stats = await call.stats(CITIZEN)
        assert stats.packets_received == 75
        assert stats.packets_lost == 0
        assert (await call.stats(AGENT)).packets_sent >= 75


@in_each_form
async def test_prompt_then_talk_then_hold_is_one_stream(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone(Law.PCMU) as agent:
        await connect(call, citizen, agent)
        await call.play(CITIZEN, [Announcement("welcome"), Announcement("position", (12,))])
        await eventually(lambda: len(citizen.arrived) > 60)
        await call.join()
        talk = speech(1.0, 3)
        await asyncio.gather(comes_through(talk, agent, citizen, eventually), citizen.say(speech(1.0, 4)))
        await call.hold(AGENT, held=True)
        unheard = speech(0.8, 5)
        await agent.say(unheard)
        music = sound_of("music", 1.013)[: 8000 * 7 // 10]
        await eventually(lambda: likeness(music, citizen.heard_in_order())[0] > 0.9, deadline_s=15)
        await call.hold(AGENT, held=False)
        after = speech(0.6, 6)
        await comes_through(after, agent, citizen, eventually)
        heard = citizen.heard_in_order()  # when it came is looked at below
        spoken = np.concatenate([sound_of(name) for name in ("position_head", "n10", "n2", "position_tail")])
        for sound in (sound_of("welcome"), spoken, talk, after):
            assert likeness(sound, heard)[0] > 0.9
        assert likeness(unheard, heard)[0] < 0.3
        voice = citizen.arrived
        assert len({each.ssrc for each in voice}) == 1
        steps = np.diff(np.array([each.sequence for each in voice], dtype=np.uint16))
        assert set(steps.tolist()) == {1}
        clock = np.diff(np.array([each.timestamp for each in voice], dtype=np.uint32))
        assert clock.min() > 0
        assert clock.max() < 8000
        # The receiver's clock and ours agree at the end within 120 ms: nothing drifted, nothing was left out. Of the
        # packets of half a second the one that was least late tells: a busy machine makes others late, none early.
        late = np.array([each.at_s for each in voice]) - np.concatenate([[0.0], np.cumsum(clock) / 8000])
        assert abs(late[-25:].min() - late[:25].min()) < 0.12


@in_each_form
async def test_a_muted_slot_hears_and_is_not_heard(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone(Law.PCMU) as agent:
        await connect(call, citizen, agent)
        await call.join()
        await call.mute(AGENT, muted=True)
        unheard, said = speech(0.6, 7), speech(0.6, 8)
        await asyncio.gather(agent.say(unheard), citizen.say(said))
        await call.mute(AGENT, muted=False)
        after = speech(0.6, 9)
        await agent.say(after)
        await eventually(lambda: likeness(said, agent.heard())[0] > 0.97, deadline_s=15)
        await eventually(lambda: likeness(after, citizen.heard())[0] > 0.9, deadline_s=15)
        assert likeness(unheard, citizen.heard())[0] < 0.2
        steps = np.diff(np.array([each.sequence for each in citizen.arrived], dtype=np.uint16))
        assert set(steps.tolist()) == {1}, "the citizen's stream is one, with silence in the middle"


@in_each_form
async def test_a_slot_that_waits_is_not_dead(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen:
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        await eventually(lambda: len(citizen.arrived) >= 5)
        assert all(abs(np.frombuffer(decode(each.payload, Law.PCMA), "<i2")).max() <= 8 for each in citizen.arrived)


@in_each_form
async def test_playing_ends_once_and_a_stopped_one_never(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen:
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        await call.play(CITIZEN, [Announcement("welcome")])
        await call.play(CITIZEN, [Announcement("silence", (100,)), Announcement("goodbye")])
        events = call.events()
        assert await anext(events) == PlaybackEnded(CITIZEN, "goodbye")
        await call.play(CITIZEN, [Announcement("music")], loop=True)
        music = sound_of("music", 1.013)
        again = np.concatenate([music, music[:1200]])
        await eventually(lambda: likeness(again, citizen.heard())[0] > 0.9, deadline_s=15)
        await call.stop(CITIZEN)
        await call.close()
        assert [event async for event in events] == []


async def test_pacing_is_even_and_does_not_drift(prompts: PromptLibrary) -> None:
    async with Engine(prompts) as engine, Phone() as citizen:
        call = await engine.open("paced")
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        await call.play(CITIZEN, [Announcement("music")], loop=True)
        await asyncio.sleep(2.0)
        times = np.array([each.at_s for each in citizen.arrived])
        stamps = np.array([each.timestamp - citizen.arrived[0].timestamp for each in citizen.arrived])
        late = times - times[0] - (stamps & 0xFFFFFFFF) / 8000
        assert 80 <= len(times) <= 101
        # Of twenty the one that was least late tells: a busy machine makes others late, none early.
        assert abs(late[-20:].min() - late[:20].min()) < 0.015


@in_each_form
async def test_digits_in_are_reported_once(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 7))
        for digit, code in (("5", 5), ("#", 11)):
            for duration in (160, 320, 480):
                citizen.send(bytes([code, 10]) + duration.to_bytes(2), 96, marker=duration == 160)
            for _ in range(3):
                citizen.send(bytes([code, 0x8A]) + (800).to_bytes(2), 96)
            assert await anext(call.events()) == DigitHeard(CITIZEN, digit, 100)
            citizen.timestamp += 1600
        citizen.send(bytes([16, 0x8A, 3, 32]), 96)  # flash is no digit
        citizen.timestamp = (citizen.timestamp + 800) & 0xFFFFFFFF
        citizen.send(bytes([3, 10, 0, 160]), 96)  # all its other packets are lost
        assert await anext(call.events()) == DigitHeard(CITIZEN, "3", 20)
        await eventually(lambda: sum(each.payload_type == 96 for each in agent.arrived) == 14)


@in_each_form
async def test_digits_out(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen:
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        await call.send_digits(CITIZEN, "1#")
        await eventually(lambda: sum(each.payload_type == 96 for each in citizen.arrived) == 16)
        events = [each for each in citizen.arrived if each.payload_type == 96]
        first = events[0].sequence
        events.sort(key=lambda each: ahead(each.sequence, first, 16))  # rtpengine's threads overtake each other
        for code, packets in ((1, events[:8]), (11, events[8:])):
            assert len({each.timestamp for each in packets}) == 1
            assert [each.marker for each in packets] == [True] + [False] * 7
            assert [each.payload[0] for each in packets] == [code] * 8
            assert [int.from_bytes(each.payload[2:]) for each in packets] == [160, 320, 480, 640] + [800] * 4
            assert [each.payload[1] >> 7 for each in packets] == [0] * 5 + [1] * 3
        assert events[8].timestamp - events[0].timestamp >= 12 * 160
        with pytest.raises(NotNegotiated):
            await call.send_digits(CITIZEN, "x")
        with pytest.raises(NotNegotiated):
            await call.send_digits(CITIZEN, "1" * 65)
        with pytest.raises(NotNegotiated):
            await call.send_digits(AGENT, "1")


@pytest.mark.parametrize("way", [("a=sendonly",), ("a=inactive",)])
@in_each_form
async def test_the_far_ends_own_hold(call: AudioSession, way: tuple[str, ...], eventually: Eventually) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        answer = await call.answer(AGENT, agent.sdp(*way))
        assert (b"a=recvonly" if way == ("a=sendonly",) else b"a=inactive") in answer
        await asyncio.sleep(0.05)
        before = len(agent.arrived)
        await citizen.say(speech(0.7, 8))
        assert len(agent.arrived) == before
        music = sound_of("music", 1.013)[:4000]
        await eventually(lambda: likeness(music, citizen.heard())[0] > 0.9, deadline_s=15)
        await call.answer(AGENT, agent.sdp())
        await citizen.say(speech(0.1, 9))
        await eventually(lambda: len(agent.arrived) > before)


async def test_nobody_is_sent_silence_who_hears_none(prompts: PromptLibrary) -> None:
    async with Engine(prompts) as engine, Phone() as citizen:
        call = await engine.open("call-1")
        for way, is_paced in (("a=inactive", False), ("a=sendrecv", True), ("a=sendonly", False)):
            await call.answer(CITIZEN, citizen.sdp(way))
            assert bool(engine.ticker._place) is is_paced


def test_what_no_port_would_mend_is_not_tried_with_each() -> None:
    ports = PortRange((30_000, 60_000))
    with pytest.raises(NoPortFree):
        ports.bind("192.0.2.1")  # is not of this machine
    assert ports._turn == 1


@in_each_form
async def test_hold_by_the_null_address(call: AudioSession) -> None:
    async with Phone() as citizen:
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        await call.answer(CITIZEN, citizen.sdp(address="0.0.0.0"))
        await asyncio.sleep(0.05)
        before = len(citizen.arrived)
        await asyncio.sleep(0.1)
        assert len(citizen.arrived) == before


@in_each_form
async def test_re_offer_keeps_port_and_counts_versions(call: AudioSession) -> None:
    async with Phone() as citizen:
        first = await call.answer(CITIZEN, citizen.sdp())
        second = await call.answer(CITIZEN, citizen.sdp("a=sendonly"))
        third = await call.offer(CITIZEN)
        origins = [re.search(rb"o=- (\d+) (\d+) ", each) for each in (first, second, third)]
        assert [int(each[2]) for each in origins if each] == [1, 2, 3]
        assert len({each[1] for each in origins if each}) == 1
        assert len({re.search(rb"m=audio (\d+)", each)[1] for each in (first, second, third)}) == 1  # type: ignore[index]  # they match


@in_each_form
async def test_a_new_agent_comes_to_a_new_port_unjoined(call: AudioSession, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone() as agent, Phone() as another:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 10))
        await call.drop(AGENT)
        old = agent.target
        another.take(await call.offer(AGENT))
        await call.accept(AGENT, another.sdp())
        assert another.target != old
        secret = speech(0.3, 11)
        await citizen.say(secret)
        octets = encode(secret.astype("<i2").tobytes(), citizen.law)
        frames = {octets[at : at + 160] for at in range(0, len(octets), 160)}
        assert not any(each.payload in frames for each in agent.arrived)
        assert likeness(secret, another.heard())[0] < 0.3
        await call.join()
        await asyncio.gather(citizen.say(speech(0.3, 12)), another.say(speech(0.3, 13)))
        await eventually(lambda: likeness(speech(0.3, 12), another.heard())[0] > 0.9, deadline_s=15)
        await eventually(lambda: likeness(speech(0.3, 13), citizen.heard())[0] > 0.9, deadline_s=15)


@in_each_form
async def test_refusals_are_typed_and_leave_the_call_alone(call: AudioSession) -> None:
    async with Phone() as citizen:
        with pytest.raises(AudioRefused) as refused:
            await call.answer(CITIZEN, citizen.sdp("a=rtpmap:18 G729/8000", formats="18 96"))
        assert refused.value.offered == ("G729", "TELEPHONE-EVENT")
        assert not refused.value.retryable
        with pytest.raises(AudioRefused):
            await call.answer(CITIZEN, b"\xff\x00 not SDP")
        with pytest.raises(AudioRefused, match="IPv6"):
            await call.answer(CITIZEN, citizen.sdp(address="::1"))
        with pytest.raises(NotNegotiated):
            await call.accept(AGENT, citizen.sdp())
        with pytest.raises(CannotAnnounce):
            await call.play(CITIZEN, [Announcement("nonsense")])
        with pytest.raises(CannotRecord):
            await call.record(Path("never.wav"))
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        with pytest.raises(AudioRefused):
            await call.answer(CITIZEN, citizen.sdp(formats="18"))
        await call.play(CITIZEN, [Announcement("beep")])
        assert await anext(call.events()) == PlaybackEnded(CITIZEN, "beep")


async def test_bounds(open_engine: OpenEngine, prompts: PromptLibrary) -> None:
    async with open_engine(prompts, limits=Limits(sessions=1)) as engine:
        call = await engine.open("one")
        await call.offer(CITIZEN)
        with pytest.raises(EngineFull):
            await (await engine.open("two")).offer(CITIZEN)
        await call.close()
        await call.close()
        await (await engine.open("two")).offer(CITIZEN)


async def test_silence_of_one_side_is_noticed_once(open_engine: OpenEngine, prompts: PromptLibrary) -> None:
    async with open_engine(prompts, limits=Limits(lost_after_s=0.4)) as engine, Phone() as citizen, Phone() as agent:
        call = await engine.open("one-way")
        await connect(call, citizen, agent)
        await call.join()
        talking = asyncio.create_task(agent.say(speech(2.0, 14)))
        event = await anext(call.events())
        assert isinstance(event, AudioLost)
        assert event.slot is CITIZEN
        assert 0.4 <= event.silent_s < 1.6
        await talking
        await call.close()
        assert not [event async for event in call.events() if isinstance(event, AudioLost) and event.slot is CITIZEN]


async def test_ipv6(open_engine: OpenEngine, prompts: PromptLibrary, eventually: Eventually) -> None:
    async with (
        open_engine(prompts, addresses=("127.0.0.1", "::1")) as engine,
        Phone(host="::1") as citizen,
        Phone() as agent,
    ):
        call = await engine.open("v6")
        await connect(call, citizen, agent)
        await call.join()
        asked, told = speech(0.5, 15), speech(0.5, 16)
        await asyncio.gather(citizen.say(asked), agent.say(told))
        await eventually(lambda: likeness(asked, agent.heard())[0] > 0.9, deadline_s=15)
        await eventually(lambda: likeness(told, citizen.heard())[0] > 0.9, deadline_s=15)
