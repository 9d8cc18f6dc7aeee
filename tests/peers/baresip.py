"""baresip 1.0, Debian's softphone, as an agent's telephone.

Its control port speaks JSON in netstrings. It keeps what it said and heard as WAV files. Traps: `net_interface` must be
an address, else it refuses loopback; the end of the file that it plays hangs up, so that the file must be longer than
any call; `quit` waits for its un-REGISTER to be answered, so that it is killed when the server is gone; beside its SIP
port it takes the next one, for TLS.
"""

import asyncio
import json
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from tests.peers.child import start_child, stop_child
from tests.peers.ports import free_pair
from tests.peers.sound import Sound, read_wave, write_wave

MICROPHONE_S = 300.0
"""Longer than any call of a test."""
MODULES = (
    *("g711.so", "sndfile.so", "aufile.so", "uuid.so"),
    *("account.so", "menu.so", "ctrl_tcp.so"),
)
APPLICATIONS = {"account.so", "menu.so", "ctrl_tcp.so"}
STARTUP_S = 20.0


class BaresipMissingError(Exception):
    """No baresip on this machine."""

    def __init__(self) -> None:
        super().__init__("baresip is not on this machine: install Debian's package baresip-core")


@dataclass
class Baresip:
    """One softphone, registered as `extension` at `server` (host:port). `answers` picks up by itself."""

    folder: Path
    server: str
    extension: str
    password: str
    answers: bool = False
    registers: bool = True
    transport: str = "udp"
    authority: Path | None = None
    """Who is trusted over TLS."""
    is_secret: bool = False
    """Its sound goes under keys, or not at all."""
    codecs: str = "PCMA,PCMU"
    """What it speaks, the best first; besides G.711 "opus/48000/2" or "G722/16000"."""
    says: Sound | None = None
    """Said over and over, from the answer of a call on; silence when None."""
    events: list[dict[str, Any]] = field(default_factory=list)
    sip_port: int = field(default_factory=free_pair)
    control_port: int = field(default_factory=free_pair)
    _child: subprocess.Popen[bytes] | None = None
    _reader: asyncio.Task[None] | None = None
    _writer: asyncio.StreamWriter | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _replies: dict[str, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _asked: int = 0

    async def __aenter__(self) -> Self:
        program = shutil.which("baresip")
        if program is None:
            raise BaresipMissingError
        self._write_configuration()
        self._child = start_child([program, "-4", "-f", str(self.folder)], self.folder / "baresip.log")
        async with asyncio.timeout(STARTUP_S):
            await self._connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.quit()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._writer is not None:
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()
        if self._child is not None:
            await asyncio.to_thread(stop_child, self._child, signal.SIGKILL)

    async def quit(self, deadline_s: float = 2.0) -> None:
        """Hang up, un-REGISTER and end, if there is time and a server for it."""
        if self._child is not None and self._writer is not None and self._child.poll() is None:
            self._write("quit", "", "quit")
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._child.wait, deadline_s)

    def kill(self) -> None:
        """Gone as a telephone that lost its power: no un-REGISTER, no BYE."""
        assert self._child is not None
        self._child.kill()

    async def registered(self, deadline_s: float = 15.0) -> None:
        """Wait until it is; asked for, since the event may have come before anybody listened."""
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(deadline_s):
                while "OK" not in str(answer.get("data")):
                    assert not self.all("REGISTER_FAIL"), f"{self.extension}: REGISTER_FAIL"
                    await asyncio.sleep(0.02)
                    answer = await self.command("reginfo")
        except TimeoutError:
            raise AssertionError(f"{self.extension}: not registered within {deadline_s} s, but {answer}") from None

    async def saw(self, kind: str, deadline_s: float = 15.0, *, times: int = 1) -> dict[str, Any]:
        """Wait until an event of this type (CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED …) has come so often."""
        try:
            async with asyncio.timeout(deadline_s):
                while len(found := self.all(kind)) < times:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            kinds = [str(event.get("type")) for event in self.events]
            raise AssertionError(f"{self.extension}: no {kind} ({times}) within {deadline_s} s, but {kinds}") from None
        return found[times - 1]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("type") == kind]

    async def answer(self) -> None:
        await self.command("accept")

    async def hang_up(self) -> None:
        """End the call, or refuse the one that rings (486)."""
        await self.command("hangup")

    async def hold(self) -> None:
        await self.command("hold")

    async def resume(self) -> None:
        await self.command("resume")

    async def command(self, name: str, parameters: str = "") -> dict[str, Any]:
        """Ask for something; gives the answer, and fails when baresip refuses."""
        self._asked += 1
        token = str(self._asked)
        reply = self._replies[token] = asyncio.get_running_loop().create_future()
        self._write(name, parameters, token)
        answer: dict[str, Any] = await asyncio.wait_for(reply, 15.0)
        assert answer.get("ok"), f"baresip refuses {name}: {answer}"
        return answer

    def _write(self, command: str, parameters: str, token: str) -> None:
        assert self._writer is not None
        body = json.dumps({"command": command, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))

    def heard(self) -> Sound:
        """What came out of its speaker, of the last call."""
        files = sorted(self.folder.glob("dump-*-dec.wav"), key=lambda file: file.stat().st_mtime_ns)
        assert files, f"{self.extension} kept no sound"
        _mend_header(files[-1])
        return read_wave(files[-1])[0]

    def _write_configuration(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        said = self.says if self.says is not None and len(self.says) else np.zeros(8000)
        times = int(MICROPHONE_S * 8000 // len(said)) + 1
        microphone = write_wave(self.folder / "microphone.wav", np.tile(said, times))
        coders = (f"{name}.so" for name in ("opus", "g722") if name in self.codecs.lower())
        wanted = (*coders, *MODULES, *(("srtp.so",) if self.is_secret else ()))
        modules = "".join(f"{'module_app' if module in APPLICATIONS else 'module'}\t{module}\n" for module in wanted)
        (self.folder / "config").write_text(
            f"sip_listen\t127.0.0.1:{self.sip_port}\nnet_interface\t127.0.0.1\n"
            f"audio_source\taufile,{microphone}\naudio_player\taufile,{self.folder / 'speaker.wav'}\n"
            f"audio_alert\taufile,{self.folder / 'alert.wav'}\n"
            "ausrc_srate\t8000\nauplay_srate\t8000\nausrc_channels\t1\nauplay_channels\t1\n"
            "audio_buffer\t20-160\ncall_max_calls\t4\ncall_local_timeout\t60\n"
            f"module_path\t{_module_folder()}\n{modules}"
            + (f"sip_cafile\t{self.authority}\nsip_verify_server\tyes\n" if self.authority else "")
            + f"ctrl_tcp_listen\t127.0.0.1:{self.control_port}\nsnd_path\t{self.folder}\n"
        )
        (self.folder / "accounts").write_text(
            f"<sip:{self.extension}@{self.server};transport={self.transport}>"
            f";auth_user={self.extension};auth_pass={self.password}"
            f";answermode={'auto' if self.answers else 'manual'};regint={60 if self.registers else 0}"
            f";audio_codecs={self.codecs}{';mediaenc=srtp-mand' if self.is_secret else ''}\n"
        )
        (self.folder / "contacts").write_text("")

    async def _connect(self) -> None:
        while True:
            assert self._child is not None
            assert self._child.poll() is None, (self.folder / "baresip.log").read_text(errors="replace")[-2000:]
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self.control_port)
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
        self._reader = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = await reader.readuntil(b":")
                value = json.loads(await reader.readexactly(int(length[:-1])))
                await reader.readexactly(1)
                if value.get("event"):
                    self.events.append(value)
                    self._news.set()
                elif (reply := self._replies.pop(str(value.get("token")), None)) is not None and not reply.done():
                    reply.set_result(value)


def _module_folder() -> Path:
    found = sorted(Path("/usr/lib").glob("**/baresip/modules"))
    if not found:
        raise BaresipMissingError
    return found[0]


def _mend_header(file: Path) -> None:
    """Give a file that is still being written, or whose writer was killed, the length that it has."""
    size = file.stat().st_size
    with file.open("r+b") as header:
        start = header.read(4096)
        data = start.find(b"data")
        if data > 0:
            header.seek(4)
            header.write((size - 8).to_bytes(4, "little"))
            header.seek(data + 4)
            header.write((size - data - 8).to_bytes(4, "little"))
