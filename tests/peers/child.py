"""A server process that never outlives the test run, not even one that is killed."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

# prctl(2): the kernel sends this signal to the calling process when the thread that made it ends.
PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None, use_errno=True)


class Child(Protocol):
    """A process that we have started: a `Popen`, or what answers as one does."""

    pid: int
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


def die_with_parent() -> None:
    """Called in the child. Only Linux can promise it."""
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_child(arguments: list[str], log: Path, *, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a server in the background; what it prints goes to `log`.

    It is killed by the kernel if this process dies first: a server left behind would hold its folder
    and its memory until the machine is restarted.
    """
    with log.open("ab") as sink:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
            preexec_fn=die_with_parent,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )


def wait_until_ready(
    child: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, deadline_s: float = 15.0
) -> None:
    """Return as soon as the server answers; raise with the end of its log when it dies or stays silent."""
    ends_at = time.monotonic() + deadline_s
    while not answers():
        exit_code = child.poll()
        if exit_code is not None or time.monotonic() > ends_at:
            state = "did not answer in time" if exit_code is None else f"exited with {exit_code}"
            raise RuntimeError(f"{child.args!r} {state}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)


def stop_child(child: Child, how: signal.Signals, deadline_s: float = 10.0) -> None:
    """Ask a child to end, wait for it, and kill it when it doesn't."""
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(deadline_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
