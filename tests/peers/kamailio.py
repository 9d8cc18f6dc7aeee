"""Debian's Kamailio with the configuration that we ship; only `site.cfg` is the test's own."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.peers.child import start_child, stop_child
from tests.peers.yihao import HOUSE

SHIPPED = HOUSE / "deploy" / "kamailio"
STARTUP_S = 20.0


class KamailioMissingError(Exception):
    """No Kamailio on this machine."""

    def __init__(self) -> None:
        super().__init__("kamailio is not on this machine: install Debian's package kamailio")


@dataclass
class Kamailio:
    """One proxy at `address`, in front of `nodes` (host:port each)."""

    folder: Path
    address: tuple[str, int]
    nodes: Sequence[str]
    carriers: str = "src_ip == 198.51.100.10"
    flood: int = 1000
    answers_within_ms: int = 10_000
    _child: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        arguments = ["-DD", "-E", "-m", "32", "-M", "2", "-Y", str(self.folder), "-f", str(self.write())]
        self._child = start_child([program(), *arguments], self.folder / "kamailio.log")
        async with asyncio.timeout(STARTUP_S):
            while not await asyncio.to_thread(self._answers):
                assert self._child.poll() is None, self.log()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await asyncio.to_thread(stop_child, self._child, signal.SIGTERM)

    async def start_anew(self) -> None:
        """As when another takes over under its address: nothing is known of what was."""
        await self.__aexit__()
        await self.__aenter__()

    def write(self) -> Path:
        """Write what `kamailio -f` takes."""
        self.folder.mkdir(exist_ok=True)
        host, port = self.address
        nodes = "".join(f"1 sip:{node}\n" for node in self.nodes)
        (self.folder / "site.cfg").write_text(
            f"#!define LISTEN_UDP listen=udp:{host}:{port}\n#!define LISTEN_TCP listen=tcp:{host}:{port}\n"
            f"#!define FROM_CARRIER ({self.carriers})\n"
            f"#!define ANSWERS_WITHIN {self.answers_within_ms}\n"
            f'#!define FLOOD {self.flood}\n#!define CONTROL "unixs:{self.folder}/control"\n'
            f'#!define NODES "{self.folder}/site.cfg"\n#!ifdef NODES_ARE_READ_BY_THE_DISPATCHER\n{nodes}#!endif\n'
        )
        return Path(shutil.copy(SHIPPED / "kamailio.cfg", self.folder))

    async def leave_out(self, node: str) -> None:
        """Give that node nothing new from now on, as while it drains."""
        await self._set_state("d", node)

    async def take_in(self, node: str) -> None:
        """Give it new calls again."""
        await self._set_state("ap", node)

    async def _set_state(self, state: str, node: str) -> None:
        command = ("kamcmd", "-s", f"unix:{self.folder}/control", "dispatcher.set_state", state, "1", f"sip:{node}")
        asked = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = await asked.communicate()
        assert asked.returncode == 0, said.decode()

    def log(self) -> str:
        return (self.folder / "kamailio.log").read_text(errors="replace")[-4000:]

    def _answers(self) -> bool:
        """It answers OPTIONS with 200 once a node lives."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((self.address[0], 0))
            probe.settimeout(0.3)
            host, port = probe.getsockname()
            probe.sendto(options(self.address, f"{host}:{port}"), self.address)
            try:
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except OSError:
                return False


def options(to: tuple[str, int], sender: str, *more: str, call: str = "probe") -> bytes:
    """A bare question whether somebody is there."""
    lines = (
        f"OPTIONS sip:{to[0]}:{to[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {sender};branch=z9hG4bK{call};rport",
        *(more or ("Max-Forwards: 70",)),
        "From: <sip:probe@test>;tag=1",
        f"To: <sip:{to[0]}:{to[1]}>",
        f"Call-ID: {call}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def program() -> str:
    """Where it is; raises `KamailioMissingError`."""
    found = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    if found is None:
        raise KamailioMissingError
    return found
