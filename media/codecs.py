"""What a far end may speak besides G.711, each between its payloads and samples at 8 kHz.

Within the house sound is G.711: who is relayed, mixed, held or recorded is then a matter of octets. So these are heard
no wider than a telephone call, and what they bring is that a far end which knows nothing else is understood, and that
Opus mends what a bad network loses.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from G722 import G722 as _G722

G722, OPUS = "G722", "OPUS/2"
"""Encodings as `media.sdp.Format` names them."""

MOST_BYTES = 1275
"""The longest frame of Opus (RFC 6716, section 3.4)."""

_RATE_HZ = 8000
_LONGEST_SAMPLES = 480
"""60 ms, as long as a packet of G.711 may be that is passed on."""
_BITS_PER_S = 64_000


class Coder(Protocol):
    """Both ways of one stream. Samples are 16 bits, little-endian, at 8 kHz, one channel."""

    ticks: int
    """Of the RTP clock, in which one sample passes."""
    lengths: tuple[int, ...]
    """Samples that a frame may have, the longest first; none where any may be."""

    def decoded(self, payload: bytes) -> bytes:
        """Samples; nothing where the payload is no such sound."""
        ...

    def mended(self, following: bytes, samples: int) -> bytes:
        """The samples of a lost packet, by the one that follows it; nothing where the codec cannot tell."""
        ...

    def encoded(self, pcm: bytes) -> bytes:
        """A payload."""
        ...


class _Wide:
    """G.722, of whose two bands we hear and speak the lower. Its clock is 8 kHz by an old slip (RFC 3551, 4.5.2)."""

    ticks = 1
    lengths: tuple[int, ...] = ()

    def __init__(self) -> None:
        self._hears, self._speaks = _G722(_RATE_HZ, _BITS_PER_S), _G722(_RATE_HZ, _BITS_PER_S)

    def decoded(self, payload: bytes) -> bytes:
        return bytes(self._hears.decode(payload)) if len(payload) <= _LONGEST_SAMPLES else b""

    def mended(self, following: bytes, samples: int) -> bytes:
        del following, samples
        return b""

    def encoded(self, pcm: bytes) -> bytes:
        return bytes(self._speaks.encode(array("h", pcm)))


class _Opus:
    """Opus (RFC 7587), whose clock runs at 48 kHz whatever is heard."""

    ticks = 6
    lengths: tuple[int, ...] = (480, 320, 160, 80)

    def __init__(self, library: Any) -> None:
        self._error: type[Exception] = library.OpusError
        self._hears = library.Decoder(_RATE_HZ, 1)
        self._speaks = library.Encoder(_RATE_HZ, 1, "voip")
        self._speaks.complexity = 5  # half the time of 10, and at this rate nobody hears which
        self._speaks.bitrate = 24_000
        self._speaks.inband_fec = 1
        self._speaks.packet_loss_perc = 5

    def decoded(self, payload: bytes) -> bytes:
        try:
            return bytes(self._hears.decode(payload, _LONGEST_SAMPLES))
        except self._error:
            return b""

    def mended(self, following: bytes, samples: int) -> bytes:
        try:
            return bytes(self._hears.decode(following, samples, decode_fec=True))
        except self._error:
            return b""

    def encoded(self, pcm: bytes) -> bytes:
        return bytes(self._speaks.encode(pcm, len(pcm) // 2))


@cache
def coders() -> Mapping[str, Callable[[], Coder]]:
    """What makes a coder for each encoding that this machine knows: Opus is the system's own library, if it has it."""
    found: dict[str, Callable[[], Coder]] = {G722: _Wide}
    if find_library("opus") is None:
        return found
    library = import_module("opuslib_next")  # which breaks where it is imported without one
    return {**found, OPUS: lambda: _Opus(library)}


def known() -> tuple[str, ...]:
    """Their names."""
    return tuple(encoding.partition("/")[0] for encoding in coders())
