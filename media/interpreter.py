"""What stands between a far end that speaks another codec and the house, in which all is G.711 at 8 kHz.

It turns whole packets: payload, timestamp, and the duration in a telephone-event, which counts in the clock of the
codec that it goes along with (RFC 4733, section 2.1).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from media.codecs import coders
from media.g711 import FRAME_SAMPLES, Law, decode, encode
from media.rtp import HEADER, HEADER_BYTES, Packet, ahead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from media.codecs import Coder
    from media.sdp import Format

INSIDE = Law.PCMA
"""What other codecs become."""

_DURATION = struct.Struct("!H")
_DURATION_AT = 2


class Interpreter:
    """Of one far end, both ways. Payload types that are G.711's own pass as they are."""

    def __init__(self, formats: Iterable[Format]) -> None:
        known = coders()
        self._coders: dict[int, Coder] = {
            each.payload_type: known[each.encoding]() for each in formats if each.encoding in known
        }
        self._event_ticks = {each.payload_type: each.clock // 8000 for each in formats if each.is_event}
        self._sequence: int | None = None
        self._far_ticks = 0
        """The far end's clock, unwound from its 32 bits."""
        self._rest = b""
        """Samples that fill no frame yet, and `_rest_ends` the time at which they end."""
        self._rest_ends = 0

    def ticks(self, payload_type: int) -> int:
        """Of the stream's clock, in which a sample passes."""
        coder = self._coders.get(payload_type)
        return coder.ticks if coder is not None else self._event_ticks.get(payload_type, 1)

    def mended(self, packet: Packet) -> Packet | None:
        """What was lost just before this packet, as far as that makes it good. To be asked before `opened`."""
        coder = self._coders.get(packet.payload_type)
        if coder is None or self._sequence is None or ahead(packet.sequence, self._sequence, 16) != 2:
            return None
        payload = encode(coder.mended(packet.payload, FRAME_SAMPLES), INSIDE)
        before = packet._replace(
            sequence=(packet.sequence - 1) & 0xFFFF,
            timestamp=(self._time(packet) - len(payload)) & 0xFFFFFFFF,
            payload=payload,
        )
        return before if payload else None

    def opened(self, packet: Packet) -> Packet | None:
        """A packet as the house hears it; None where it is no sound."""
        coder = self._coders.get(packet.payload_type)
        payload = packet.payload
        if coder is not None:
            self._sequence = packet.sequence
            payload = encode(coder.decoded(payload), INSIDE)
        elif packet.payload_type in self._event_ticks:
            payload = _counted(payload, 1, self._event_ticks[packet.payload_type])
        return packet._replace(timestamp=self._time(packet), payload=payload) if payload else None

    def _time(self, packet: Packet) -> int:
        """When it was said, in samples."""
        self._far_ticks += ahead(packet.timestamp, self._far_ticks & 0xFFFFFFFF, 32)
        return self._far_ticks // self.ticks(packet.payload_type) & 0xFFFFFFFF

    def sealed(self, packet: bytes, law: Law) -> bytes | None:
        """A packet of the house as the far end takes it; None where there is no frame of it yet."""
        first, second, sequence, timestamp, ssrc = HEADER.unpack_from(packet)
        payload = packet[HEADER_BYTES:]
        payload_type = second & 0x7F
        coder = self._coders.get(payload_type)
        if coder is not None:
            pcm, timestamp = self._framed(coder, decode(payload, law), timestamp)
            if not pcm:
                return None
            payload = coder.encoded(pcm)
        elif payload_type in self._event_ticks:
            payload = _counted(payload, self._event_ticks[payload_type], 1)
        ticks = self.ticks(payload_type)
        return HEADER.pack(first, second, sequence, timestamp * ticks & 0xFFFFFFFF, ssrc) + payload

    def _framed(self, coder: Coder, pcm: bytes, timestamp: int) -> tuple[bytes, int]:
        """As much as makes a frame, and when that began: a telephone's 30 ms are no length of Opus'."""
        if not coder.lengths:
            return pcm, timestamp
        rest = self._rest if timestamp == self._rest_ends else b""
        self._rest_ends = (timestamp + len(pcm) // 2) & 0xFFFFFFFF
        pcm, began = rest + pcm, timestamp - len(rest) // 2
        size = next((2 * each for each in coder.lengths if 2 * each <= len(pcm)), 0)
        self._rest = pcm[size:]
        return pcm[:size], began & 0xFFFFFFFF


def _counted(event: bytes, times: int, parts: int) -> bytes:
    """A telephone-event whose duration counts otherwise; what is no event stays."""
    if times == parts or len(event) < _DURATION_AT + _DURATION.size:
        return event
    (duration,) = _DURATION.unpack_from(event, _DURATION_AT)
    return event[:_DURATION_AT] + _DURATION.pack(min(0xFFFF, duration * times // parts))
