"""What the engine hands to whoever records: a tap on the call, plugged in by the gateway.

Only plain values cross it, so that a recorder knows nothing of RTP or codecs and imports nothing from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from session.audio import RecordingResult, Slot

Ear = Callable[[float, int, bytes, tuple[bytes, bytes]], None]
"""Called on the event loop with each packet of what a slot said: `(arrived_s, timestamp, payload, expansion)`.

`arrived_s` is on `time.monotonic`; `timestamp` counts samples at 8 kHz and wraps at 2**32; both jump when the far
end's stream does. `expansion` holds two `bytes.translate` tables that give the low and the high octet of the 16-bit
sample in each octet of `payload`. It may only note what it is told.
"""


def together(ears: Sequence[Ear]) -> Ear | None:
    """One ear for several; None for none."""
    if len(ears) < 2:
        return ears[0] if ears else None

    def tell(arrived_s: float, timestamp: int, payload: bytes, expansion: tuple[bytes, bytes]) -> None:
        for ear in ears:
            ear(arrived_s, timestamp, payload, expansion)

    return tell


class Tap(Protocol):
    """One recording under way."""

    def ear(self, slot: Slot) -> Ear:
        """What is to be called with each packet that a slot says to the other."""
        ...

    async def finish(self) -> RecordingResult:
        """Complete the file."""
        ...


class Recorder(Protocol):
    """Begins recordings."""

    async def begin(self, path: Path) -> Tap:
        """A recording into a new file at `path`, its time running from now."""
        ...
