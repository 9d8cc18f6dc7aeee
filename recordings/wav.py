"""The file: RIFF/WAVE, PCM, two channels (citizen left, agent right), 16 bits, 8 kHz; and its peaks.

PCM16 because every browser's <audio> plays it; G.711 in WAV none does. The header is 44 octets and is rewritten
after each append, so it never claims more than the file holds: the file plays at every instant.
"""

from __future__ import annotations

import struct
import sys
from array import array

SAMPLE_RATE = 8000
FRAME_BYTES = 4
"""One sample of both channels."""

HEADER_BYTES = 44
PEAK_SAMPLES = 800
"""A peak stands for 100 ms."""

PEAK_STEP = 4
"""Of which every fourth sample is looked at: for a picture that is enough, and it is done while calls run."""

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def header(data_bytes: int) -> bytes:
    """The header of a file with this much sound."""
    return _HEADER.pack(
        b"RIFF",
        36 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        1,
        2,
        SAMPLE_RATE,
        SAMPLE_RATE * FRAME_BYTES,
        FRAME_BYTES,
        16,
        b"data",
        data_bytes,
    )


def is_ours(start: bytes) -> bool:
    """Whether a file that starts so was written here, its two lengths aside."""
    blank = header(0)
    return start[:4] == blank[:4] and start[8:40] == blank[8:40] and len(start) >= HEADER_BYTES


def loudness(sample: int) -> int:
    """How a peak is kept: |sample| / 128, 0–255."""
    return min(255, abs(sample) >> 7)


def loudest(citizen: bytes, agent: bytes) -> bytes:
    """Peaks of two channels, by turns, from the loudness of every `PEAK_STEP`th of their samples."""
    size = PEAK_SAMPLES // PEAK_STEP
    found = bytearray()
    for start in range(0, len(citizen), size):
        found.append(max(citizen[start : start + size]))
        found.append(max(agent[start : start + size]))
    return bytes(found)


def peaks(pcm: bytes) -> bytes:
    """Peaks of the file's own sound, which begins at a whole 100 ms."""
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    step = 2 * PEAK_STEP
    return loudest(bytes(map(loudness, samples[0::step])), bytes(map(loudness, samples[1::step])))
