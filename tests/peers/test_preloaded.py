"""What is forked is a process of its own, and its end is told as that of any other."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.preloaded import Nursery, nursery

CANNOT_START = ["up", "--data", "data", "--set", "http.prot=1"]


@pytest.mark.parametrize(("arguments", "code", "said"), [(["--help"], 0, "usage: yihao"), (CANNOT_START, 1, "prot")])
def test_it_says_and_ends_as_the_command_does(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    log = tmp_path / "said.txt"
    child = nursery().start(arguments, log)
    assert child.pid != os.getpid()
    assert child.wait(30) == code
    assert child.poll() == code
    assert said in log.read_text()
    child.kill()  # as with a `Popen`: nobody is hit who has come to the number since


async def test_it_ends_with_who_started_it(short_folder: Path, eventually: Eventually) -> None:
    own = Nursery()
    sets = ("http.port=0", "sip.port=0", "bots.guide=false")
    arguments = ["up", "--data", str(short_folder / "data"), *(f"--set={one}" for one in sets)]
    child = await asyncio.to_thread(own.start, arguments, short_folder / "said.txt")
    await eventually(lambda: "12345" in (short_folder / "said.txt").read_text(), deadline_s=60)
    folder = Path(f"/proc/{child.pid}")
    assert folder.exists()
    own.kill()
    await eventually(lambda: not folder.exists(), deadline_s=30)


def test_a_signal_ends_it(tmp_path: Path) -> None:
    child = nursery().start(["up", "--data", str(tmp_path / "data")], tmp_path / "said.txt")
    child.send_signal(signal.SIGKILL)
    assert child.wait(30) == -signal.SIGKILL
