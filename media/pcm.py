"""Sound as arrays of samples, where it is decoded: numpy over the tables of `media.g711`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from media.g711 import COMPRESSIONS, FRAME_SAMPLES, Law

if TYPE_CHECKING:
    from media.g711 import Expansion

Samples = npt.NDArray[np.float32]
"""In the range of 16 bits. Floating, so that gains and sums need no care until they are written."""

FULL_SCALE = 32767.0
_OCTETS = {law: np.frombuffer(table, np.uint8) for law, table in COMPRESSIONS.items()}


def expand(octets: bytes, expansion: Expansion | tuple[bytes, bytes]) -> Samples:
    """The samples that octets of a law stand for."""
    low, high = expansion
    pcm = bytearray(2 * len(octets))
    pcm[0::2] = octets.translate(low)
    pcm[1::2] = octets.translate(high)
    return np.frombuffer(pcm, "<i2").astype(np.float32)


def compress(samples: Samples, law: Law) -> bytes:
    """Octets of a law for samples; what is too loud for 16 bits is cut off."""
    whole = np.clip(samples, -FULL_SCALE, FULL_SCALE).astype(np.int16)
    return _OCTETS[law].take(whole.view(np.uint16)).tobytes()


def gain(decibels: float) -> np.float32:
    """The factor that a gain is."""
    return np.float32(10.0 ** (decibels / 20))


def silence(count: int = FRAME_SAMPLES) -> Samples:
    """Nothing at all."""
    return np.zeros(count, np.float32)
