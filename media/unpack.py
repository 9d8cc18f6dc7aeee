"""Telephones' voice messages (AMR, RFC 4867) as a WAVE file that every browser plays: from its input to its output.

A program of its own, started by `media.playable` and imported by nobody: the decoder is FFmpeg's, reads what strangers
send, and comes in a wheel that has GPL parts. It gives itself bounds before it reads, and ends with 1 where the sound
is none, or too long.
"""

from __future__ import annotations

import io
import resource
import sys
import wave

import av

LARGEST_BYTES = 10 * 1024 * 1024
LONGEST_S = 600
"""WeChat's own end after a minute."""
_PROCESSOR_S = 10
_MEMORY_BYTES = 2 * 1024**3
_NARROW_HZ, _WIDE_HZ = 8000, 16000


def main() -> int:
    """0 and the sound, or 1 and nothing."""
    resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_S, _PROCESSOR_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    data = sys.stdin.buffer.read(LARGEST_BYTES + 1)
    if len(data) > LARGEST_BYTES:
        return 1
    try:
        sound = wave_of(data)
    except (av.FFmpegError, ValueError, IndexError):
        return 1
    sys.stdout.buffer.write(sound)
    return 0


def wave_of(data: bytes) -> bytes:
    """The WAVE file of a voice message. Raises `ValueError`, `av.FFmpegError`, `IndexError` for what is none."""
    rate = _WIDE_HZ if data.startswith(b"#!AMR-WB\n") else _NARROW_HZ
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    pcm = bytearray()
    with av.open(io.BytesIO(data), "r", format="amr") as container:
        for frame in container.decode(audio=0):
            for plain in resampler.resample(frame):
                pcm += bytes(plain.planes[0])[: plain.samples * 2]
            if len(pcm) > LONGEST_S * rate * 2:
                raise ValueError("too long")
    if not pcm:
        raise ValueError("silence")
    whole = io.BytesIO()
    with wave.open(whole, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(bytes(pcm))
    return whole.getvalue()


if __name__ == "__main__":
    sys.exit(main())
