"""How much later sound is heard for passing through the engine: relayed between two, and mixed for three.

Far ends on real sockets speak 50 packets a second; every half second one of them holds a click, which no other packet
holds. What is timed is from the sending of the click's packet to the arrival of the first packet in which it can be
heard.

- limit: the same click straight from socket to socket.
- relayed: two who talk. The value is its median over the limit's, its ratio the limit's over it.
- mixed: the third party of a conference of three, through jitter buffer, sum and codec.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import struct
import time
from typing import Any

import uvloop

from media.engine import Engine
from media.g711 import SILENCE, Law
from media.prompts import PromptLibrary
from session.audio import Hearing, Slot

HEADER = struct.Struct("!BBHII")
EVERY = 25
CLICK = bytes([0xAA]) * 160
"""The loudest octet of A-law."""
QUIET = SILENCE[Law.PCMA] * 160


class End(asyncio.DatagramProtocol):
    """A far end: what it sends, and when a click came to it."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.clicked: list[float] = []
        self.transport: Any = None
        self._was_loud = False

    async def open(self) -> int:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        loud = data[12:].count(0xAA) > 20
        if loud and not self._was_loud:
            self.clicked.append(time.monotonic())
        self._was_loud = loud

    def sdp(self) -> bytes:
        port = self.transport.get_extra_info("sockname")[1]
        return f"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio {port} RTP/AVP 8\r\n".encode()

    async def speak(self, frames: int, *, clicks: bool) -> list[float]:
        sent, start = [], time.monotonic()
        for index in range(frames):
            await asyncio.sleep(max(0.0, start + index * 0.02 - time.monotonic()))
            click = clicks and index % EVERY == EVERY - 1
            packet = HEADER.pack(0x80, 8, index & 0xFFFF, index * 160, id(self) & 0xFFFFFFFF)
            if click:
                sent.append(time.monotonic())
            self.transport.sendto(packet + (CLICK if click else QUIET), self.target)
        await asyncio.sleep(0.3)
        return sent


def late_ms(sent: list[float], heard: list[float]) -> list[float]:
    """For each click the time to the first arrival after it."""
    found = []
    for at in sent:
        after = [one for one in heard if at <= one < at + 0.4]
        if after:
            found.append((after[0] - at) * 1000)
    return found


async def straight(frames: int) -> list[float]:
    one, two = End(), End()
    await one.open()
    one.target = ("127.0.0.1", await two.open())
    return late_ms(await one.speak(frames, clicks=True), two.clicked)


async def engine(frames: int, hearing: Hearing | None) -> list[float]:
    """Through the engine: two joined, or as `hearing` says, heard by the agent."""
    ends = {slot: End() for slot in (Slot.CITIZEN, Slot.AGENT, Slot.SUPERVISOR)}
    async with Engine(PromptLibrary({})) as audio:
        call = await audio.open("latency")
        for slot, end in ends.items():
            await end.open()
            answer = await call.answer(slot, end.sdp())
            end.target = ("127.0.0.1", int(answer.split(b"m=audio ")[1].split()[0]))
        await (call.join() if hearing is None else call.mix(hearing))
        sent, *_ = await asyncio.gather(*(end.speak(frames, clicks=slot is Slot.CITIZEN) for slot, end in ends.items()))
        return late_ms(sent, ends[Slot.AGENT].clicked)


def percentile(found: list[float], share: float) -> float:
    return sorted(found)[min(len(found) - 1, int(len(found) * share))]


async def measure(frames: int) -> dict[str, list[float]]:
    parties = (Slot.CITIZEN, Slot.AGENT, Slot.SUPERVISOR)
    everybody = {ear: {mouth: 0.0 for mouth in parties if mouth is not ear} for ear in parties}
    return {
        "limit": await straight(frames),
        "relayed": await engine(frames, None),
        "mixed": await engine(frames, everybody),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    frames = 500 if parser.parse_args().short else 3000
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(frames))
    print(f"{'':>8} {'p50 ms':>8} {'p99 ms':>8} {'clicks':>7}")
    for name, late in found.items():
        print(f"{name:>8} {statistics.median(late):>8.2f} {percentile(late, 0.99):>8.2f} {len(late):>7}")
    bare, relayed = statistics.median(found["limit"]), statistics.median(found["relayed"])
    line = {
        "name": "latency",
        "value": round(relayed, 3),
        "limit": round(bare, 3),
        "ratio": round(bare / relayed, 3),
        "unit": "ms",
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
