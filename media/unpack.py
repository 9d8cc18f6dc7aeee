"""A sound in any usual form as a WAVE file, from its input to its output: `media.unpack [RATE_HZ [LONGEST_S]]`.

Voice messages of telephones (AMR, RFC 4867) keep their rate, prompts are wanted at the telephone's. A program of its
own, started by `media.decoder` and imported by nobody: the decoder is FFmpeg's, reads what strangers send, and comes in
a wheel that has GPL parts. It gives itself bounds before it reads, and ends with 1 where the sound is none or too long.
"""

from __future__ import annotations

import io
import resource
import sys
import wave
from itertools import chain

import av

LARGEST_BYTES = 10 * 1024 * 1024
LONGEST_S = 600.0
"""WeChat's own end after a minute."""
_PROCESSOR_S = 10
_MEMORY_BYTES = 2 * 1024**3
_NARROW_HZ, _WIDE_HZ = 8000, 16000
_FORMS = (
    (0, b"#!AMR", "amr"),
    (0, b"ID3", "mp3"),
    (0, b"\xff\xfb", "mp3"),
    (0, b"\xff\xf3", "mp3"),
    (0, b"\xff\xf2", "mp3"),
    (0, b"\xff\xf1", "aac"),
    (0, b"\xff\xf9", "aac"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b"FORM", "aiff"),
    (0, b".snd", "au"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (4, b"ftyp", "mov"),
    (8, b"WAVE", "wav"),
)
"""Told by their first octets, never guessed by FFmpeg: among its forms are lists of other files and addresses."""


def main() -> int:
    """0 and the sound, or 1 and nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_S, _PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    rate_hz, longest_s = (*map(float, sys.argv[1:3]), 0.0, 0.0)[:2]
    data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        return 1
    try:
        sound = wave_of(data, rate_hz=int(rate_hz), longest_s=longest_s or LONGEST_S)
    except (av.FFmpegError, ValueError, IndexError):
        return 1
    sys.stdout.buffer.write(sound)
    return 0


def wave_of(data: bytes, *, rate_hz: int = 0, longest_s: float = LONGEST_S) -> bytes:
    """The WAVE file of a sound. Raises `ValueError`, `av.FFmpegError`, `IndexError` for what is none."""
    form = next((name for at, magic, name in _FORMS if data.startswith(magic, at)), None)
    if form is None:
        raise ValueError("no form that we know")
    rate_hz = rate_hz or (_WIDE_HZ if data.startswith(b"#!AMR-WB\n") else _NARROW_HZ)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate_hz)
    pcm = bytearray()
    with av.open(io.BytesIO(data), "r", format=form) as container:
        for frame in chain(container.decode(audio=0), (None,)):
            for plain in resampler.resample(frame):
                pcm += bytes(plain.planes[0])[: plain.samples * 2]
            if len(pcm) > longest_s * rate_hz * 2:
                raise ValueError("too long")
    if not pcm:
        raise ValueError("silence")
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(bytes(pcm))
    return whole.getvalue()


if __name__ == "__main__":
    sys.exit(main())
