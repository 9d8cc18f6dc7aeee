"""A telephone that speaks Opus or G.722 only, by FFmpeg's coders: another hand than ours."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import av
import numpy as np

from tests.media.phone import Phone

_FORMATS = {
    "opus": ("111 112", ("a=rtpmap:111 opus/48000/2", "a=rtpmap:112 telephone-event/48000")),
    "g722": ("9 112", ("a=rtpmap:9 G722/8000", "a=rtpmap:112 telephone-event/8000")),
}
_RATES = {"opus": 8000, "g722": 16000}
_CODERS = {"opus": "libopus", "g722": "g722"}


class CodedPhone(Phone):
    """`codec` is "opus" or "g722"."""

    def __init__(self, codec: str) -> None:
        super().__init__()
        self.codec = codec
        self.payload_type = 111 if codec == "opus" else 9
        self.ticks = 6 if codec == "opus" else 1

    def only(self) -> bytes:
        """An offer, or an answer, of that alone."""
        formats, attributes = _FORMATS[self.codec]
        return self.sdp(*attributes, formats=formats)

    async def say(self, sound: Any, *, lose: frozenset[int] = frozenset(), frame: int = 160) -> None:
        """As a telephone that does not know G.711."""
        start = time.monotonic()
        for index, payload in enumerate(await asyncio.to_thread(encoded, self.codec, sound)):
            await asyncio.sleep(max(0.0, start + index * frame / 8000 - time.monotonic()))
            if index in lose:
                self.sequence = (self.sequence + 1) & 0xFFFF
            else:
                self.send(payload, self.payload_type)
            self.timestamp = (self.timestamp + frame * self.ticks) & 0xFFFFFFFF

    def heard(self) -> Any:
        """What it heard, one packet after the other."""
        voice = [each.payload for each in self.arrived if each.payload_type == self.payload_type]
        return decoded(self.codec, voice)


def encoded(codec: str, sound: Any) -> list[bytes]:
    """Payloads of 20 ms for samples at 8 kHz."""
    rate = _RATES[codec]
    coder: Any = av.CodecContext.create(_CODERS[codec], "w")
    coder.sample_rate, coder.layout, coder.format = rate, "mono", "s16"
    if codec == "opus":
        coder.options = {"application": "voip", "fec": "1", "packet_loss": "20"}
    resampler = av.AudioResampler("s16", "mono", rate, frame_size=rate // 50)
    frame = av.AudioFrame.from_ndarray(sound.astype("<i2").reshape(1, -1), "s16", "mono")
    frame.sample_rate = 8000
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return [bytes(packet) for one in frames if one.samples == rate // 50 for packet in coder.encode(one)]


def decoded(codec: str, payloads: list[bytes]) -> Any:
    """Samples at 8 kHz."""
    decoder: Any = av.CodecContext.create(_CODERS[codec], "r")
    decoder.sample_rate, decoder.layout = 48000 if codec == "opus" else 16000, "mono"
    resampler = av.AudioResampler("s16", "mono", 8000)
    out = []
    for payload in payloads:
        for frame in decoder.decode(av.Packet(payload)):
            out += [each.to_ndarray()[0] for each in resampler.resample(frame)]
    return np.concatenate(out).astype(float) if out else np.zeros(0)
