"""What one slot hears of several: their streams decoded, each at its gain, added up and encoded once.

Nobody hears themselves: a slot's mix holds what the others say (N-1). It is asked for a frame every 20 ms like a
playlist, and it is fed like a recorder: so whoever is relayed stays so, and nothing is decoded where nobody mixes.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from media.concealment import Concealer
from media.g711 import EXPANSIONS, FRAME_SAMPLES, Law
from media.jitter import JitterBuffer
from media.pcm import Samples, compress, expand, gain, silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from media.tap import Ear
    from session.audio import Slot


class Voice:
    """One far end as a mix hears it."""

    def __init__(self) -> None:
        self.factor = gain(0.0)
        self._buffer = JitterBuffer()
        self._concealer = Concealer()

    def note(self, _arrived_s: float, timestamp: int, payload: bytes, expansion: tuple[bytes, bytes]) -> None:
        """A packet of theirs, as a `media.tap.Ear`."""
        self._buffer.put(timestamp, expand(payload, expansion))

    def reel(self, _timestamp: int, _samples: int, _expansion: tuple[bytes, bytes]) -> None:
        """Each packet is wanted when it comes."""

    def frame(self) -> Samples | None:
        """Their next 20 ms, made whole; None before their first word."""
        taken = self._buffer.take()
        if taken is None:
            return None
        if taken.there is None:
            return self._concealer.good(taken.samples)
        return self._concealer.partly(taken.samples, taken.there)


class Mix:
    """A playlist without end."""

    name = ""

    def __init__(self) -> None:
        self.overheard: Ear | None = None
        """What is told of each frame that is made: the recording of a slot that hears a mix."""
        self._voices: dict[Slot, Voice] = {}
        self._timestamp = 0

    def hear(self, gains: Mapping[Slot, float]) -> None:
        """Hear these from now on, each at its gain in dB; whoever was heard already goes on without a gap."""
        self._voices = {slot: self._voices.get(slot) or Voice() for slot in gains}
        for slot, decibels in gains.items():
            self._voices[slot].factor = gain(decibels)

    def ear(self, slot: Slot) -> Ear:
        """What is to be told of each packet of a slot that is heard."""
        return self._voices[slot]

    def frame(self, law: Law) -> bytes:
        """The next 20 ms."""
        total = silence()
        for voice in self._voices.values():
            heard = voice.frame()
            if heard is not None:
                total += heard * voice.factor
        octets = compress(total, law)
        if self.overheard is not None:
            self.overheard.note(monotonic(), self._timestamp, octets, EXPANSIONS[law])
        self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        return octets
