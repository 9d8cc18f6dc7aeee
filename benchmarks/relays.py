"""What relays sound beside ours, for `bridge` and those that share its load: rtpengine, rtp-io, pyVoIP."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RTP_IO = sorted(ROOT.glob(".venv/peers/lib/python*/site-packages/rtp/io.*"))
FAR_KEY = bytes(range(30))
"""An agent's, for SRTP: AES-128 and its salt."""
Address = tuple[str, int]


def missing(name: str) -> bool:
    """A peer that is not on this machine."""
    return (name.startswith("rtpengine") and shutil.which("rtpengine") is None) or (name == "rtp-io" and not RTP_IO)


def port_of(sdp: bytes) -> int:
    return int(sdp.split(b"m=audio ")[1].split()[0])


def described(host: str, port: int, *, secret: bool, tag: int = 1) -> bytes:
    """An SDP with A-law, in the clear or under a key of the far end's."""
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/{'SAVP' if secret else 'AVP'} 8")
    if secret:
        key = base64.b64encode(FAR_KEY).decode()
        lines.append(f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 inline:{key}")
    return "".join(f"{line}\r\n" for line in lines).encode()


class RtpEngine:
    """Debian's, asked by its ng protocol."""

    records = False
    secret = False

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        self.folder = Path(tempfile.mkdtemp(prefix="yihao-bridge-"))
        port = free_port()
        recording = [f"--recording-dir={self.folder}", "--recording-method=pcap"] if self.records else []
        self.process = subprocess.Popen(
            [
                *("rtpengine", "-f", "-E", "--config-file=none", "--table=-1", "--interface=127.0.0.1"),
                *(f"--listen-ng=127.0.0.1:{port}", "--num-threads=1", "--timeout=3600", "--port-min=20000"),
                *("--port-max=59998", "--log-level=1", *recording),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.control.connect(("127.0.0.1", port))
        self.control.settimeout(0.5)
        protocol = "RTP/SAVP" if self.secret else "RTP/AVP"
        more = {"record call": "yes"} if self.records else {}
        ports = []
        for index in range(calls):
            common = {"call-id": f"c{index}", "from-tag": "citizen", "ICE": "remove", **more}
            offered = described(*citizen, secret=False)
            to_agent = self._ask(command="offer", sdp=offered, **{"transport-protocol": protocol}, **common)
            tag = re.search(rb"a=crypto:(\d+) AES_CM_128_HMAC_SHA1_80 ", to_agent)
            answered = described(*agent, secret=self.secret, tag=int(tag[1]) if tag else 1)
            to_citizen = self._ask(command="answer", sdp=answered, **{"to-tag": "agent"}, **common)
            ports.append((port_of(to_citizen), port_of(to_agent)))
        return ports

    def _ask(self, **said: str | bytes) -> bytes:
        """Its answer. It is asked again while it starts."""
        question = b"%d " % time.monotonic_ns() + _bencoded(said)
        for _ in range(60):
            try:
                self.control.send(question)
                answer = self.control.recv(65_536)
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.1)
                continue
            return answer
        raise TimeoutError

    def spent_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def close(self) -> None:
        self.control.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class RtpEngineRecorded(RtpEngine):
    """Recording."""

    records = True


class RtpEngineBrowser(RtpEngine):
    """With an agent under SRTP."""

    secret = True


def _bencoded(said: dict[str, str | bytes]) -> bytes:
    texts = [text.encode() if isinstance(text, str) else text for pair in said.items() for text in pair]
    return b"d" + b"".join(b"%d:%s" % (len(text), text) for text in texts) + b"e"


class RtpIo:
    """RTPProxy in this process, asked by its own commands; its threads are on the core that the process is on."""

    def spent_s(self) -> float:
        return time.process_time()

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        sys.path.append(str(RTP_IO[0].parents[1]))
        from rtp.io import rtpproxy

        quietly = ["-F", "-d", "crit", "-l", "127.0.0.1", "-T", "3600", "-m", "20000", "-M", "59998"]
        self.proxy = rtpproxy(extra_args=quietly, modules=())  # none that write accounts
        self.proxy.rtpp_sock.settimeout(5)
        ports = []
        for index in range(calls):
            to_agent = self._ask(f"U c{index} {citizen[0]} {citizen[1]} citizen;1")
            to_citizen = self._ask(f"L c{index} {agent[0]} {agent[1]} citizen;1 agent;1")
            ports.append((to_citizen, to_agent))
        return ports

    def _ask(self, command: str) -> int:
        """The port that it gives."""
        self.proxy.rtpp_sock.send(command.encode() + b"\n")
        return int(self.proxy.rtpp_sock.recv(4096).split()[0])

    async def close(self) -> None:
        del self.proxy


class PyVoip:
    """pyVoIP's own echo."""

    def spent_s(self) -> float:
        return time.process_time()

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        from pyVoIP.RTP import PayloadType, RTPClient, TransmitType

        del agent
        self.clients = []
        ports = []
        for _ in range(calls):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            client = RTPClient({0: PayloadType.PCMU}, "127.0.0.1", port, *citizen, TransmitType.SENDRECV)
            client.start()
            threading.Thread(target=self.echo, args=(client,), daemon=True).start()
            self.clients.append(client)
            ports.append((port, 0))
        return ports

    @staticmethod
    def echo(client: Any) -> None:
        while client.NSD:
            client.write(client.read(160))

    async def close(self) -> None:
        for client in self.clients:
            client.stop()
        await asyncio.sleep(0.3)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
