"""The file: RIFF/WAVE, PCM, two channels (citizen left, agent right), 16 bits, 8 kHz; and its peaks.

PCM16 because every browser's <audio> plays it; G.711 in WAV none does. The header is 44 octets and is rewritten
after each append, so it never claims more than the file holds: the file plays at every instant.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

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


def peaks(frames: Samples) -> bytes:
    """An octet a channel and 100 ms, |sample| / 128, citizen and agent by turns, of sound that begins with such."""
    looked_at = np.abs(frames[::PEAK_STEP].T, order="C").view(np.uint16)
    starts = np.arange(0, looked_at.shape[1], PEAK_SAMPLES // PEAK_STEP)
    loudest = np.maximum.reduceat(looked_at, starts, axis=1) >> 7
    return bytes(np.minimum(loudest, 255).astype(np.uint8).T.tobytes())


def frames(pcm: bytes) -> Samples:
    """What a file holds, a column a channel."""
    return np.frombuffer(pcm, dtype="<i2").reshape(-1, 2)
