"""The shared fixtures keep their promises."""

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import redis.asyncio

from tests.conftest import Eventually
from tests.peers.valkey import ValkeyServer

HOUSE = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("turn", [1, 2])
async def test_valkey_is_empty_durable_and_never_evicts(valkey_url: str, turn: int) -> None:
    async with redis.asyncio.Redis.from_url(valkey_url, decode_responses=True) as client:
        assert await client.dbsize() == 0
        wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}
        assert await client.config_get(*wanted) == wanted
        await client.set(f"left-by-{turn}", "x")


async def test_valkey_keeps_its_data_when_killed(short_folder: Path) -> None:
    server = ValkeyServer(short_folder)
    server.start()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        await client.set("acknowledged", "x")
    server.kill()
    server.start()
    async with redis.asyncio.Redis.from_url(server.url) as client:
        assert await client.get("acknowledged") == b"x"
    server.stop()


async def test_a_server_dies_with_a_killed_test_run(short_folder: Path, eventually: Eventually) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.peers.valkey import ValkeyServer;"
        "server = ValkeyServer(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); time.sleep(60)"
    )
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(short_folder), stdout=asyncio.subprocess.PIPE, cwd=HOUSE
    )
    assert run.stdout
    server = Path(f"/proc/{int(await run.stdout.readline())}/cmdline")
    assert b"valkey" in server.read_bytes()
    run.kill()
    await run.wait()
    await eventually(lambda: not server.exists() or not server.read_bytes())


@pytest.mark.parametrize("turn", [1, 2])
async def test_postgres_gives_a_fresh_database(postgres_url: str, turn: int) -> None:
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    await connection.execute("CREATE TABLE seen (turn int)")
    await connection.execute("INSERT INTO seen VALUES ($1)", turn)
    assert await connection.fetchval("SELECT turn FROM seen") == turn
    await connection.close()


def test_free_ports_differ_and_can_be_bound(free_port: Callable[[], int]) -> None:
    first, second = free_port(), free_port()
    assert first != second
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as end:
            end.bind(("127.0.0.1", first))


async def test_eventually_waits_for_a_value(eventually: Eventually) -> None:
    heard: list[str] = []
    asyncio.get_running_loop().call_later(0.02, heard.append, "hello")
    assert await eventually(lambda: heard and heard[0]) == "hello"


async def test_eventually_awaits_a_coroutine(eventually: Eventually) -> None:
    async def answer() -> int:
        return 42

    assert await eventually(answer) == 42


async def test_eventually_fails_at_its_deadline(eventually: Eventually) -> None:
    with pytest.raises(pytest.fail.Exception, match="not within"):
        await eventually(lambda: False, deadline_s=0.01)


def test_a_task_left_running_fails_its_test(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Path(__file__).with_name("conftest.py")
    monkeypatch.setenv("PYTHONPATH", str(ours.parent.parent))
    pytester.makeconftest(ours.read_text())
    pytester.makeini("[pytest]\nasyncio_mode = auto\n")
    pytester.makepyfile(
        """
        import asyncio

        async def test_leaks():
            global kept
            kept = asyncio.create_task(asyncio.sleep(60), name="forgotten")

        async def test_ends():
            task = asyncio.create_task(asyncio.sleep(60))
            task.cancel()

        def test_plain():
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:valkey", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*tasks left running: forgotten*"])
