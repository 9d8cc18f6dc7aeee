"""`yihao probe`: what it makes of a call, and whom it tells. sipp is called; the real gateway is in the scenarios."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web

from gateway.probe import Finding, Gauges, Watch, likeness, main
from tests.peers.sipp import ACKNOWLEDGED, CALLED, Sipp, response
from tests.peers.sound import RATE, speech

GOOD = Finding(1.0, answered=True, heard=True, status=200, round_trip_s=0.002, answer_s=0.25)


def test_the_welcome_is_known_in_the_middle_of_a_call_and_at_another_level() -> None:
    welcome, other = speech(2, seed=1), speech(2, seed=2)
    heard = np.concatenate([np.zeros(RATE), 0.3 * welcome, other])
    assert likeness(welcome, heard) > 0.95
    assert likeness(welcome, np.concatenate([other, other])) < 0.6
    assert likeness(welcome, welcome[:RATE]) == 0.0
    assert likeness(welcome, np.zeros(3 * RATE)) == 0.0


def test_it_is_told_once_that_the_number_is_down_and_once_that_it_is_up() -> None:
    watch = Watch(after=2)
    found = [watch.looked(good=good) for good in (True, False, True, False, False, False, True, True)]
    assert found == ["", "", "", "", "down", "", "up", ""]


def test_what_prometheus_reads() -> None:
    gauges = Gauges()
    gauges.note(GOOD)
    gauges.note(Finding(2.0, answered=False, heard=False, status=503, round_trip_s=0.004))
    shown = {one.name: one.value for family in gauges.registry.collect() for one in family.samples if not one.labels}
    assert (shown["yihao_probe_up"], shown["yihao_probe_answered"]) == (0.0, 0.0)
    assert (shown["yihao_probe_round_trip_seconds"], shown["yihao_probe_answer_seconds"]) == (0.004, 0.25)
    counted = gauges.registry.get_sample_value("yihao_probe_calls_total", {"outcome": "unanswered"})
    assert counted == 1.0


async def probe(*arguments: str) -> tuple[int | None, list[dict[str, object]], str]:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.probe", "12345", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(program.communicate(), 60)
    return program.returncode, [json.loads(line) for line in out.splitlines()], errors.decode()


async def test_a_number_that_refuses_is_down_and_somebody_is_told(tmp_path: Path, free_port: Callable[[], int]) -> None:
    told: list[dict[str, object]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(await request.json())
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/alarm", take)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    alarm = f"http://127.0.0.1:{runner.addresses[0][1]}/alarm"
    port, media = free_port(), free_port()
    only = ("-m", "1", "-p", str(port), "-mp", str(media))
    try:
        async with Sipp(tmp_path / "sipp", "", (CALLED, response(503, tag="no"), ACKNOWLEDGED), arguments=only):
            code, (found,), errors = await probe(
                *("--server", f"127.0.0.1:{port}", "--count", "1", "--after", "1", "--alarm", alarm)
            )
    finally:
        await runner.cleanup()
    assert (code, errors) == (1, "")
    assert (found["good"], found["answered"], found["status"], found["answer_s"]) == (False, False, 503, None)
    assert isinstance(found["round_trip_s"], float)
    assert [(one["state"], one["status"]) for one in told] == [("down", 503)]


@pytest.mark.parametrize(
    ("argument", "value"),
    [("--welcome", "/nowhere.wav"), ("--metrics", "here"), ("--alarm", "mail"), ("--every", "0"), ("--after", "0")],
)
def test_what_it_does_not_understand_it_says(argument: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([argument, value])
    assert left.value.code == 2
    assert argument in capsys.readouterr().err
