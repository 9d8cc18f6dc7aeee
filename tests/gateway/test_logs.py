"""Logs: one line each, of listed fields; nothing that a citizen said gets into one, by whichever way."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.logs import FIELDS, JsonLines, PlainLines

CANARY = "王小明 13800138000 路灯坏了"
FORMATTERS: tuple[Callable[[], logging.Formatter], ...] = (JsonLines, lambda: PlainLines("%(levelname)s %(message)s"))


def _record(name: str, message: object, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger(name).makeRecord(name, logging.ERROR, __file__, 1, message, args, None, extra=extra)


def _failing() -> logging.LogRecord:
    try:
        _fail(CANARY)
    except ValueError:
        record = _record("gateway.node", "duty failed", duty="sweep")
        record.exc_info = sys.exc_info()
        return record
    raise AssertionError


def _fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_fields_are_those_on_the_list(formatter: Callable[[], logging.Formatter]) -> None:
    line = formatter().format(_record("gateway.node", "served", session="01H", caller=CANARY, text=CANARY))
    assert "01H" in line
    assert CANARY not in line
    assert not FIELDS & {"number", "name", "text", "address", "citizen", "caller", "url", "visitor", "login"}


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_an_exceptions_own_words_stay_out(formatter: Callable[[], logging.Formatter]) -> None:
    """Its kind and where it was raised are said; its text may quote what a citizen sent."""
    line = formatter().format(_failing())
    assert "ValueError" in line
    assert "_fail:" in line
    assert CANARY not in line
    assert "\n" not in line


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    "record",
    [
        lambda: _record("aiohttp.server", "Error handling request from %s", CANARY),
        lambda: _record("aiosqlite", "executing %s", CANARY),
        lambda: _record("asyncio", f"Task exception was never retrieved\nfuture: <Task exception={CANARY}>"),
        lambda: _record("asyncio", ValueError(CANARY).__class__.__name__ + "\n" + CANARY),
        lambda: _record("sessionlike", "%s", CANARY),
    ],
)
def test_a_librarys_arguments_stay_out(
    formatter: Callable[[], logging.Formatter], record: Callable[[], logging.LogRecord]
) -> None:
    line = formatter().format(record())
    assert CANARY not in line
    assert "\n" not in line


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_our_own_arguments_are_said(formatter: Callable[[], logging.Formatter]) -> None:
    assert "100% of 3" in formatter().format(_record("media.engine", "%d%% of %d", 100, 3))


def test_json_is_one_object_a_line() -> None:
    line = json.loads(JsonLines().format(_record("gateway.node", "two\nlines", session="01H", lag_s=1.5)))
    assert line["what"] == "two\nlines"
    assert (line["level"], line["from"], line["session"], line["lag_s"]) == ("error", "gateway.node", "01H", 1.5)
    assert line["at"].endswith("+00:00")


PROGRAM = """
import asyncio, gc, logging, sys
import aiosqlite
from aiohttp import ClientSession, web
from gateway import logs
CANARY = sys.argv[2]
logs.set_up("debug", sys.argv[1])

async def fails(request):
    await request.read()
    raise ValueError(CANARY)

async def forgotten():
    raise ValueError(CANARY)

async def main():
    asyncio.get_running_loop().set_debug(True)
    async with aiosqlite.connect(":memory:") as db:
        await db.execute("SELECT ?", (CANARY,))
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", fails)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with ClientSession() as http:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        async with http.post(url, params={"q": CANARY}, data=CANARY) as answer:
            assert answer.status == 500
    await runner.cleanup()
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    asyncio.get_running_loop().call_soon(fails_at_once, CANARY)
    await asyncio.sleep(0.01)
    logging.getLogger("gateway.node").info("done", extra={"session": "01H"})

def fails_at_once(text):
    raise ValueError(text)

asyncio.run(main())
"""


@pytest.mark.parametrize("form", ["json", "plain"])
async def test_real_libraries_in_a_real_process_say_nothing(form: str, tmp_path: Path) -> None:
    """With everything turned on: a web handler that fails, a database, tasks and callbacks that nobody looked after."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-W", "ignore", str(program), form, CANARY],
        capture_output=True,
        check=False,
        timeout=30,
        cwd=Path(__file__).parent.parent.parent,
        env={"PYTHONPATH": "."},
    )
    said = ended.stderr.decode()
    assert ended.returncode == 0, said
    assert "Error handling request" in said
    assert "never retrieved" in said
    assert "ValueError" in said, "what went wrong can still be told"
    for part in CANARY.split():
        assert part not in said
        assert json.dumps(part)[1:-1] not in said
    assert ended.stdout == b""
    if form == "json":
        assert all(json.loads(line)["at"] for line in said.splitlines())
