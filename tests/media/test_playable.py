"""Voice messages from telephones as browsers play them."""

import asyncio
import io
import itertools
import math
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest

from media.decoder import Decoder
from media.playable import NotPlayable, Playable
from media.unpack import wave_of
from session.errors import YihaoError
from session.ids import FileId
from storage.files import FileStore

SILENT_FRAME = b"\x3c" + b"\x08" * 31
TONE_HZ = 440


def amr(seconds: float) -> bytes:
    """A tone as a telephone records it (AMR-NB, 12.2 kbit/s)."""
    out = io.BytesIO()
    with av.open(out, "w", format="amr") as container:
        stream = container.add_stream("libopencore_amrnb", rate=8000, layout="mono")
        stream.bit_rate = 12200
        for start in range(0, round(seconds * 8000), 160):
            samples = [round(8000 * math.sin(2 * math.pi * TONE_HZ * (start + n) / 8000)) for n in range(160)]
            frame = av.AudioFrame(format="s16", layout="mono", samples=160)
            frame.planes[0].update(struct.pack("<160h", *samples))
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


@pytest.fixture
def playable(files: FileStore, tmp_path: Path) -> Playable:
    return Playable(files, tmp_path / "playable", Decoder())


def heard(sound: bytes) -> tuple[float, int, float]:
    """Seconds, rate, and the tone that sounds (crossings of zero)."""
    with wave.open(io.BytesIO(sound)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        rate, many = file.getframerate(), file.getnframes()
        samples = struct.unpack(f"<{many}h", file.readframes(many))
    middle = samples[rate // 2 : -rate // 4]
    crossings = sum(one < 0 <= other for one, other in itertools.pairwise(middle))
    return many / rate, rate, crossings / (len(middle) / rate)


async def test_a_voice_message_is_heard_and_its_original_kept(
    files: FileStore, playable: Playable, tmp_path: Path
) -> None:
    voice = amr(2.0)
    kept = await files.keep(chunks(voice), "")
    assert kept.content_type == "audio/amr"
    seconds, rate, tone_hz = heard(await playable.sound(kept.id))
    assert (rate, round(seconds)) == (8000, 2)
    assert abs(tone_hz - TONE_HZ) < 10
    _, original = await files.read(kept.id)
    assert b"".join([chunk async for chunk in original]) == voice
    (made,) = (tmp_path / "playable").iterdir()
    made.write_bytes(b"kept")
    assert await playable.sound(kept.id) == b"kept", "it is made once"


@pytest.mark.parametrize("broken", [b"#!AMR\n", b"#!AMR\n" + b"\xff" * 5000, b"#!AMR\n" + SILENT_FRAME * 30_100])
async def test_what_is_no_sound_or_too_long_is_said(files: FileStore, playable: Playable, broken: bytes) -> None:
    kept = await files.keep(chunks(broken), "")
    with pytest.raises(NotPlayable):
        await playable.sound(kept.id)


async def test_what_browsers_play_is_not_made(files: FileStore, playable: Playable) -> None:
    picture = await files.keep(chunks(b"\x89PNG\r\n\x1a\n" + bytes(600)), "image/png")
    with pytest.raises(NotPlayable):
        await playable.sound(picture.id)
    with pytest.raises(YihaoError):
        await playable.sound(FileId("../etc/passwd"))


async def test_a_program_that_hangs_or_is_not_there_is_no_sound(
    files: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await files.keep(chunks(amr(0.1)), "")
    with pytest.raises(NotPlayable):
        await Playable(files, tmp_path / "none", Decoder("media.no_such_program")).sound(kept.id)
    monkeypatch.setattr("media.decoder._PATIENCE_S", 0.05)
    slow = Playable(files, tmp_path / "slow", Decoder("http.server"))
    with pytest.raises(NotPlayable):
        await slow.sound(kept.id)


async def test_the_loop_goes_on_meanwhile(files: FileStore, playable: Playable) -> None:
    kept = await files.keep(chunks(amr(1.0)), "")
    making = asyncio.create_task(playable.sound(kept.id))
    turns = 0
    while not making.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    assert heard(await making)[1] == 8000


def test_wide_band_is_heard_too() -> None:
    frame = b"\x44" + bytes(60)
    assert heard(wave_of(b"#!AMR-WB\n" + frame * 100))[:2] == (2.0, 16000)
