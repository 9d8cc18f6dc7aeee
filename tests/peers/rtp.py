"""The sound of a test's call: a real UDP socket with a paced microphone, and an ear that keeps what arrives."""

import asyncio
import re
import struct
import time
from typing import Any, Self

import numpy as np

from tests.peers.sound import FRAME, RATE, Sound, a_law, from_a_law

PCMA = 8
EVENT = 101
LONGEST_S = 300
"""An ear that hears timestamps further apart than this reports a fault rather than fill the memory."""


class RtpEnd(asyncio.DatagramProtocol):
    """One end of a call, in A-law. It sends to where the other side's description says, or to whom spoke first."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.target: tuple[str, int] | None = None
        self.first_at: float | None = None
        """When the first packet came, by the monotonic clock."""
        self.last_at = 0.0
        self.packets = 0
        self.digits: list[str] = []
        """Telephone-events (RFC 4733), each once, however often its end was repeated."""
        self._last_event = -1
        self._heard: list[tuple[int, int, bytes, float]] = []
        self._spoken_to = asyncio.Event()
        self._transport: Any = None
        self._sequence = 0
        self._timestamp = 0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.abort()  # what the other side does not take does not keep it open

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def description(self) -> str:
        """An offer or answer of A-law and telephone events."""
        return (
            f"v=0\r\no=test 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
            "a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        )

    def take(self, description: str) -> None:
        """Send to where this description of the other side says."""
        host = re.search(r"^c=IN IP4 (\S+)", description, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", description, re.MULTILINE)
        assert host is not None, description
        assert port is not None, description
        self.target = (host[1], int(port[1]))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        now = time.monotonic()
        self.first_at = self.first_at or now
        self.last_at = now
        self.packets += 1
        self.target = self.target or addr
        self._spoken_to.set()
        kind, _, timestamp, ssrc = struct.unpack_from("!xBHII", data)
        if kind & 0x7F == PCMA:
            self._heard.append((ssrc, timestamp, data[12:], now))
        elif kind & 0x7F == EVENT and len(data) >= 16 and data[13] & 0x80 and timestamp != self._last_event:
            self._last_event = timestamp
            self.digits.append("0123456789*#ABCD"[data[12] & 15])

    async def spoken_to(self, deadline_s: float = 15.0) -> None:
        """Come back when the first packet has come."""
        await asyncio.wait_for(self._spoken_to.wait(), deadline_s)

    async def say(self, sound: Sound) -> None:
        """Speak: a packet each 20 ms by the clock, until the sound is over."""
        octets = a_law(sound)
        start = time.monotonic()
        for index in range(len(octets) // FRAME):
            await asyncio.sleep(max(0.0, start + index * FRAME / RATE - time.monotonic()))
            self._send(octets[index * FRAME : (index + 1) * FRAME])

    def _send(self, payload: bytes) -> None:
        assert self.target is not None, "nobody to speak to yet"
        header = struct.pack("!BBHII", 0x80, PCMA, self._sequence, self._timestamp, 0x7E57)
        self._transport.sendto(header + payload, self.target)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(payload)) & 0xFFFFFFFF

    def heard(self) -> Sound:
        """What arrived, each packet at the place that its timestamp says, one source after the other."""
        pieces = [sound for sound, _ in self._sources()]
        return np.concatenate(pieces) if pieces else np.zeros(0)

    def arrival(self, sample: int) -> float:
        """When the packet that holds this sample of `heard()` would have arrived, had the loop been free for it.

        By the monotonic clock; a packet waits for whatever this process does just then, the least late one for nothing.
        """
        for sound, arrivals in self._sources():
            if sample < len(sound):
                began_at = min(at - place / RATE for place, at in arrivals)
                return began_at + next(place for place, _ in reversed(arrivals) if place <= sample) / RATE
            sample -= len(sound)
        raise IndexError(sample)

    def _sources(self) -> list[tuple[Sound, list[tuple[int, float]]]]:
        """Each source's sound, with the place and time of its packets in the order of their places."""
        return [self._laid_out(source) for source in dict.fromkeys(ssrc for ssrc, *_ in self._heard)]

    def _laid_out(self, source: int) -> tuple[Sound, list[tuple[int, float]]]:
        packets = [(timestamp, payload, at) for ssrc, timestamp, payload, at in self._heard if ssrc == source]
        origin = packets[0][0]
        places = [((timestamp - origin + 2**31) & 0xFFFFFFFF) - 2**31 for timestamp, *_ in packets]
        first = min(places)
        span = max(places) - first
        assert span < LONGEST_S * RATE, "the timestamps jump"
        sound = np.zeros(span + max(len(payload) for _, payload, _ in packets))
        for place, (_, payload, _) in zip(places, packets, strict=True):
            sound[place - first : place - first + len(payload)] = from_a_law(payload)
        return sound, sorted((place - first, at) for place, (*_, at) in zip(places, packets, strict=True))
