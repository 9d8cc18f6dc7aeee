"""The store that comes along: durable, one a data folder, back at once, gone with its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from queueing.embedded import LONGEST_SOCKET, EmbeddedValkey
from queueing.errors import EmbeddedStoreFailed
from queueing.store import RedisStore
from session.ports import StoreUnavailable
from tests.conftest import Eventually
from tests.queueing.house import PEPPER, TENANT, Clock, House


def pid_in(folder: Path) -> int | None:
    """The server that runs on a folder."""
    found = subprocess.run(["pgrep", "-f", f"unixsocket:{folder}/"], capture_output=True, text=True, check=False)
    pids = [int(pid) for pid in found.stdout.split()]
    return pids[0] if pids else None


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before it was opened, or before it was read
        return True


async def died(pid: int, eventually: Eventually) -> None:
    await eventually(lambda: gone(pid), 2)


async def test_it_is_durable_and_listens_on_no_port(short_folder: Path) -> None:
    async with (
        EmbeddedValkey(short_folder / "store") as valkey,
        RedisStore.connect(valkey.url, tenant=TENANT, pepper=PEPPER) as store,
    ):
        assert await store.ready()
        assert await store.server.send("CONFIG", "GET", "port") == [b"port", b"0"]
        assert stat.S_IMODE((short_folder / "store").stat().st_mode) == 0o700
        assert stat.S_IMODE((short_folder / "store" / "valkey.sock").stat().st_mode) == 0o700


async def test_what_was_acknowledged_is_there_after_a_kill_and_clients_go_on(
    short_folder: Path, eventually: Eventually
) -> None:
    async with (
        EmbeddedValkey(short_folder) as valkey,
        RedisStore.connect(valkey.url, tenant=TENANT, pepper=PEPPER) as store,
    ):
        house = House(store, Clock())
        for number in range(3):
            await house.open(f"S{number}")
            pid = pid_in(short_folder)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await died(pid, eventually)

            async def back() -> bool:
                try:
                    # TIME is answered while the log is still loaded; what is kept in it is not.
                    return bool(await store.log.read("S0"))  # type: ignore[arg-type] # a plain name will do
                except StoreUnavailable:
                    return False

            await eventually(back, 3)
            for earlier in range(number + 1):
                assert len(await store.log.read(f"S{earlier}")) == 2  # type: ignore[arg-type] # a plain name will do


async def test_processes_of_one_folder_share_one_server(short_folder: Path, eventually: Eventually) -> None:
    async with EmbeddedValkey(short_folder) as second_to_leave:
        async with EmbeddedValkey(short_folder) as guest:
            assert guest.url == second_to_leave.url
            first = pid_in(short_folder)
        assert pid_in(short_folder) == first, "a guest that leaves takes nothing along"
    assert pid_in(short_folder) is None


PARENT = """
import asyncio, sys
from pathlib import Path
from queueing.embedded import EmbeddedValkey
async def main():
    async with EmbeddedValkey(Path(sys.argv[1])):
        print("up", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_it_dies_with_its_parent_and_another_process_has_it_up_again(
    short_folder: Path, eventually: Eventually
) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(short_folder), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert parent.stdout is not None
        assert await asyncio.wait_for(parent.stdout.readline(), 10) == b"up\n"
        async with (
            EmbeddedValkey(short_folder) as valkey,
            RedisStore.connect(valkey.url, tenant=TENANT, pepper=PEPPER) as store,
        ):
            await House(store, Clock()).open("S1")
            pid = pid_in(short_folder)
            assert pid is not None
            parent.kill()
            await parent.wait()
            await eventually(lambda: gone(pid), 2)

            async def kept() -> bool:
                try:
                    return len(await store.log.read("S1")) == 2  # type: ignore[arg-type] # a plain name will do
                except StoreUnavailable:
                    return False

            await eventually(kept, 5)
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()
        parent._transport.close()  # type: ignore[attr-defined] # else it is closed after the loop


async def test_a_long_path_gets_a_short_socket(short_folder: Path) -> None:
    deep = short_folder / ("很深的文件夹" * 8)
    async with EmbeddedValkey(deep) as one, EmbeddedValkey(deep) as other:
        socket = Path(one.url.removeprefix("unix://"))
        assert len(os.fsencode(socket)) <= LONGEST_SOCKET
        assert one.url == other.url
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    socket.parent.chmod(0o755)
    with pytest.raises(EmbeddedStoreFailed, match="not ours alone"):
        await EmbeddedValkey(deep).__aenter__()
    for left in socket.parent.iterdir():
        left.unlink()
    socket.parent.rmdir()


async def test_a_folder_with_a_broken_log_says_so(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueing.embedded.READY_S", 0.5)
    (short_folder / "appendonlydir").write_text("no folder")
    with pytest.raises(EmbeddedStoreFailed, match="appendonly"):
        await EmbeddedValkey(short_folder).__aenter__()
    assert pid_in(short_folder) is None
