"""A run: packets that follow each other from one far end straight to another, each but its header as it came.

Nearly every packet of a call is of one, so this is where relaying costs time. A run knows the header that comes next
and the one that goes out for it, and counts by these alone. What the two streams keep is brought up to date once a
second, when somebody asks for figures, and when it ends: with a packet that is not the next one, and with whatever else
happens at either end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from media.rtp import HEADER_BYTES, VERSION_2, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import SocketType

    from media.inbox import Inbox
    from media.rtp import Incoming, Outgoing
    from media.tap import Reel

_words, _write = WORDS.unpack_from, WORDS.pack_into
_LEAST_PACKETS = 8
_CLOCK = 2**32


class Source(NamedTuple):
    """Whose packets come."""

    stream: Incoming
    socket: SocketType
    payload_type: int
    reel: Reel | None
    """Of what records them."""
    stray: Callable[[bytes, float], None]
    """Takes a packet that is not the run's next one, and ends the run; so does `over`."""
    over: Callable[[], None]


class Sink(NamedTuple):
    """Where they go."""

    stream: Outgoing
    socket: SocketType
    payload_type: int


class Run:
    """Its `arrived` is called for each packet. Both sockets are connected."""

    __slots__ = (
        "_first",
        "_head",
        "_jitter",
        "_last",
        "_now_s",
        "_over",
        "_packet",
        "_packets",
        "_payload",
        "_receive",
        "_reel",
        "_room",
        "_samples",
        "_send",
        "_shift",
        "_sink",
        "_size",
        "_source",
        "_ssrc",
        "_ssrc_there",
        "_stray",
        "_timestamp",
        "_transit",
        "_turn",
    )

    def __init__(self, source: Source, sink: Sink, inbox: Inbox, size: int, most: int) -> None:
        """Of packets of that size, and so many at the most."""
        incoming, outgoing = source.stream, sink.stream
        self._source, self._sink = source, sink
        self._receive, self._send = source.socket.recv_into, sink.socket.send
        self._stray, self._over = source.stray, source.over
        self._room, self._packets = inbox.room, inbox.packets
        self._packet = self._packets[size]
        self._payload = self._packet[HEADER_BYTES:]
        self._reel = source.reel
        self._size, self._samples = size, size - HEADER_BYTES
        self._head = self._first = _head(source.payload_type, incoming.next_sequence)
        self._last = self._head + most - 1
        self._timestamp, self._ssrc = incoming.next_timestamp, incoming.ssrc
        self._shift = _head(sink.payload_type, outgoing.sequence) - self._head
        self._turn, self._ssrc_there = outgoing.timestamp - self._timestamp, outgoing.ssrc
        self._now_s, self._transit, self._jitter = incoming.arrived_s, incoming.transit, incoming.jitter

    @classmethod
    def begun(cls, source: Source, sink: Sink, inbox: Inbox, size: int) -> Run | None:
        """Of packets of that size, from the next one on; None where a number begins anew at nought about now."""
        samples = size - HEADER_BYTES
        most = min(
            *(0xFFFF - sequence for sequence in (source.stream.next_sequence, sink.stream.sequence)),
            *((_CLOCK - clock) // samples - 1 for clock in (source.stream.next_timestamp, sink.stream.timestamp)),
        )
        has_begun_anew = source.stream.next_timestamp < samples
        if most < _LEAST_PACKETS or has_begun_anew or not sink.stream.follows(source.stream):
            return None
        return cls(source, sink, inbox, size, most)

    def arrived(self, now_s: float) -> None:
        """A packet, or an error."""
        receive, room = self._receive, self._room
        try:
            size = receive(room)
        except OSError:  # nothing, or an ICMP error: whether the far end is gone, silence and signalling tell
            return
        head, timestamp, ssrc = _words(room)
        if head != self._head or timestamp != self._timestamp or size != self._size or ssrc != self._ssrc:
            self._stray(bytes(self._packets[size]), now_s)
            return
        transit = now_s * 8000 - timestamp
        strayed = transit - self._transit
        self._transit, self._now_s = transit, now_s
        self._jitter += ((strayed if strayed >= 0 else -strayed) - self._jitter) / 16
        reel = self._reel
        if reel is not None:
            octets = reel.octets
            octets += self._payload
            if transit < reel.least:  # noqa: PLR1730  a call of `min` costs more than all else here
                reel.least = transit
        self._timestamp = timestamp + self._samples
        self._head = head + 1
        _write(room, 0, head + self._shift, timestamp + self._turn, self._ssrc_there)
        send = self._send
        try:  # noqa: SIM105 - `suppress` would take longer than all else here
            send(self._packet)
        except OSError:
            pass
        if head == self._last:
            self._over()

    def settle(self) -> None:
        """Bring both streams up to date. It may go on."""
        packets = self._head - self._first
        if packets:
            self._first = self._head
            self._source.stream.ran(packets, self._samples, self._now_s, self._transit, self._jitter)
            self._sink.stream.ran(packets, self._samples, self._now_s)
        if self._reel is not None:
            self._reel.trim()


def _head(payload_type: int, sequence: int) -> int:
    """The first word of a packet without marker, padding, extension or contributing sources."""
    return VERSION_2 << 24 | payload_type << 16 | sequence
