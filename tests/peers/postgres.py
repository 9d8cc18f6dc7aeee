"""A real PostgreSQL, from Debian's package or whatever stands on the path."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.peers.child import start_child, stop_child, wait_until_ready

# The server refuses to run as root: then it runs as the user that the package has made.
_UNPRIVILEGED = "postgres"


class PostgresMissingError(Exception):
    """No PostgreSQL server on this machine."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL's server programs (initdb, postgres) are not on this machine: "
            "install Debian's package postgresql, or put them on the PATH"
        )


def find_programs() -> Path:
    """The folder with `initdb` and `postgres`: Debian keeps it off the path, the newest version is taken."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: float(found.parts[-3]))
    if debian:
        return debian[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise PostgresMissingError
    return Path(on_path).resolve().parent


class PostgresServer:
    """One server on a unix socket in `folder`, without fsync: its data end with the test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = find_programs()
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._log = folder / "postgres.log"
        self._child: subprocess.Popen[bytes] | None = None
        self._made = 0

    def start(self) -> None:
        """Make the cluster and start it; returns when it takes connections."""
        if self._user:
            shutil.chown(self._folder, self._user, self._user)
        data = self._folder / "data"
        options = ("-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions", "-E", "UTF8")
        self._run("initdb", "-D", str(data), *options, "--locale", "C.UTF-8")
        self._child = start_child(
            [
                str(self._programs / "postgres"),
                *("-D", str(data), "-k", str(self._folder), "-c", "listen_addresses="),
                *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"),
                *("-c", "shared_buffers=32MB", "-c", "max_connections=50", "-c", "autovacuum=off"),
            ],
            self._log,
            user=self._user,
        )
        wait_until_ready(self._child, self._answers, self._log)

    def stop(self) -> None:
        """End it without a checkpoint: nobody reads these data again."""
        if self._child is not None:
            stop_child(self._child, signal.SIGQUIT)
            self._child = None

    def create_database(self, like: str = "template1") -> str:
        """A database of its own name, empty or as that one is; returns the name."""
        self._made += 1
        name = f"test_{self._made}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {like}")
        return name

    def drop_database(self, name: str) -> None:
        """Drop it, and cut whoever is still connected."""
        self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> str:
        """The address that SQLAlchemy's `create_async_engine` takes."""
        return f"postgresql+asyncpg://postgres@/{database}?host={self._folder}"

    def _answers(self) -> bool:
        probe = [str(self._programs / "pg_isready"), "-q", "-h", str(self._folder)]
        return subprocess.run(probe, check=False).returncode == 0

    def _sql(self, statement: str) -> None:
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres")
        self._run("psql", "-h", str(self._folder), *options, "-c", statement)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
        )
        if done.returncode:
            raise RuntimeError(f"{program} exited with {done.returncode}: {done.stderr.strip()}")
