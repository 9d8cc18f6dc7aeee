"""RTP packets (RFC 3550, section 5.1) and what a receiver keeps about a stream (appendices A.1, A.3, A.8)."""

from __future__ import annotations

import struct
from itertools import count
from typing import NamedTuple

HEADER = struct.Struct("!BBHII")
HEADER_BYTES = HEADER.size
WORDS = struct.Struct("!III")
"""The same octets: version, payload type and sequence as one number, the timestamp, the source."""
VERSION_2 = 0x80
"""First octet of a packet without padding, extension or contributing sources."""

MAX_PACKET_BYTES = 1500
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
_MAX_LATE_RUN = 5
_MAX_JUMP_SAMPLES = 8000
"""A timestamp that strays by more than a second from both its sequence and the clock has jumped."""

_generations = count(1)


class Packet(NamedTuple):
    """One received packet, its payload freed of padding."""

    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse(data: bytes) -> Packet | None:
    """The packet in a datagram, or None when it is not RTP version 2 or its lengths do not add up."""
    if not HEADER_BYTES <= len(data) <= MAX_PACKET_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        return None
    start = HEADER_BYTES + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    if first & 0x20:
        if data[-1] == 0:
            return None
        end -= data[-1]
    if start > end:
        return None
    return Packet(second >= 0x80, second & 0x7F, sequence, timestamp, ssrc, data[start:end])


def build(packet: Packet) -> bytes:
    """The octets of a packet without padding, extension or contributing sources."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    return HEADER.pack(VERSION_2, second, packet.sequence, packet.timestamp, packet.ssrc) + packet.payload


def ahead(later: int, earlier: int, bits: int) -> int:
    """How far `later` is in front of `earlier` on a circle of 2**bits; negative when it is behind."""
    half = 1 << (bits - 1)
    return ((later - earlier + half) & ((1 << bits) - 1)) - half


class Incoming:
    """One far end's stream: what is expected next, what was lost, and the interarrival jitter.

    `generation` names an unbroken run of sequence and timestamp, unique in the process: whoever forwards the
    stream starts a new mapping when it changes.
    """

    __slots__ = (
        "_base",
        "_cycles",
        "_late_next",
        "_late_run",
        "_reported_expected",
        "_reported_received",
        "arrived_s",
        "generation",
        "jitter",
        "next_sequence",
        "next_timestamp",
        "received",
        "ssrc",
        "transit",
    )

    def __init__(self) -> None:
        self.ssrc: int | None = None
        self.received = 0
        self.jitter = 0.0
        """In samples, as RFC 3550 section 6.4.1 smooths it."""
        self.arrived_s = 0.0
        self.generation = 0
        self.next_sequence = 0
        self.next_timestamp = 0
        self._base = 0
        self._cycles = 0
        self._late_next = -1
        self._late_run = 0
        self.transit = 0.0
        """Of the last packet: when it came, less its timestamp, in samples."""
        self._reported_expected = 0
        self._reported_received = 0

    def follow(self, now_s: float, samples: int) -> None:
        """Count the packet that was expected next: the path of nearly every packet."""
        transit = now_s * 8000 - self.next_timestamp
        strayed = transit - self.transit
        self.transit = transit
        if -80000 < strayed < 80000:  # the wrap of the 32-bit timestamp is no jitter
            self.jitter += ((strayed if strayed >= 0 else -strayed) - self.jitter) / 16
        self.received += 1
        self.arrived_s = now_s
        self.next_timestamp = (self.next_timestamp + samples) & 0xFFFFFFFF
        sequence = self.next_sequence + 1
        if sequence == 65536:
            sequence = 0
            self._cycles += 65536
        self.next_sequence = sequence

    def ran(self, packets: int, samples: int, now_s: float, transit: float, jitter: float) -> None:
        """So many packets, each the one that was expected, have come in a run (`media.run`), the last of them then."""
        self.received += packets
        self.arrived_s, self.transit, self.jitter = now_s, transit, jitter
        self.next_timestamp = (self.next_timestamp + packets * samples) & 0xFFFFFFFF
        sequence = self.next_sequence + packets
        if sequence >= 65536:
            sequence -= 65536
            self._cycles += 65536
        self.next_sequence = sequence

    def take(self, packet: Packet, now_s: float) -> None:
        """Place any packet of audio in the stream."""
        if packet.ssrc != self.ssrc:
            self._begin(packet, now_s)
        gap = ahead(packet.sequence, self.next_sequence, 16)
        if not -_MAX_MISORDER <= gap <= _MAX_DROPOUT:
            self._begin(packet, now_s)
            gap = 0
        leap = ahead(packet.timestamp, self.next_timestamp, 32)
        if gap < 0 and not self._restarts(packet.sequence, leap):
            self.received += 1
            return
        if gap < 0:
            self._begin(packet, now_s)
            gap = leap = 0
        if abs(leap) > _MAX_JUMP_SAMPLES and self._strays(leap, now_s):
            self.generation = next(_generations)
            self.transit = now_s * 8000 - packet.timestamp
        self._skip_to(packet.sequence, gap)
        self.next_timestamp = packet.timestamp
        self.follow(now_s, len(packet.payload))

    def _restarts(self, sequence: int, leap: int) -> bool:
        """Whether a packet behind its time is no late one but the far end begun anew, close behind itself."""
        self._late_run = self._late_run + 1 if sequence == self._late_next else 1
        self._late_next = (sequence + 1) & 0xFFFF
        return not -_MAX_JUMP_SAMPLES <= leap <= 0 or self._late_run > _MAX_LATE_RUN

    def take_event(self, packet: Packet, now_s: float) -> None:
        """Place a telephone-event, which has a sequence number of the stream but holds its timestamp still."""
        if packet.ssrc != self.ssrc:
            self._begin(packet, now_s)
        gap = ahead(packet.sequence, self.next_sequence, 16)
        if not -_MAX_MISORDER <= gap <= _MAX_DROPOUT:
            self._begin(packet, now_s)
            gap = 0
        self.received += 1
        self.arrived_s = now_s
        if gap >= 0:
            self._skip_to((packet.sequence + 1) & 0xFFFF, gap + 1)

    def _strays(self, leap: int, now_s: float) -> bool:
        return abs(leap - (now_s - self.arrived_s) * 8000) > _MAX_JUMP_SAMPLES

    def _skip_to(self, sequence: int, gap: int) -> None:
        if self.next_sequence + gap >= 65536:
            self._cycles += 65536
        self.next_sequence = sequence

    def _begin(self, packet: Packet, now_s: float) -> None:
        """A new source, or one that restarted: counters of loss go on from what was known."""
        expected = self.expected
        self.ssrc = packet.ssrc
        self.generation = next(_generations)
        self.next_sequence = packet.sequence
        self.next_timestamp = packet.timestamp
        self._cycles = 0
        self._base = packet.sequence - expected
        self.transit = now_s * 8000 - packet.timestamp
        self.arrived_s = now_s

    @property
    def expected(self) -> int:
        """Packets that the sequence numbers say were sent."""
        return self._cycles + self.next_sequence - self._base

    @property
    def lost(self) -> int:
        """Packets that were sent and have not come. Never below nought: duplicates count as received."""
        return max(0, self.expected - self.received)

    @property
    def highest(self) -> int:
        """Extended highest sequence number received (RFC 3550, section 6.4.1)."""
        return (self._cycles + self.next_sequence - 1) & 0xFFFFFFFF

    def lost_since_report(self) -> int:
        """Fraction lost since the last call, in 1/256 (RFC 3550, appendix A.3)."""
        expected = self.expected - self._reported_expected
        received = self.received - self._reported_received
        self._reported_expected, self._reported_received = self.expected, self.received
        if expected <= 0 or expected <= received:
            return 0
        return min(255, (expected - received) * 256 // expected)


class Outgoing:
    """The stream to one far end: one SSRC, one sequence and one clock, whatever is heard in it."""

    __slots__ = (
        "_generation",
        "_sequence_offset",
        "_timestamp_offset",
        "octets",
        "packets",
        "sent_s",
        "sequence",
        "ssrc",
        "timestamp",
    )

    def __init__(self, ssrc: int, sequence: int, timestamp: int) -> None:
        self.ssrc = ssrc
        self.sequence = sequence
        """Of the next packet; `timestamp` likewise."""
        self.timestamp = timestamp
        self.packets = 0
        self.octets = 0
        self.sent_s: float | None = None
        self._generation = 0
        self._sequence_offset = 0
        self._timestamp_offset = 0

    def paced(self, payload_type: int, payload: bytes, now_s: float) -> bytes:
        """The next packet of a sender that keeps our own clock."""
        # 100 ms is what the ticker makes up for by itself; beyond that time has been skipped.
        if self._generation or self._late_samples(now_s) > 800:
            self._catch_up(now_s)
            payload_type |= 0x80
        self._generation = 0
        packet = HEADER.pack(VERSION_2, payload_type, self.sequence, self.timestamp, self.ssrc) + payload
        self._advance(len(payload), now_s)
        return packet

    def event(self, payload_type: int, payload: bytes, timestamp: int, *, first: bool, now_s: float) -> bytes:
        """A telephone-event packet. The clock goes on beside it; `timestamp` is that of the event's start."""
        second = payload_type | (0x80 if first else 0)
        packet = HEADER.pack(VERSION_2, second, self.sequence, timestamp, self.ssrc) + payload
        self._generation = 0
        self._advance(160, now_s)
        return packet

    def relayed(
        self, payload_type: int, generation: int, sequence: int, timestamp: int, payload: bytes, now_s: float
    ) -> bytes:
        """A packet of another far end as one of this stream: its gaps and its order stay to be seen."""
        if generation != self._generation:
            self._catch_up(now_s)
            self._generation = generation
            self._sequence_offset = self.sequence - sequence
            self._timestamp_offset = self.timestamp - timestamp
            payload_type |= 0x80
        mapped = (sequence + self._sequence_offset) & 0xFFFF
        at = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        size = len(payload)
        if mapped == self.sequence or ahead(mapped, self.sequence, 16) > 0:
            self.sequence = (mapped + 1) & 0xFFFF
            self.timestamp = (at + size) & 0xFFFFFFFF
        self.packets += 1
        self.octets += size
        self.sent_s = now_s
        return HEADER.pack(VERSION_2, payload_type, mapped, at, self.ssrc) + payload

    def follows(self, incoming: Incoming) -> bool:
        """Whether the next packet there is the next one here, as `relayed`."""
        return (
            incoming.generation == self._generation
            and (incoming.next_sequence + self._sequence_offset) & 0xFFFF == self.sequence
            and (incoming.next_timestamp + self._timestamp_offset) & 0xFFFFFFFF == self.timestamp
        )

    def ran(self, packets: int, samples: int, now_s: float) -> None:
        """So many packets, each of so many samples, have gone out in a run (`media.run`), the last of them then."""
        self.sequence = (self.sequence + packets) & 0xFFFF
        self.timestamp = (self.timestamp + packets * samples) & 0xFFFFFFFF
        self.packets += packets
        self.octets += packets * samples
        self.sent_s = now_s

    def _late_samples(self, now_s: float) -> int:
        return 0 if self.sent_s is None else round((now_s - self.sent_s) * 8000) - 160

    def _catch_up(self, now_s: float) -> None:
        """Let the timestamp run over the time in which nothing was sent (RFC 3550, section 5.1)."""
        self.timestamp = (self.timestamp + max(0, self._late_samples(now_s))) & 0xFFFFFFFF

    def _advance(self, samples: int, now_s: float) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + samples) & 0xFFFFFFFF
        self.packets += 1
        self.octets += samples
        self.sent_s = now_s
