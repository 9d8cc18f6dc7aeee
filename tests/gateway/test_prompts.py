"""The operator's own announcements: by command and over HTTP, heard by the next caller without a restart."""

import asyncio
import io
import json
import math
import struct
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

from config.loading import load
from gateway import agents
from gateway.agents import Wanted
from gateway.cli import main
from gateway.prompts import LARGEST_BYTES
from tests.conftest import Eventually
from tests.gateway.living import living
from tests.peers.caller import Telephones
from tests.peers.sound import likeness, speech, write_wave

TONE_HZ, RATE = 440, 48_000
FORMS = {"mp3": "mp3", "flac": "flac", "ogg": "libopus", "ipod": "aac", "wav": "pcm_s24le"}
"""FFmpeg's names of containers, and what is in them."""


def sound(form: str, codec: str, seconds: float = 1.0) -> bytes:
    """A tone on two channels as studios have such files."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        stream = container.add_stream(codec, rate=RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(
            format=stream.format.name, layout="stereo", rate=RATE, frame_size=stream.codec_context.frame_size or 1024
        )
        for start in range(0, round(seconds * RATE), 1000):
            samples = [round(9000 * math.sin(2 * math.pi * TONE_HZ * (start + n) / RATE)) for n in range(1000)]
            frame = av.AudioFrame(format="s16", layout="stereo", samples=1000)
            frame.planes[0].update(struct.pack("<2000h", *(one for sample in samples for one in (sample, sample))))
            frame.sample_rate, frame.pts = RATE, start
            for plain in resampler.resample(frame):
                container.mux(stream.encode(plain))
        container.mux(stream.encode(None))
    return out.getvalue()


async def test_what_is_uploaded_is_heard_by_the_next_caller(
    valkey_url: str, tmp_path: Path, eventually: Eventually, capsys: pytest.CaptureFixture[str]
) -> None:
    said = speech(1, seed=71)
    settings = load(arguments=[f"data={tmp_path}"], environment={})
    async with living(valkey_url, tmp_path) as town, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        told = await agents.add(settings, Wanted("9001", "管理", None, "administrator", ("general",), ()))
        password = next(line.split()[-1] for line in told.splitlines() if line.startswith("password"))
        given = {"login": "9001", "password": password}
        async with http.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
            headers = {"Cookie": f"yihao={answer.cookies['yihao'].value}", "X-Yihao": "1"}
        url = f"{town.http}/api/prompts"
        spoken = write_wave(tmp_path / "welcome.wav", said).read_bytes()
        async with http.post(
            f"{url}/welcome", data=spoken, headers={**headers, "X-Filename": "%E6%AC%A2%E8%BF%8E.wav"}
        ) as answer:
            assert answer.status == 200
            put = await answer.json()
            assert (put["own"], put["file"], put["author"]) == (True, "欢迎.wav", "9001")
        async with Telephones(("127.0.0.1", town.house.sip.port)) as telephones:
            call = await telephones.call()
            await call.answered()
            await eventually(lambda: likeness(said, call.sound.heard()).correlation > 0.9, deadline_s=15)
            await call.hang_up()

        refused = {
            "none": (404, "unknown_prompt", spoken),
            "goodbye": (415, "no_sound", b"#EXTM3U\nfile:secret.wav\n"),
            "beep": (415, "no_sound", write_wave(tmp_path / "long.wav", np.zeros(61 * 8000)).read_bytes()),
            "welcome": (413, "too_large", bytes(LARGEST_BYTES + 1)),
        }
        for name, (status, code, data) in refused.items():
            async with http.post(f"{url}/{name}", data=io.BytesIO(data), headers=headers) as answer:
                assert (answer.status, (await answer.json())["error"]) == (status, code), name

        for form, codec in FORMS.items():
            async with http.post(f"{url}/music", data=sound(form, codec), headers=headers) as answer:
                assert answer.status == 200, (form, await answer.text())
                assert abs((await answer.json())["duration_s"] - 1.0) <= 0.1, form
        async with http.get(f"{url}/music/sound", headers=headers) as answer:
            assert (await answer.read()).startswith(b"RIFF")
        async with http.delete(f"{url}/music", headers=headers) as answer:
            assert (await answer.json())["own"] is False
        async with http.get(url, headers=headers) as answer:
            listed = {one["name"]: one["own"] for one in json.loads(await answer.text())["prompts"]}
            assert [name for name, own in listed.items() if own] == ["welcome"]

    at = f"--data={tmp_path}"
    file = tmp_path / "music.flac"
    file.write_bytes(sound("flac", "flac"))
    await _in_thread(["prompts", at, "add", "music", str(file)])
    await _in_thread(["prompts", at, "remove", "welcome"])
    capsys.readouterr()
    await _in_thread(["prompts", at, "list"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["music", "ours", "1.0", "music.flac"] in rows
    assert ["welcome", "product's"] in rows


async def _in_thread(words: list[str]) -> None:
    assert await asyncio.to_thread(main, words) == 0
