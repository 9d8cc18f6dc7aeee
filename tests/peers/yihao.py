"""`yihao up`: a process of its own, on free ports, with a data folder of its own."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from tests.peers.child import Child, start_child, stop_child
from tests.peers.preloaded import HOUSE, nursery

__all__ = ["COMMAND", "HOUSE", "Credentials", "Yihao"]

COMMAND = (str(Path(sys.executable).with_name("yihao")),)
"""What an operator types. A `program` for those tests in which its loading is a part of what is shown."""
STARTUP_S = 30.0
DRAIN_S = 45.0


@dataclass(frozen=True)
class Credentials:
    """One demo agent."""

    login: str
    password: str
    extension: str
    sip_password: str


@dataclass
class Yihao:
    """One gateway process. `sets` are arguments `--set`; several on one `store.url` are nodes of one hotline."""

    data: Path
    sets: dict[str, str] = field(default_factory=dict)
    ready: dict[str, Any] = field(default_factory=dict)
    program: Sequence[str] = ()
    """Takes the arguments of `yihao`; where there is none, the product's own is forked, already loaded."""
    clock: Path | None = None
    """A file by which a test sets the wall clock of one that is forked, as `tests.peers.preloaded.Order` reads it."""
    _child: Child | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await asyncio.to_thread(stop_child, self._child, signal.SIGKILL)
            self._child = None

    async def start(self, deadline_s: float = STARTUP_S) -> None:
        """Start it, on what is in the data folder, and come back when it says that it serves."""
        self.data.mkdir(parents=True, exist_ok=True)
        said = self.data / "said.txt"
        said.unlink(missing_ok=True)
        # Sound in the gateway's own loop unless asked for: a process for it takes as long to start as the rest.
        sets = {"http.port": "0", "sip.port": "0", "media.workers": "0", **self.sets}
        # It stands in that folder, and names it as `make run` does: by a path that is not absolute.
        arguments = ["up", "--data", os.curdir, "--ready-json"]
        for key, value in sets.items():
            arguments += ["--set", f"{key}={value}"]
        if self.program:
            child: Child = start_child([*self.program, *arguments], said)
        else:
            child = await asyncio.to_thread(nursery().start, arguments, said, self.clock)  # it may still be loading
        self._child = child
        async with asyncio.timeout(deadline_s):
            while not (ready := _ready_line(said)):
                if child.poll() is not None:
                    raise RuntimeError(f"yihao up exited with {child.returncode}:\n{self.log()}")
                await asyncio.sleep(0.02)
        self.ready = ready

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def http(self) -> str:
        """Its web address, `http://127.0.0.1:PORT`."""
        return str(self.ready["http"])

    @property
    def sip(self) -> tuple[str, int]:
        host, _, port = str(self.ready["sip_udp"]).rpartition(":")
        return host, int(port)

    @property
    def sip_text(self) -> str:
        return "{}:{}".format(*self.sip)

    def agents(self) -> list[Credentials]:
        """The demo agents, as the credentials file has them."""
        return [Credentials(**one) for one in json.loads(Path(self.ready["credentials"]).read_text())]

    def agent(self, extension: str) -> Credentials:
        return next(one for one in self.agents() if one.extension == extension)

    def log(self) -> str:
        """What it printed."""
        return (self.data / "said.txt").read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """As a power cut does to a process."""
        assert self._child is not None
        self._child.kill()
        self._child.wait()
        self._child = None

    def signal(self, how: signal.Signals) -> None:
        assert self._child is not None
        self._child.send_signal(how)

    async def ended(self, deadline_s: float = DRAIN_S) -> int:
        """Come back when the process has ended; gives its exit code."""
        assert self._child is not None
        code = await asyncio.to_thread(self._child.wait, deadline_s)
        self._child = None
        return code

    def lives(self) -> bool:
        return self._child is not None and self._child.poll() is None


def _ready_line(said: Path) -> dict[str, Any]:
    for line in said.read_text(errors="replace").splitlines() if said.exists() else []:
        if line.startswith('{"ready"'):
            return dict(json.loads(line))
    return {}
