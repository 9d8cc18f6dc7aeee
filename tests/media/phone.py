"""A telephone for tests: real UDP sockets, a paced microphone, and an ear that lays packets out by timestamp."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from typing import Any, NamedTuple, Self

import numpy as np

from media.g711 import Law, decode, encode


class Arrived(NamedTuple):
    at_s: float
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Phone(asyncio.DatagramProtocol):
    """One far end. `law` is what it sends; it hears both laws."""

    def __init__(self, law: Law = Law.PCMA, host: str = "127.0.0.1") -> None:
        self.law = law
        self.host = host
        self.arrived: list[Arrived] = []
        self.target: tuple[str, int] | None = None
        self.ssrc = 0x1234ABCD
        self.sequence = 65500
        self.timestamp = 0xFFFF0000
        self.transport: Any = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.close()

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: Any) -> None:
        first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        self.arrived.append(
            Arrived(time.monotonic(), second >= 0x80, second & 0x7F, sequence, timestamp, ssrc, data[12:])
        )

    def sdp(self, *attributes: str, formats: str = "", port: int | None = None, address: str | None = None) -> bytes:
        """An offer or an answer of its own."""
        shown = address or self.host
        family = "IP6" if ":" in shown else "IP4"
        lines = [
            "v=0",
            f"o=phone 1 1 IN {family} {shown}",
            "s=call",
            f"c=IN {family} {shown}",
            "t=0 0",
            f"m=audio {self.port if port is None else port} RTP/AVP {formats or f'{int(self.law)} 96'}",
            "a=rtpmap:96 telephone-event/8000",
            *attributes,
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def take(self, sdp: bytes) -> None:
        """Send to where this description says."""
        found = re.search(rb"m=audio (\d+) RTP/AVP", sdp)
        assert found is not None
        self.target = (self.host, int(found[1]))

    def send(self, payload: bytes, payload_type: int | None = None, *, marker: bool = False) -> None:
        kind = int(self.law) if payload_type is None else payload_type
        header = struct.pack("!BBHII", 0x80, kind | (0x80 if marker else 0), self.sequence, self.timestamp, self.ssrc)
        self.transport.sendto(header + payload, self.target)
        self.sequence = (self.sequence + 1) & 0xFFFF

    def raw(self, data: bytes) -> None:
        self.transport.sendto(data, self.target)

    async def say(self, sound: Any, *, lose: frozenset[int] = frozenset(), frame: int = 160) -> None:
        """Speak: one packet every 20 ms by the clock; the packets numbered in `lose` go missing."""
        octets = encode(sound.astype("<i2").tobytes(), self.law)
        start = time.monotonic()
        for index in range(len(octets) // frame):
            due = start + index * frame / 8000
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if index in lose:
                self.sequence = (self.sequence + 1) & 0xFFFF
            else:
                self.send(octets[index * frame : (index + 1) * frame])
            self.timestamp = (self.timestamp + frame) & 0xFFFFFFFF

    def heard(self) -> Any:
        """What it heard, each packet at its timestamp, one source after the other."""
        voice = [each for each in self.arrived if each.payload_type in (0, 8)]
        sources = dict.fromkeys(each.ssrc for each in voice)
        laid = [self._laid_out([each for each in voice if each.ssrc == source]) for source in sources]
        return np.concatenate(laid) if laid else np.zeros(0)

    def heard_in_order(self) -> Any:
        """What it heard, packet after packet: whole also where a machine that stood still has left a pause."""
        voice = [each for each in self.arrived if each.payload_type in (0, 8)]
        pcm = [np.frombuffer(decode(each.payload, Law(each.payload_type)), dtype="<i2") for each in voice]
        return np.concatenate(pcm) if pcm else np.zeros(0)

    @staticmethod
    def _laid_out(voice: list[Arrived]) -> Any:
        base = voice[0].timestamp
        places = [((each.timestamp - base + 2**31) & 0xFFFFFFFF) - 2**31 for each in voice]
        assert max(map(abs, places)) < 8000 * 120, "the timestamps jump"
        low = min(places)
        out = np.zeros(max(places) - low + 480)
        for place, each in zip(places, voice, strict=True):
            pcm = np.frombuffer(decode(each.payload, Law(each.payload_type)), dtype="<i2")
            out[place - low : place - low + len(pcm)] = pcm
        return out


def speech(seconds: float, seed: int) -> Any:
    """Something that is like nothing but itself: noise in bursts, as syllables come."""
    rng = np.random.default_rng(seed)
    count = int(seconds * 8000)
    envelope = np.repeat(rng.uniform(0.05, 1.0, count // 400 + 1), 400)[:count]
    return rng.normal(0, 4000, count).clip(-16000, 16000) * envelope


def likeness(said: Any, heard: Any) -> tuple[float, int]:
    """The best correlation of two sounds over all shifts, and that shift in samples (heard later is positive)."""
    size = 1 << (len(said) + len(heard)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    shift = int(np.argmax(cross))
    shift = shift - size if shift >= len(heard) else shift
    low, high = max(0, shift), min(len(heard), shift + len(said))
    a, b = said[low - shift : high - shift], heard[low:high]
    missing = 1 - len(a) / len(said)
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return (float(a @ b / norm) if norm and missing < 0.2 else 0.0), shift
