"""What a bad or hostile network sends must neither end a call nor be heard in it."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from media.engine import Engine
from media.g711 import Law
from session.audio import Slot
from tests.media.phone import Phone, likeness, speech
from tests.media.test_engine import comes_through, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from media.call import Call
    from media.prompts import PromptLibrary
    from tests.conftest import Eventually


@pytest.fixture
async def call(prompts: PromptLibrary) -> AsyncIterator[Call]:
    async with Engine(prompts) as engine:
        yield await engine.open("hostile")


def rtp(sequence: int, timestamp: int, payload: bytes, *, kind: int = 8, ssrc: int = 0x1234ABCD) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


async def assert_talks(call: Call, citizen: Phone, agent: Phone) -> None:
    """Both hear each other, after whatever came before."""
    agent.arrived.clear()
    citizen.arrived.clear()
    asked, told = speech(0.6, 21), speech(0.6, 22)
    await asyncio.gather(citizen.say(asked), agent.say(told))
    await asyncio.sleep(0.02)
    assert likeness(asked, agent.heard())[0] > 0.9
    assert likeness(told, citizen.heard())[0] > 0.9


async def test_rubbish_from_the_far_end_itself(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 20))
        rng = random.Random(7)
        for rubbish in (
            b"",
            b"\x80",
            b"\x80\x08" + bytes(9),
            rtp(1, 1, b""),
            rtp(1, 1, bytes(1400)),
            rtp(1, 1, bytes(160), kind=77),
            rtp(1, 1, bytes(160), kind=13),
            rtp(1, 1, b"\x05", kind=96),
            b"\x8f\x08" + bytes(20),
            b"\x90\x08" + bytes(10) + b"\xff\xff\xff\xff",
            b"\xa0\x08" + bytes(170) + b"\xff",
            b"\xa0\x08" + bytes(171),
            b"\x00\x08" + bytes(170),
            bytes(65_000),
            *(rng.randbytes(rng.randrange(1, 300)) for _ in range(300)),
            *(b"\x80\x08" + rng.randbytes(170) for _ in range(100)),
        ):
            citizen.raw(rubbish)
        await asyncio.sleep(0.25)
        await assert_talks(call, citizen, agent)


async def test_a_timestamp_jump_is_not_passed_on_and_costs_no_memory(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.2, 23))
        tracemalloc.start()
        for jump in (600_000_000, 2**31, 2**32 - 9_000_000):
            citizen.timestamp = (citizen.timestamp + jump) & 0xFFFFFFFF
            after = speech(0.4, 24)
            agent.arrived.clear()
            await citizen.say(after)
            await asyncio.sleep(0.02)
            assert likeness(after, agent.heard())[0] > 0.9
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2_000_000


async def test_a_new_ssrc_a_lost_marker_and_a_restarted_sequence(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.2, 25))
        citizen.ssrc, citizen.sequence, citizen.timestamp = 77, 5, 0
        after = speech(0.8, 26)
        await citizen.say(after)
        await asyncio.sleep(0.02)
        # The first 200 ms of a new source are the price of not listening to an intruder.
        assert likeness(after[2000:], agent.heard())[0] > 0.9
        sequences = [each.sequence for each in agent.arrived]
        assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(sequences))
        assert len({each.ssrc for each in agent.arrived}) == 1


async def test_an_intruder_is_not_heard(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent, Phone() as intruder:
        await connect(call, citizen, agent)
        await call.join()
        intruder.target = citizen.target
        await asyncio.sleep(0.05)
        evil = speech(0.4, 27)
        await intruder.say(evil)  # first in time, so it is taken for a phone behind NAT …
        agent.arrived.clear()
        asked = speech(0.8, 28)
        await asyncio.gather(citizen.say(asked), intruder.say(evil))  # … until the signalled address speaks
        await asyncio.sleep(0.02)
        assert likeness(asked, agent.heard())[0] > 0.9
        assert likeness(evil, agent.heard())[0] < 0.3
        intruder.arrived.clear()
        await agent.say(speech(0.2, 29))
        assert intruder.arrived == []


async def test_who_is_tied_to_their_address_hears_no_intruder_and_may_move(call: Call, eventually: Eventually) -> None:
    """Once their packets come from the signalled address the kernel refuses all others, but only for so long."""
    async with Phone() as citizen, Phone() as agent, Phone() as intruder, Phone() as elsewhere:
        await connect(call, citizen, agent)
        await call.join()
        intruder.target = elsewhere.target = citizen.target
        # All wait there when the address is tied, after the first was read. It is as if of the same source.
        intruder.sequence = citizen.sequence + 1
        citizen.send(b"\xd5" * 160)
        intruder.send(bytes(160))
        citizen.send(b"\x55" * 160)
        for _ in range(5):
            await asyncio.sleep(0)
            call.look(time.monotonic())
        await eventually(lambda: b"\x55" * 160 in {each.payload for each in agent.arrived})
        assert bytes(160) not in {each.payload for each in agent.arrived}
        # … and after that.
        intruder.send(bytes(160))
        await assert_talks(call, citizen, agent)
        assert bytes(160) not in {each.payload for each in agent.arrived}

        # Another address is signalled, and that telephone stands behind NAT: its packets come from a third.
        await call.answer(Slot.CITIZEN, citizen.sdp(address="192.0.2.9"))
        elsewhere.ssrc = 99
        await comes_through(speech(0.5, 61), elsewhere, agent, eventually)


async def test_a_far_end_whose_port_was_closed_for_a_while_is_there_again(call: Call, eventually: Eventually) -> None:
    """A tied socket is told by ICMP that nobody is there: that is no reason to say nothing more."""
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await comes_through(speech(0.3, 62), citizen, agent, eventually)
        call.look(time.monotonic())
        port = citizen.port
        citizen.transport.close()
        await agent.say(speech(0.2, 63))
        loop = asyncio.get_running_loop()
        citizen.transport, _ = await loop.create_datagram_endpoint(lambda: citizen, local_addr=(citizen.host, port))
        await comes_through(speech(0.3, 64), agent, citizen, eventually)
        await assert_talks(call, citizen, agent)


async def test_a_phone_behind_nat_is_found_and_then_kept(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent, Phone() as intruder:
        citizen.take(await call.answer(Slot.CITIZEN, citizen.sdp(address="192.0.2.1", port=40000)))
        agent.take(await call.answer(Slot.AGENT, agent.sdp()))
        await call.join()
        await citizen.say(speech(0.1, 30))
        intruder.target = citizen.target
        evil = speech(0.3, 31)
        await asyncio.gather(intruder.say(evil), assert_talks(call, citizen, agent))
        assert likeness(evil, agent.heard())[0] < 0.3
        assert intruder.arrived == []


async def test_packets_out_of_order_doubled_and_lost(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 32))
        await asyncio.sleep(0.02)
        packets = [
            rtp(citizen.sequence + index, citizen.timestamp + 160 * index, bytes([index]) * 160) for index in range(60)
        ]
        agent.arrived.clear()
        for index in (0, 1, 3, 2, 4, 4, 5, *range(15, 60)):
            citizen.raw(packets[index])
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        base = agent.arrived[0].sequence
        assert [(each.sequence - base) & 0xFFFF for each in agent.arrived] == [
            each.payload[0] for each in agent.arrived
        ]
        assert {each.payload[0] for each in agent.arrived} == {0, 1, 2, 3, 4, 5, *range(15, 60)}
        assert (await call.stats(Slot.CITIZEN)).packets_lost == 8  # nine less the one that came twice


@pytest.mark.parametrize("frame", [80, 240, 320, 480])
async def test_other_packet_times(call: Call, frame: int) -> None:
    async with Phone() as citizen, Phone(Law.PCMU) as agent:
        await connect(call, citizen, agent)
        await call.join()
        asked = speech(0.6, 33)
        await citizen.say(asked, frame=frame)
        await asyncio.sleep(0.02)
        assert likeness(asked, agent.heard())[0] > 0.9


async def test_a_flood_from_strangers_leaves_the_call_alone(call: Call) -> None:
    async with Phone() as citizen, Phone() as agent, Phone() as stranger:
        await connect(call, citizen, agent)
        await call.join()
        await citizen.say(speech(0.1, 34))
        stranger.target = citizen.target

        async def flood() -> None:
            for _ in range(60):
                for _ in range(30):
                    stranger.raw(rtp(random.getrandbits(16), random.getrandbits(32), os.urandom(160)))
                await asyncio.sleep(0.01)

        await asyncio.gather(flood(), assert_talks(call, citizen, agent))


async def test_digits_from_a_flood_are_bounded(call: Call) -> None:
    async with Phone() as citizen:
        citizen.take(await call.answer(Slot.CITIZEN, citizen.sdp()))
        for index in range(2000):
            citizen.raw(rtp(index, index * 1000, bytes([index % 10, 0x8A, 3, 32]), kind=96))
            if index % 50 == 0:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)
        assert call._events.qsize() == 256


async def test_reports_go_out_and_are_read(call: Call) -> None:
    async with Phone() as citizen:
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        class Odd(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
                heard.put_nowait(data)

        odd, _ = await loop.create_datagram_endpoint(Odd, local_addr=("127.0.0.1", 0))
        try:
            port = odd.get_extra_info("sockname")[1]
            citizen.take(await call.answer(Slot.CITIZEN, citizen.sdp(f"a=rtcp:{port}")))
            await citizen.say(speech(0.2, 35))
            report = await asyncio.wait_for(heard.get(), 3)
            assert report[1] == 200
            (ours,) = struct.unpack_from("!I", report, 4)
            assert ours == citizen.arrived[0].ssrc
            assert struct.unpack_from("!I", report, 28)[0] == citizen.ssrc
            assert citizen.target is not None
            reply = struct.pack("!BBHI", 0x81, 201, 7, citizen.ssrc)
            reply += struct.pack("!IIIIII", ours, 64 << 24 | 12, 9, 80, 0, 0)
            for hostile in (b"", b"\x81\xc9", reply[:-1], b"\x9f\xc8" + bytes(30), os.urandom(200), reply):
                odd.sendto(hostile, (citizen.target[0], citizen.target[1] + 1))
            deadline = loop.time() + 2
            while call.far_quality(Slot.CITIZEN) is None and loop.time() < deadline:
                await asyncio.sleep(0.01)
            quality = call.far_quality(Slot.CITIZEN)
            assert quality is not None
            assert (quality.fraction_lost, quality.packets_lost, quality.jitter_ms) == (0.25, 12, 10.0)
        finally:
            odd.close()
