"""Debian's rtpengine as we ship it, on loopback: in user space, without the kernel's module."""

import atexit
import functools
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from socket import create_connection

from tests.peers.child import start_child, stop_child, wait_until_ready
from tests.peers.ports import free_pair
from tests.peers.yihao import HOUSE


class RtpengineMissingError(Exception):
    """No rtpengine on this machine."""

    def __init__(self) -> None:
        super().__init__("rtpengine is not on this machine: install Debian's package rtpengine-daemon")


@dataclass
class Rtpengine:
    """One daemon."""

    folder: Path
    port: int = field(default_factory=free_pair)
    _child: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def ports(self) -> range:
        """For sound. Daemons of one machine do not see each other's, so each has its own."""
        lowest = 32768 + (self.port - 20_000) // 2 % 150 * 200
        return range(lowest, lowest + 199)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    def start(self) -> "Rtpengine":
        """Start it, and come back when it can be asked."""
        program = shutil.which("rtpengine")
        if program is None:
            raise RtpengineMissingError
        log = self.folder / f"rtpengine-{self.port}.log"
        pidfile = f"--pidfile={self.folder}/rtpengine-{self.port}.pid"
        self._child = start_child(
            [program, "-f", "-E", f"--config-file={self._configured()}", "--num-threads=1", pidfile], log
        )
        wait_until_ready(self._child, self._answers, log)
        return self

    def kill(self) -> None:
        """As a crash does."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()

    def stop(self) -> None:
        if self._child is not None:
            stop_child(self._child, signal.SIGTERM)
            self._child = None

    def _configured(self) -> Path:
        """The file that we ship, with addresses of this machine."""
        text = (HOUSE / "deploy" / "rtpengine" / "rtpengine.conf").read_text()
        ours = {
            "interface": ";".join(f"{name}/{host}" for name in ("far", "near") for host in ("127.0.0.1", "::1")),
            "listen-tcp-ng": f"127.0.0.1:{self.port}",
            "port-min": self.ports.start,
            "port-max": self.ports.stop,
        }
        for key, value in ours.items():
            text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
            assert found == 1, key
        file = self.folder / f"rtpengine-{self.port}.conf"
        file.write_text(text)
        return file

    def _answers(self) -> bool:
        with suppress(OSError), create_connection(self.address, 0.2):
            return True
        return False


@functools.cache
def shared() -> Rtpengine:
    """One for all tests of a process that leave it as they found it."""
    folder = tempfile.TemporaryDirectory(prefix="rtpengine-")
    daemon = Rtpengine(Path(folder.name)).start()
    atexit.register(folder.cleanup)
    atexit.register(daemon.stop)
    return daemon
