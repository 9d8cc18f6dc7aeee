"""Packets that go straight through: what is sent and counted is what it would be one by one."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from media.end import End
from media.engine import Engine
from media.inbox import Inbox
from media.rtp import HEADER_BYTES, Incoming, Outgoing, Packet, build
from media.run import Run, Sink, Source
from session.audio import Slot
from tests.media.phone import Phone, speech

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from media.call import Call
    from media.prompts import PromptLibrary
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT
KIND, KIND_THERE = 8, 0


def connected() -> tuple[socket.socket, socket.socket]:
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for each in (one, other):
        each.bind(("127.0.0.1", 0))
        each.setblocking(False)
    one.connect(other.getsockname())
    other.connect(one.getsockname())
    return one, other


def streams(sequence: int, timestamp: int, sequence_there: int, timestamp_there: int) -> tuple[Incoming, Outgoing]:
    """As they are behind the first packet."""
    incoming, outgoing = Incoming(), Outgoing(77, sequence_there, timestamp_there)
    take(incoming, outgoing, Packet(False, KIND, sequence, timestamp, 5, bytes(160)), 1.0)
    return incoming, outgoing


def take(incoming: Incoming, outgoing: Outgoing, packet: Packet, now_s: float) -> bytes:
    """One by one."""
    incoming.take(packet, now_s)
    return outgoing.relayed(KIND_THERE, 1, packet.sequence, packet.timestamp, packet.payload, now_s)


class Kept:
    """A reel."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.least = math.inf
        self.trimmed = 0

    def trim(self) -> None:
        self.trimmed += 1


def figures(stream: Incoming | Outgoing) -> dict[str, object]:
    return {name: getattr(stream, name) for name in stream.__slots__ if name not in {"generation", "_generation"}}


@pytest.mark.parametrize(
    "begins",
    [
        (100, 1000, 200, 2000),
        (0xFFFF - 20, 1000, 200, 2000),
        (100, 2**32 - 20 * 160 - 7, 200, 2000),
        (100, 1000, 0xFFFF - 20, 2000),
        (100, 1000, 200, 2**32 - 20 * 160 - 7),
        (0xFFFF - 8, 2**32 - 9 * 160, 0xFFFF - 9, 2**32 - 8 * 160),
    ],
)
def test_a_run_counts_and_sends_as_one_by_one_does(begins: tuple[int, int, int, int]) -> None:
    incoming, outgoing = streams(*begins)
    incoming_too, outgoing_too = streams(*begins)
    incoming.generation = incoming_too.generation = 1
    far, source = connected()
    sink, ear = connected()
    inbox = Inbox()
    strays: list[bytes] = []
    kept, transits = Kept(), [math.inf]
    over: list[bool] = []
    run: Run | None = None
    told = Source(incoming, source, KIND, kept, lambda data, _: strays.append(data), lambda: over.append(True))
    with far, source, sink, ear:
        for number in range(1, 60):
            sequence, timestamp = (begins[0] + number) & 0xFFFF, (begins[1] + 160 * number) & 0xFFFFFFFF
            packet = Packet(False, KIND, sequence, timestamp, 5, bytes([number]) * 160)
            now_s = 1.0 + number * 0.02 + (number % 7) / 1000
            expected = take(incoming_too, outgoing_too, packet, now_s)
            if run is None:
                assert take(incoming, outgoing, packet, now_s) == expected
                run = Run.begun(told, Sink(outgoing, sink, KIND_THERE), inbox, HEADER_BYTES + 160)
                continue
            far.send(build(packet))
            run.arrived(now_s)
            assert ear.recv(2048) == expected
            transits.append(now_s * 8000 - timestamp)
            assert kept.octets[-160:] == packet.payload
            assert kept.least == pytest.approx(min(transits))
            if number % 20 == 0:
                run.settle()
                assert figures(outgoing) == figures(outgoing_too)
                assert figures(incoming) == pytest.approx(figures(incoming_too))
            if over:
                over.clear()
                run.settle()
                run = None
                assert figures(outgoing) == figures(outgoing_too)
                assert figures(incoming) == pytest.approx(figures(incoming_too))
        if run is not None:
            run.settle()
    assert strays == []
    assert len(kept.octets) > 30 * 160, "nearly all go straight"
    assert kept.trimmed > 1
    assert figures(outgoing) == figures(outgoing_too)
    assert figures(incoming) == pytest.approx(figures(incoming_too))
    inbox.close()


@pytest.mark.parametrize(
    "other",
    [
        Packet(True, KIND, 101, 1160, 5, bytes(160)),
        Packet(False, KIND_THERE, 101, 1160, 5, bytes(160)),
        Packet(False, KIND, 102, 1160, 5, bytes(160)),
        Packet(False, KIND, 101, 1161, 5, bytes(160)),
        Packet(False, KIND, 101, 1160, 6, bytes(160)),
        Packet(False, KIND, 101, 1160, 5, bytes(159)),
        Packet(False, KIND, 101, 1160, 5, bytes(161)),
        Packet(False, KIND, 101, 1160, 5, bytes(1400)),
        Packet(False, KIND, 101, 1160, 5, b""),
    ],
)
def test_what_is_not_the_next_packet_is_looked_at(other: Packet) -> None:
    incoming, outgoing = streams(100, 1000, 200, 2000)
    incoming.generation = 1
    far, source = connected()
    sink, ear = connected()
    inbox = Inbox()
    strays: list[bytes] = []
    with far, source, sink, ear:
        told = Source(incoming, source, KIND, None, lambda data, _: strays.append(data), lambda: None)
        run = Run.begun(told, Sink(outgoing, sink, KIND_THERE), inbox, HEADER_BYTES + 160)
        assert run is not None
        run.arrived(2.0)  # nothing
        for data in (build(other), b"", b"\x80\x08"):
            far.send(data)
            run.arrived(2.0)
        assert strays == [build(other), b"", b"\x80\x08"]
        with pytest.raises(BlockingIOError):
            ear.recv(2048)
        before = figures(incoming), figures(outgoing)
        run.settle()
        assert (figures(incoming), figures(outgoing)) == before
    inbox.close()


@pytest.fixture
async def call(prompts: PromptLibrary) -> AsyncIterator[Call]:
    async with Engine(prompts) as engine:
        yield await engine.open("run")


def end_of(call: Call, slot: Slot) -> End:
    end = call._places[slot].end
    assert end is not None
    return end


async def running(call: Call, citizen: Phone, agent: Phone, eventually: Eventually) -> None:
    """Both ends are tied, and what the citizen says goes straight."""
    citizen.take(await call.answer(CITIZEN, citizen.sdp()))
    agent.take(await call.answer(AGENT, agent.sdp()))
    await call.join()
    for phone in (citizen, agent):
        await phone.say(speech(0.04, 1))
    await eventually(lambda: len(agent.arrived) >= 2 and len(citizen.arrived) >= 2, deadline_s=15)
    call.look(time.monotonic())
    await goes_straight(call, citizen, eventually)


async def goes_straight(call: Call, citizen: Phone, eventually: Eventually) -> None:
    """Not at once, where a number begins anew at nought soon."""

    async def says() -> bool:
        await citizen.say(speech(0.1, 2))
        return end_of(call, CITIZEN)._run is not None

    await eventually(says, deadline_s=15)


async def test_whatever_happens_beside_a_run_is_one_stream_with_it(call: Call, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone() as agent:
        await running(call, citizen, agent, eventually)
        said = call._places[CITIZEN].end
        assert said is not None
        await eventually(lambda: said.incoming.received == 7, deadline_s=15)
        await goes_straight(call, citizen, eventually)

        await call.send_digits(AGENT, "5")
        await eventually(lambda: sum(each.payload_type == 96 for each in agent.arrived) >= 8, deadline_s=15)
        assert said._run is None
        await asyncio.sleep(0.1)
        await goes_straight(call, citizen, eventually)

        await call.mute(CITIZEN, muted=True)
        assert said._run is None
        await eventually(lambda: len(agent.arrived) > 60, deadline_s=15)
        await call.mute(CITIZEN, muted=False)
        await goes_straight(call, citizen, eventually)

        late = Packet(False, 8, citizen.sequence - 3, citizen.timestamp - 480, citizen.ssrc, bytes(160))
        citizen.raw(build(late))
        await eventually(lambda: said._run is None, deadline_s=15)
        await goes_straight(call, citizen, eventually)

        counted, sequence = said.incoming.received, citizen.sequence
        await goes_straight(call, citizen, eventually)

        def is_counted() -> bool:
            call.look(time.monotonic())
            return said._incoming.received >= counted + ((citizen.sequence - sequence) & 0xFFFF)

        await eventually(is_counted, deadline_s=15)
        assert end_of(call, CITIZEN)._run is not None, "it goes on"
        await call.drop(AGENT)
        assert said._run is None
        assert said.hears is None
        await citizen.say(speech(0.1, 3))
        assert (await call.stats(CITIZEN)).packets_lost == 0

        assert len({each.ssrc for each in agent.arrived}) == 1
        order = [each.sequence for each in agent.arrived if each.payload != bytes(160)]
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(order))


async def test_a_run_ends_with_the_end_that_hears_it(call: Call, eventually: Eventually) -> None:
    async with Phone() as citizen, Phone() as agent, Phone() as elsewhere:
        await running(call, citizen, agent, eventually)
        said = end_of(call, CITIZEN)
        await call.answer(AGENT, elsewhere.sdp())  # the agent's telephone is at another address now
        assert said._run is None
        await citizen.say(speech(0.2, 4))
        await eventually(lambda: len(elsewhere.arrived) >= 10, deadline_s=15)
