"""G.711: the two laws by which a telephone packs a 16-bit sample into one octet (ITU-T G.711, tables 1 and 2).

Everything is a table of 256 or 65,536 octets, so that `bytes.translate` does the work in C; `audioop` is gone
since Python 3.13.
"""

from __future__ import annotations

from enum import IntEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160
"""Samples, and octets, in the 20 ms that one packet of ours carries."""


class Law(IntEnum):
    """A law of G.711. Its value is the static RTP payload type of RFC 3551, table 4."""

    PCMU = 0
    PCMA = 8


class Expansion(NamedTuple):
    """How one octet becomes a 16-bit sample, as two `bytes.translate` tables: its low and its high octet."""

    low: bytes
    high: bytes


def _expand_a(octet: int) -> int:
    octet ^= 0x55
    segment = (octet & 0x70) >> 4
    magnitude = ((octet & 0x0F) << 4) + (8 if segment == 0 else 0x108)
    magnitude <<= max(0, segment - 1)
    return magnitude if octet & 0x80 else -magnitude


def _expand_mu(octet: int) -> int:
    octet ^= 0xFF
    magnitude = ((((octet & 0x0F) << 3) + 0x84) << ((octet & 0x70) >> 4)) - 0x84
    return -magnitude if octet & 0x80 else magnitude


LEVELS: dict[Law, tuple[int, ...]] = {
    Law.PCMA: tuple(map(_expand_a, range(256))),
    Law.PCMU: tuple(map(_expand_mu, range(256))),
}
"""The sample that each octet stands for."""

SILENCE: dict[Law, bytes] = {Law.PCMA: b"\xd5", Law.PCMU: b"\xff"}
"""The octet of least magnitude."""


def _expansion(levels: tuple[int, ...]) -> Expansion:
    return Expansion(
        low=bytes(level & 0xFF for level in levels),
        high=bytes((level >> 8) & 0xFF for level in levels),
    )


EXPANSIONS: dict[Law, Expansion] = {law: _expansion(levels) for law, levels in LEVELS.items()}


def _compression(levels: tuple[int, ...]) -> bytes:
    """Octet of the nearest level for each 16-bit sample, indexed by the sample's two's complement."""
    # Of µ-law's two zeros the positive one (0xFF) is what RFC 3551 senders use: it sorts last and so wins.
    ascending = sorted(range(256), key=lambda octet: (levels[octet], octet))
    table = bytearray()
    for this, following in pairwise(ascending):
        last = (levels[this] + levels[following]) // 2 if levels[this] < levels[following] else levels[this] - 1
        table += bytes([this]) * (last + 32769 - len(table))
    table += bytes([ascending[-1]]) * (65536 - len(table))
    return bytes(table[32768:] + table[:32768])


COMPRESSIONS = {law: _compression(levels) for law, levels in LEVELS.items()}
"""The octet of the nearest level, indexed by a sample's 16 bits."""

_TABLES = {law: np.frombuffer(table, dtype=np.uint8) for law, table in COMPRESSIONS.items()}

TRANSCODE: dict[tuple[Law, Law], bytes] = {
    (source, target): bytes(COMPRESSIONS[target][level & 0xFFFF] for level in LEVELS[source])
    for source, target in ((Law.PCMA, Law.PCMU), (Law.PCMU, Law.PCMA))
}
"""`payload.translate(TRANSCODE[from, to])` turns one law into the other."""


def encode(pcm: bytes, law: Law) -> bytes:
    """Octets of a law for little-endian 16-bit samples."""
    return bytes(_TABLES[law][np.frombuffer(pcm, dtype="<u2")])


def decode(octets: bytes, law: Law) -> bytes:
    """Little-endian 16-bit samples for octets of a law."""
    low, high = EXPANSIONS[law]
    pcm = bytearray(2 * len(octets))
    pcm[0::2] = octets.translate(low)
    pcm[1::2] = octets.translate(high)
    return bytes(pcm)
