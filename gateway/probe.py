"""`yihao probe`: dials the number from outside, again and again, and says whether a citizen would have been served.

Each call is made by `yihao dial` in a process of its own (pyVoIP, GPL-3), which knows nothing of the gateway and has a
bound on its time. Here is judged what came of it: that it was answered, that the welcome was heard, and how long the
first answer took on its way there and back.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from media.prompts import ZH

Sound = np.ndarray[Any, np.dtype[np.float64]]
ALIKE = 0.8
"""The least likeness of what was heard to the welcome, by how loud it is from one fiftieth of a second to the next."""
RATE = 8000
_FRAME = 160
_ENOUGH_S = 3.0
"""Of the welcome: its first words are it."""
_SPARE_S = 25.0
"""How long a call's process may take beyond the call, before it is killed."""
_ALARM_S = 10.0
_TIMES = "times: "


@dataclass(frozen=True, slots=True)
class Finding:
    """What one call found. Times in seconds; None where it did not come so far."""

    at: float
    answered: bool
    heard: bool
    """The welcome, not just any sound."""
    status: int
    """The last of SIP; 0 where nothing came back at all."""
    round_trip_s: float | None = None
    """From the INVITE to the first thing that came back."""
    answer_s: float | None = None

    @property
    def is_good(self) -> bool:
        """A citizen would have been served."""
        return self.answered and self.heard


class Gauges:
    """What Prometheus reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        one = self.registry
        self._up = Gauge("yihao_probe_up", "1 where the last call was answered and heard the welcome", registry=one)
        self._answered = Gauge("yihao_probe_answered", "1 where the last call was answered", registry=one)
        self._trip = Gauge("yihao_probe_round_trip_seconds", "From INVITE to the first response", registry=one)
        self._answer = Gauge("yihao_probe_answer_seconds", "From INVITE to the answer", registry=one)
        self._at = Gauge("yihao_probe_last_call_timestamp_seconds", "When the last call was made", registry=one)
        self._calls = Counter("yihao_probe_calls", "Calls made, by outcome", ["outcome"], registry=one)

    def note(self, finding: Finding) -> None:
        """One more call."""
        self._up.set(finding.is_good)
        self._answered.set(finding.answered)
        self._at.set(finding.at)
        if finding.round_trip_s is not None:
            self._trip.set(finding.round_trip_s)
        if finding.answer_s is not None:
            self._answer.set(finding.answer_s)
        outcome = "good" if finding.is_good else "unheard" if finding.answered else "unanswered"
        self._calls.labels(outcome=outcome).inc()


class Watch:
    """When somebody must be told: after so many calls in a row that failed, and once one is good again."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._failed = 0

    def looked(self, *, good: bool) -> str:
        """`down`, `up`, or nothing to tell."""
        was_down = self._failed >= self._after
        self._failed = 0 if good else self._failed + 1
        if good:
            return "up" if was_down else ""
        return "down" if self._failed == self._after else ""


def likeness(wanted: Sound, heard: Sound) -> float:
    """How alike two sounds are where they are most alike, by their loudness: 1 for the same, whatever their level."""
    pattern, other = _levels(wanted), _levels(heard)
    if not len(pattern) or len(other) < len(pattern):
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(other, len(pattern))
    windows = windows - windows.mean(axis=1, keepdims=True)
    shape = pattern - pattern.mean()
    norms = np.linalg.norm(windows, axis=1) * np.linalg.norm(shape)
    return float(np.max(windows @ shape / np.maximum(norms, 1e-9)))


def samples(path: Path) -> Sound:
    """Of a WAVE file of one channel at 8 kHz. Raises `OSError`, `wave.Error`, `EOFError`."""
    with wave.open(str(path), "rb") as file:
        frames, width = file.readframes(file.getnframes()), file.getsampwidth()
    if width == 2:
        return np.frombuffer(frames, dtype="<i2").astype(float)
    return (np.frombuffer(frames, dtype="u1").astype(float) - 128) * 256


async def call(arguments: argparse.Namespace, welcome: Sound) -> Finding:
    """One call, from its first packet to its last."""
    at = time.time()
    with tempfile.TemporaryDirectory(prefix="yihao-probe-") as folder:
        heard = Path(folder) / "heard.wav"
        dialler = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.dial", arguments.number, "--server", arguments.server),
            *("--save", str(heard), "--seconds", str(arguments.seconds), "--as", arguments.caller, "--times"),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(arguments.seconds + _SPARE_S):
                said, _ = await dialler.communicate()
        except TimeoutError:
            return Finding(at, answered=False, heard=False, status=0)
        finally:
            if dialler.returncode is None:
                dialler.kill()
                await dialler.wait()
        told = _told(said)
        answer_s = told.get("answer_s")
        like = await asyncio.to_thread(_likeness_in, heard, welcome) if answer_s is not None else 0.0
    return Finding(
        at,
        answered=answer_s is not None,
        heard=like >= ALIKE,
        status=int(told.get("status") or 0),
        round_trip_s=told.get("round_trip_s"),
        answer_s=answer_s,
    )


async def watch(arguments: argparse.Namespace) -> int:
    """Call until cancelled, or so often as was asked for: 1 where any of them was not good."""
    welcome = samples(arguments.welcome)[: int(_ENOUGH_S * RATE)]
    gauges, watched, are_good, made = Gauges(), Watch(arguments.after), True, 0
    if arguments.metrics:
        host, _, port = arguments.metrics.rpartition(":")
        start_http_server(int(port), addr=host or "127.0.0.1", registry=gauges.registry)
    while True:
        began, finding = time.monotonic(), await call(arguments, welcome)
        gauges.note(finding)
        made += 1
        are_good = are_good and finding.is_good
        sys.stdout.write(json.dumps({"good": finding.is_good, **asdict(finding)}) + "\n")
        sys.stdout.flush()
        state = watched.looked(good=finding.is_good)
        if state and arguments.alarm:
            await _alarm(arguments.alarm, state, finding)
        if made == arguments.count:
            return 0 if are_good else 1
        await asyncio.sleep(max(0.0, arguments.every - (time.monotonic() - began)))


async def _alarm(url: str, state: str, finding: Finding) -> None:
    """Whoever is to be woken. That they could not be told is said, and the next call is made all the same."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ALARM_S)) as http,
            http.post(url, json={"state": state, **asdict(finding)}) as answer,
        ):
            if answer.status < 300:
                return
            fault = f"answered {answer.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        fault = type(error).__name__
    sys.stderr.write(f"yihao probe: the alarm was not taken: {fault}\n")


def main(words: Sequence[str] | None = None) -> int:
    """0 where all calls were good, 1 where one was not, 2 when the arguments are wrong."""
    try:
        return asyncio.run(watch(_arguments(words)))
    except KeyboardInterrupt:
        return 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="yihao probe", description="Dial the number from outside, again and again.")
    parser.add_argument("number", nargs="?", default="12345")
    parser.add_argument("--server", default="127.0.0.1:5060", help="where SIP listens, host:port")
    parser.add_argument("--every", type=float, default=60.0, help="seconds from one call to the next")
    parser.add_argument("--count", type=int, default=0, help="how many calls; 0 never ends")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each call lasts")
    parser.add_argument("--as", dest="caller", default="13800138000", help="the number to call from")
    parser.add_argument("--welcome", type=Path, default=ZH / "welcome.wav", help="the welcome that is to be heard")
    parser.add_argument("--after", type=int, default=2, help="alarm after so many failed calls in a row")
    parser.add_argument("--alarm", default="", help="a URL that is told by POST when the number is down, and up again")
    parser.add_argument("--metrics", default="", help="where Prometheus may read, host:port")
    arguments = parser.parse_args(words)
    try:
        samples(arguments.welcome)
    except (OSError, EOFError, wave.Error) as error:
        parser.error(f"--welcome: {error}")
    if arguments.metrics and not arguments.metrics.rpartition(":")[2].isdigit():
        parser.error("--metrics wants host:port")
    if arguments.alarm and urlsplit(arguments.alarm).scheme not in {"http", "https"}:
        parser.error("--alarm wants a URL")
    if arguments.every <= 0 or arguments.after < 1 or arguments.count < 0:
        parser.error("--every, --after and --count want numbers that are not negative")
    return arguments


def _told(said: bytes) -> dict[str, float]:
    """What the dialler has told of the call's times: its last line that says so."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.startswith(_TIMES)]
    told: dict[str, float] = json.loads(lines[-1].removeprefix(_TIMES)) if lines else {}
    return told


def _likeness_in(path: Path, welcome: Sound) -> float:
    try:
        return likeness(welcome, samples(path))
    except (OSError, EOFError, wave.Error):
        return 0.0


def _levels(sound: Sound) -> Sound:
    """The loudness of each 20 ms."""
    levels: Sound = np.abs(sound[: len(sound) // _FRAME * _FRAME]).reshape(-1, _FRAME).mean(axis=1)
    return levels


if __name__ == "__main__":
    sys.exit(main())
