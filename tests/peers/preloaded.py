"""The program `yihao` without the time that its loading takes: forked from a process that has loaded it, and no more.

Loading is two seconds of a core, and the tests start a hundred gateways. What is forked does all that the command does
from its arguments on, in a process of its own, with streams and a working directory of its own. One thing is different:
it hashes passwords cheaply, as all of tests/gateway does; what a hash costs is the matter of tests/accounts.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.peers.child import die_with_parent

_ENDS_S = 10.0

HOUSE = Path(__file__).resolve().parent.parent.parent


class Forked:
    """One such process. It is asked and told as a `Popen` is."""

    def __init__(self, nursery: "Nursery", pid: int, args: Sequence[str]) -> None:
        self._nursery = nursery
        self.pid, self.args = pid, args
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.code_of(self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        ends_at = float("inf") if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
            time.sleep(0.005)
        return code

    def send_signal(self, sig: int) -> None:
        """Its number stays its own until its end has been asked for."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The process that has loaded the program. It ends when this one has ended, and all that it forked ends with it."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(its.fileno())], pass_fds=[its.fileno()], cwd=HOUSE
            )
        self._line = ours.makefile("rw")
        ours.close()
        self._turn = threading.Lock()

    def close(self) -> None:
        with suppress(OSError):
            self._line.close()
        try:
            self._process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self.close()

    def start(self, arguments: Sequence[str], log: Path, clock: Path | None = None) -> Forked:
        """`yihao ARGUMENTS` in the folder of `log`, to which it says all. For `clock` see `Order`."""
        log.touch()
        answer = self._ask({"arguments": list(arguments), "log": str(log), "clock": str(clock or "")})
        return Forked(self, int(answer["pid"]), arguments)

    def code_of(self, pid: int) -> int | None:
        """The exit code of one that has ended."""
        code: int | None = self._ask({"ended": pid})["code"]
        return code

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with self._turn:
            self._line.write(json.dumps(question) + "\n")
            self._line.flush()
            answer = self._line.readline()
        if not answer:
            raise RuntimeError(f"the process that forks gateways has ended with {self._process.wait()}")
        return dict(json.loads(answer))


@cache
def nursery() -> Nursery:
    """This process's own, made when it is first asked for."""
    made = Nursery()
    atexit.register(made.close)
    return made


# --- the other process -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """What a forked process is to do."""

    arguments: list[str]
    log: str
    clock: str = ""
    """A file that says by how many seconds the wall clock is wrong, whenever it is read; none where it is right."""

    def begin(self) -> None:
        """Be a process as one is that was started by its name."""
        die_with_parent()
        os.chdir(Path(self.log).parent)
        for file, flags, stream in (
            (os.devnull, os.O_RDONLY, 0),
            (self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1),
        ):
            opened = os.open(file, flags, 0o644)
            os.dup2(opened, stream)
            os.close(opened)
        os.dup2(1, 2)
        sys.argv = ["yihao", *self.arguments]
        if self.clock:
            true, wrong_by = time.time, Path(self.clock)
            time.time = lambda: true() + float(wrong_by.read_text())


def load() -> None:
    """All that a gateway's start loads."""
    import uvloop  # noqa: F401 - here it is only loaded

    import accounts.passwords
    from gateway import doors, up  # noqa: F401 - here it is only loaded

    doors.doors()
    accounts.passwords._MEMORY_KIB, accounts.passwords._PASSES = 64, 1


def serve(line: socket.socket) -> Order:
    """Fork what is asked for and say how it ended, until nobody asks. Comes back in what was forked."""
    with line, line.makefile("rw") as stream:
        for question in stream:
            asked = json.loads(question)
            if "ended" in asked:
                pid, status = os.waitpid(asked["ended"], os.WNOHANG)
                answer = {"code": os.waitstatus_to_exitcode(status) if pid else None}
            elif pid := os.fork():
                answer = {"pid": pid}
            else:
                return Order(**asked)
            stream.write(json.dumps(answer) + "\n")
            stream.flush()
    sys.exit()


def main() -> int:
    from gateway import cli

    load()
    order = serve(socket.socket(fileno=int(sys.argv[1])))
    order.begin()
    return cli.main(order.arguments)


if __name__ == "__main__":
    sys.exit(main())
