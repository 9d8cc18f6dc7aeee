"""What the engine hands to whoever records: a tap on the call, plugged in by the gateway.

Only plain values cross it, so that a recorder knows nothing of RTP or codecs and imports nothing from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from session.audio import RecordingResult, Slot


class Reel(Protocol):
    """Takes packets that follow each other without a word for each: whoever has it does what is said here.

    For each packet its octets go at the end of `octets`. Both are the recorder's too, which takes away what is there
    whenever it likes.
    """

    octets: bytearray
    least: float
    """The least of when each came, on `time.monotonic` but in samples, less its timestamp."""

    def trim(self) -> None:
        """To be called once a second or so: nothing may grow for as long as a call lasts."""
        ...


class Ear(Protocol):
    """Is told on the event loop of what a slot says. It may only note what it is told."""

    def note(self, arrived_s: float, timestamp: int, payload: bytes, expansion: tuple[bytes, bytes]) -> None:
        """A packet.

        `arrived_s` is on `time.monotonic`; `timestamp` counts samples at 8 kHz and wraps at 2**32; both jump when the
        far end's stream does. `expansion` holds two `bytes.translate` tables that give the low and the high octet of
        the 16-bit sample in each octet of `payload`.
        """
        ...

    def reel(self, timestamp: int, samples: int, expansion: tuple[bytes, bytes]) -> Reel | None:
        """For packets of so many samples each, from that timestamp on to no wrap of it, until the next `note`.

        None where each packet is to be told.
        """
        ...


class _Ears:
    """One ear for several."""

    def __init__(self, ears: Sequence[Ear]) -> None:
        self._ears = ears

    def note(self, arrived_s: float, timestamp: int, payload: bytes, expansion: tuple[bytes, bytes]) -> None:
        for ear in self._ears:
            ear.note(arrived_s, timestamp, payload, expansion)

    def reel(self, _timestamp: int, _samples: int, _expansion: tuple[bytes, bytes]) -> None:
        """They would need one each."""


def together(ears: Sequence[Ear]) -> Ear | None:
    """One ear for several; None for none."""
    if len(ears) < 2:
        return ears[0] if ears else None
    return _Ears(ears)


class Tap(Protocol):
    """One recording under way."""

    def ear(self, slot: Slot) -> Ear:
        """What is to be told of what a slot says to the other."""
        ...

    async def finish(self) -> RecordingResult:
        """Complete the file."""
        ...


class Recorder(Protocol):
    """Begins recordings."""

    async def begin(self, path: Path) -> Tap:
        """A recording into a new file at `path`, its time running from now."""
        ...
