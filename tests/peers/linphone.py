"""linphonec 5.1, Debian's softphone in a terminal, as an agent's telephone and as a caller.

It is driven by lines on its standard input. Traps: without the folder of its database it opens no port and says nothing
of it; it looks for a network as it starts, and again in five seconds; it dies of a ringing tone where there is no sound
card; a second call needs the first one held; each stream of sound begins its file anew, so that every call is given a
file of its own, whose header is written at its end.
"""

import asyncio
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from tests.peers.ports import free_pair
from tests.peers.sound import Sound, write_wave

MICROPHONE_S = 120.0
STARTUP_S = 20.0
HEADER = 44


class LinphoneMissingError(Exception):
    """No linphonec on this machine."""

    def __init__(self) -> None:
        super().__init__("linphonec is not on this machine: install Debian's package linphone-cli")


@dataclass
class Linphone:
    """One softphone, registered as `extension` at `server` (host:port)."""

    folder: Path
    server: str
    extension: str
    password: str
    registers: bool = True
    answers: bool = False
    """Picks up by itself. Ringing, without a sound card, ends it: it takes no other calls."""
    says: Sound | None = None
    """Said over and over, from the answer of a call on; silence when None."""
    lines: list[str] = field(default_factory=list)
    """What it has printed."""
    sip_port: int = field(default_factory=free_pair)
    _child: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _files: int = 0

    async def __aenter__(self) -> Self:
        program = shutil.which("linphonec")
        if program is None:
            raise LinphoneMissingError
        self._write_configuration()
        self._child = await asyncio.create_subprocess_exec(
            *(program, "-c", str(self.folder / "linphonerc"), "-d", "6", "-l", str(self.folder / "log")),
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "TERM": "dumb"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(STARTUP_S):
            while not self._has_network():
                await asyncio.sleep(0.05)
        self.tell("soundcard use files")
        self.tell(f"play {self.folder / 'microphone.wav'}")
        if self.answers:
            self.tell("autoanswer enable")
        self._record()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._child is not None
        with suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
        if self._reader is not None:
            await self._reader

    def _has_network(self) -> bool:
        log = self.folder / "log"
        return log.exists() and "network reachability state is now [UP]" in log.read_text(errors="replace")

    async def registered(self, deadline_s: float = 15.0) -> None:
        """Wait until it is."""
        async with asyncio.timeout(deadline_s):
            while not any("registered, identity" in line for line in self.lines):
                self.tell("status register")
                await asyncio.sleep(0.1)

    async def call(self, number: str) -> int:
        """Dial; gives its name for the call."""
        self._record()
        before = len(self.lines)
        self.tell(f"call sip:{number}@{self.server}")
        return int((await self.saw(r"assigned id (\d+)", after=before))[1])

    async def rings(self, *, after: int = 0) -> int:
        """Wait for a call that comes in after so many `lines`, and answers by itself; gives its name for it."""
        return int((await self.saw(r"incoming call from .*assigned id (\d+)", after=after))[1])

    def hold(self) -> None:
        self.tell("pause")

    def resume(self, call: int) -> None:
        self._record()
        self.tell(f"resume {call}")

    def join(self, call: int, other: int) -> None:
        """Transfer with consultation: the two hear each other from now on (REFER with Replaces)."""
        self.tell(f"transfer {call} --to-call {other}")

    def hang_up(self) -> None:
        self.tell("terminate all")

    async def saw(self, pattern: str, deadline_s: float = 15.0, *, after: int = 0) -> re.Match[str]:
        """Wait until it has printed that."""
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    self._news.clear()
                    for line in self.lines[after:]:
                        if (found := re.search(pattern, line)) is not None:
                            return found
                    await self._news.wait()
        except TimeoutError:
            said = self.lines[-20:]
            raise AssertionError(f"{self.extension}: no {pattern!r} within {deadline_s} s, but {said}") from None

    def heard(self) -> Sound:
        """What came out of its speaker, of the call that it has begun, answered or resumed last.

        While it is written the file has room for a header and none yet.
        """
        files = sorted(self.folder.glob("speaker-*.wav"), key=lambda file: file.stat().st_mtime_ns)
        written = files[-1].read_bytes()[HEADER:] if files else b""
        return np.frombuffer(written[: len(written) // 2 * 2], "<i2").astype(float)

    def tell(self, line: str) -> None:
        """As if it were typed."""
        assert self._child is not None
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n".encode())

    def _record(self) -> None:
        self._files += 1
        self.tell(f"record {self.folder / f'speaker-{self._files}.wav'}")

    async def _read(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        async for line in self._child.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            self._news.set()

    def _write_configuration(self) -> None:
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        (self.folder / ".config/linphone").mkdir(parents=True)
        said = self.says if self.says is not None and len(self.says) else np.zeros(8000)
        write_wave(self.folder / "microphone.wav", np.tile(said, int(MICROPHONE_S * 8000 // len(said)) + 1))
        (self.folder / "linphonerc").write_text(
            f"[sip]\nsip_port={self.sip_port}\nsip_tcp_port=0\nsip_tls_port=0\nuse_ipv6=0\ndefault_proxy=0\nbind_address=127.0.0.1\n"
            f"[rtp]\naudio_rtp_port={free_pair()}\nbind_address=127.0.0.1\n"
            "[sound]\nechocancellation=0\n"
            "[video]\nenabled=0\ncapture=0\ndisplay=0\nautomatically_initiate=0\nautomatically_accept=0\n"
            f"[proxy_0]\nreg_proxy=<sip:{self.server};transport=udp>\nreg_identity=sip:{self.extension}@{self.server}\n"
            f"reg_expires=600\nreg_sendregister={int(self.registers)}\npublish=0\n"
            f"[auth_info_0]\nusername={self.extension}\npasswd={self.password}\nrealm=yihao\ndomain={self.server}\n"
        )
