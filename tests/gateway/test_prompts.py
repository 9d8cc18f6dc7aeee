"""The operator's own announcements: by command and over HTTP, heard by the next caller without a restart."""

import asyncio
import io
import itertools
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import av
import numpy as np
import pytest

from accounts.audit import Audit
from config.loading import load
from config.settings import Settings
from gateway import agents
from gateway.agents import Wanted
from gateway.announcements import LARGEST_BYTES
from gateway.cli import main
from gateway.prompts import PromptShelf
from media.decoder import Decoder
from media.prompts import PromptLibrary
from rulebook.hours import CITY
from rulebook.prompts import Notice, Prompts
from storage.database import Database
from storage.sounds import Sounds
from tests.conftest import Eventually
from tests.gateway.living import living
from tests.peers.caller import Telephones
from tests.peers.sound import Sound, likeness, speech, write_wave

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


@dataclass
class Administrator:
    """Who is logged in and may change what callers hear."""

    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]

    async def upload(self, data: bytes, file: str = "a.wav") -> tuple[int, dict[str, Any]]:
        headers = {**self.headers, "X-Filename": quote(file)}
        async with self.http.post(f"{self.url}/api/prompts/sounds", data=io.BytesIO(data), headers=headers) as answer:
            return answer.status, await answer.json()

    async def seconds(self, piece: str) -> float:
        """How long lasts what callers hear of a piece now."""
        async with self.http.get(f"{self.url}/api/prompts", headers=self.headers) as answer:
            listed = (await answer.json())["prompts"]
        return float(next(one["seconds"] for one in listed if one["name"] == piece))

    async def ask(self, path: str, **given: Any) -> tuple[int, Any]:
        url = f"{self.url}/api/admin/rules/prompts{path}"
        async with self.http.request(
            "POST" if given else "GET", url, json=given or None, headers=self.headers
        ) as answer:
            return answer.status, await answer.json()

    async def put(self, expected: int, pieces: Sequence[object] = (), notices: Sequence[object] = ()) -> Any:
        document = {"pieces": pieces, "notices": notices}
        return await self.ask("", document=document, expected=expected, why="测试")


async def _logged_in(http: aiohttp.ClientSession, url: str, settings: Settings) -> Administrator:
    told = await agents.add(settings, Wanted("9001", "管理", None, "administrator", ("general",), ()))
    password = next(line.split()[-1] for line in told.splitlines() if line.startswith("password"))
    given = {"login": "9001", "password": password}
    async with http.post(f"{url}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
        return Administrator(http, url, {"Cookie": f"yihao={answer.cookies['yihao'].value}", "X-Yihao": "1"})


async def test_what_is_uploaded_and_scheduled_is_heard_by_the_next_caller(
    valkey_url: str, tmp_path: Path, eventually: Eventually, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sound in place of the welcome; a notice before it; another sound; and back: the earlier one is heard again."""
    first, second, storm = (speech(1, seed=seed) for seed in (71, 72, 73))
    settings = load(arguments=[f"data={tmp_path}"], environment={})
    async with living(valkey_url, tmp_path) as town, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        admin = await _logged_in(http, town.http, settings)
        kept = {}
        for name, said in (("欢迎.wav", first), ("新.wav", second), ("台风.wav", storm)):
            status, kept[name] = await admin.upload(write_wave(tmp_path / "said.wav", said).read_bytes(), name)
            assert (status, kept[name]["file"]) == (200, name)
        own, other = ({**kept[name], "name": "welcome"} for name in ("欢迎.wav", "新.wav"))
        span = {"starts": "2026-01-01T00:00:00", "ends": "2099-01-01T00:00:00"}
        notice = {**kept["台风.wav"], "name": "台风", **span}

        numbers = itertools.count()
        async with Telephones(("127.0.0.1", town.house.sip.port)) as telephones:

            async def hears(*said: Sound) -> None:
                """Callers hear these, one after the other, once the node has looked."""

                async def looked() -> bool:
                    return await admin.seconds("welcome") == len(said)

                await eventually(looked)
                call = await telephones.call(caller=f"138{next(numbers):08}")  # who comes back is not welcomed anew
                await call.answered()
                whole = np.concatenate(said)
                await eventually(lambda: likeness(whole, call.sound.heard()).correlation > 0.8)
                await call.hang_up()

            assert await admin.put(0, [own]) == (200, {"version": 1})
            await hears(first)
            assert await admin.put(1, [own], [notice]) == (200, {"version": 2})
            await hears(storm, first)
            over = {**notice, "ends": "2026-01-02T00:00:00"}
            assert await admin.put(2, [other], [over]) == (200, {"version": 3})
            await hears(second)
            assert (await admin.ask("/versions/3"))[1]["changes"] == [
                {"at": ["pieces", "welcome", "sound"], "before": own["sound"], "after": other["sound"]},
                {"at": ["pieces", "welcome", "file"], "before": "欢迎.wav", "after": "新.wav"},
                {"at": ["notices", "台风", "ends"], "before": span["ends"], "after": "2026-01-02T00:00:00"},
            ]
            assert await admin.ask("/rollback", to=2, expected=3, why="恢复") == (200, {"version": 4})
            await hears(storm, first)

        refused = {
            "no_sound": b"#EXTM3U\nfile:secret.wav\n",
            "too_short": write_wave(tmp_path / "short.wav", np.zeros(80)).read_bytes(),
            "too_large": bytes(LARGEST_BYTES + 1),
        }
        for code, data in refused.items():
            status, told = await admin.upload(data)
            assert (status, told["error"]) == (413 if code == "too_large" else 415, code)
        _, long = await admin.upload(write_wave(tmp_path / "long.wav", np.zeros(61 * 8000)).read_bytes())
        unknown = {"sound": "0" * 32, "file": "无.wav", "seconds": 1.0}
        for piece, fault in (
            ({**own, "name": "none"}, "there is no piece"),
            ({**unknown, "name": "beep"}, "upload it first"),
            ({**long, "name": "beep"}, "which only music may"),
            ({**own, "seconds": 9.0}, "lasts 1.0 s"),
        ):
            status, told = await admin.put(4, [piece])
            assert (status, told["error"]) == (400, "invalid"), piece
            assert fault in told["fault"]
        assert await admin.put(4, [own, {**long, "name": "music"}], [notice]) == (200, {"version": 5})

        for form, codec in FORMS.items():
            status, put = await admin.upload(sound(form, codec))
            assert status == 200, (form, put)
            assert abs(put["seconds"] - 1.0) <= 0.1, form
        for path in (f"sounds/{own['sound']}", "welcome/sound"):
            async with http.get(f"{town.http}/api/prompts/{path}", headers=admin.headers) as answer:
                assert (await answer.read()).startswith(b"RIFF")

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
    assert next(row for row in rows if row[1] == "before")[3:5] == ["台风,", "台风.wav,"]

    await _in_thread(["rules", at, "export", str(tmp_path / "rules")])
    elsewhere = f"--data={tmp_path / 'elsewhere'}"
    await _in_thread(["rules", elsewhere, "import", str(tmp_path / "rules"), "--yes"])
    capsys.readouterr()
    await _in_thread(["prompts", elsewhere, "list"])
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == rows, "with their sounds"


async def test_a_notice_begins_and_ends_by_itself(sqlite_history: str, tmp_path: Path) -> None:
    """Nobody writes a version at its end: the node looks at the clock."""
    said = write_wave(tmp_path / "said.wav", speech(0.5, seed=7)).read_bytes()
    lengths, now = [], 0.0
    async with Database.open(sqlite_history) as database:
        kept = await Sounds(database).keep(said, duration_s=0.5, file="a.wav", author="9001", at=0.0)
        starts, ends = (datetime.fromisoformat(f"2026-11-29T{hour}:00:00") for hour in ("08", "09"))
        notice = Notice(name="停水", sound=kept.id, file="a.wav", seconds=0.5, starts=starts, ends=ends)
        document, library = Prompts(notices=(notice,)), PromptLibrary.load()
        alone = round(library.seconds("welcome"), 3)
        shelf = PromptShelf(database, Decoder(), library, Audit(database, _never), lambda: document, lambda: now)
        for hour in (7.99, 8.0, 8.99, 9.0):
            now = datetime(2026, 11, 29, tzinfo=CITY).timestamp() + hour * 3600
            await shelf.look()
            lengths.append(round(library.seconds("welcome"), 3))
    assert lengths == [alone, round(alone + 0.5, 3), round(alone + 0.5, 3), alone]


async def _never() -> float:
    return 0.0


async def _in_thread(words: list[str]) -> None:
    assert await asyncio.to_thread(main, words) == 0
