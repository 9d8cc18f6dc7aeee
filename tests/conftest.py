"""What every test may ask for: real servers, free ports, waiting for a condition, and no task left behind.

A server that is missing makes the test fail; nothing here skips. Each worker of pytest-xdist has servers of
its own, since a session-scoped fixture is made once a process. What is slow to load is loaded by whom needs it.
"""

import asyncio
import gc
import inspect
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar, overload
from zlib import crc32

import pytest

from tests.peers.browser import Chromium
from tests.peers.looks import Album, no
from tests.peers.postgres import PostgresServer
from tests.peers.preloaded import HOUSE
from tests.peers.valkey import ValkeyServer
from tests.peers.words import LANGUAGES, Language
from tests.shares import shared_out

T = TypeVar("T")

# What takes milliseconds takes seconds beside another test's browser; only a failure waits for all of this.
PATIENCE_S = 15.0
# Cancelled tasks may need some turns of the loop to end; a task alive after this was forgotten.
LEAK_GRACE_S = 2.0


MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30
"""A run writes some hundred megabytes."""


def pytest_configure() -> None:
    """Keep what the tests write in memory, where there is room for it and nobody has said another place.

    A commit waits until the disk says that it has it, and the tests make a hundred thousand. What a killed process has
    written is there all the same; that a power cut loses none of it no test could show.
    """
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        found = os.statvfs(MEMORY)
        runs_programs = not found.f_flag & os.ST_NOEXEC  # a container's may not; some tests make a program and run it
        if runs_programs and found.f_bavail * found.f_frsize > ROOM_BYTES:
            os.environ["TMPDIR"] = str(MEMORY)
            tempfile.tempdir = None  # it is looked for anew


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make chaos`, `make soak` and `make fuzz` ask for their larger counts, `make screens` for pictures."""
    parser.addoption("--long", action="store_true", help="larger counts, and the tests marked slow")
    parser.addoption("--screens", action="store_true", help="the tests that show pages, and their pictures")
    parser.addoption("--language", choices=LANGUAGES, help="the tests that look at pages, all in this language")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that looks at pages its language; one that says itself which is left alone."""
    chosen = any(mark.args[0] == "language" for mark in metafunc.definition.iter_markers("parametrize"))
    if "language" in metafunc.fixturenames and not chosen:
        metafunc.parametrize("language", [_language_of(metafunc.definition.name, metafunc.config)])


def _language_of(test: str, config: pytest.Config) -> Language:
    """Every day a test runs in one language, half of them in either: which is theirs by their names."""
    if config.getoption("--screens"):
        return "zh"  # and the album asks for the other
    return config.getoption("--language") or LANGUAGES[crc32(test.encode()) % len(LANGUAGES)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for, without reporting it as skipped; and share the rest out."""
    if config.getoption("--screens"):
        left_out = {item for item in items if "screens" not in getattr(item, "fixturenames", ())}
    elif config.getoption("--language"):
        left_out = {item for item in items if "language" not in getattr(item, "fixturenames", ())}
    elif config.getoption("--long"):
        left_out = set()
    else:
        left_out = {item for item in items if item.get_closest_marker("slow")}
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = shared_out(items, lambda item: item.nodeid.partition("::")[0])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded and collected stays: the collector need not walk through it, now or a thousand times more."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """Whether larger counts are wanted: `kills = 100 if long_run else 10`."""
    return bool(pytestconfig.getoption("--long"))


class Eventually(Protocol):
    """Waits until a condition holds; see the fixture `eventually`."""

    @overload
    async def __call__(self, condition: Callable[[], Awaitable[T]], deadline_s: float = PATIENCE_S) -> T: ...
    @overload
    async def __call__(self, condition: Callable[[], T], deadline_s: float = PATIENCE_S) -> T: ...
    async def __call__(self, condition: Callable[[], object], deadline_s: float = PATIENCE_S) -> object:
        """Return the condition's first true value, or fail the test when the deadline passes."""
        ...


@pytest.fixture
def eventually() -> Eventually:
    """Await a condition with a deadline: `await eventually(lambda: len(heard) == 3, deadline_s=2)`.

    The condition is a function or a coroutine function without arguments. Its value is returned. One that computes
    for long is asked less often: in the same loop speak those whom it listens to.
    """

    async def wait(condition: Callable[[], object], deadline_s: float = PATIENCE_S) -> Any:
        ends_at = time.monotonic() + deadline_s
        while True:
            asked_at = time.monotonic()
            value = condition()
            took_s = time.monotonic() - asked_at
            if inspect.isawaitable(value):
                value = await value
            if value:
                return value
            if time.monotonic() > ends_at:
                pytest.fail(f"not within {deadline_s} s: {_source_of(condition)}; last value {value!r}")
            await asyncio.sleep(max(0.005, min(0.2, took_s * 9)))

    return wait


def _source_of(condition: Callable[[], object]) -> str:
    try:
        return " ".join(inspect.getsource(condition).split())
    except (OSError, TypeError):
        return repr(condition)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Call it for a port of 127.0.0.1 that is free for UDP and TCP, never the same twice in one test.

    For programs that cannot be told "port 0, and say which"; our own servers can, and should be.
    """
    given: set[int] = set()

    def find() -> int:
        for _ in range(100):
            with (
                socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
            ):
                stream.bind(("127.0.0.1", 0))
                port = int(stream.getsockname()[1])
                if port in given:
                    continue
                try:
                    datagrams.bind(("127.0.0.1", port))
                except OSError:
                    continue
                given.add(port)
                return port
        pytest.fail("no port of 127.0.0.1 is free for both UDP and TCP")

    return find


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A temporary folder with a short path: a unix socket's has at most 107 bytes, and `tmp_path` is long."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """The worker's own Valkey. A test that kills or freezes a store starts a `ValkeyServer` of its own."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        server = ValkeyServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> Iterator[str]:
    """The address (`unix://…`) of a Valkey that is empty now and emptied afterwards."""
    valkey_server.empty()
    yield valkey_server.url
    valkey_server.empty()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The worker's own PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        server = PostgresServer(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The SQLAlchemy address (asyncpg) of a fresh database, dropped after the test."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def _schema_in_sqlite() -> bytes:
    from tests.peers.schema import in_sqlite

    return in_sqlite()


@pytest.fixture(scope="session")
def _schema_in_postgres(postgres_server: PostgresServer) -> str:
    from tests.peers.schema import make

    name = postgres_server.create_database()
    make(postgres_server.url(name))
    return name


@pytest.fixture
def sqlite_history(tmp_path: Path, _schema_in_sqlite: bytes) -> str:
    """The address of a database in `tmp_path` with our schema in it and no more.

    The schema is copied: making it costs a tenth of a second of a core, and hundreds of tests need one.
    """
    from tests.peers.schema import copied

    return copied(_schema_in_sqlite, tmp_path)


@pytest.fixture
def postgres_history(postgres_server: PostgresServer, _schema_in_postgres: str) -> Iterator[str]:
    """The same, on PostgreSQL."""
    name = postgres_server.create_database(like=_schema_in_postgres)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def screens(pytestconfig: pytest.Config) -> Iterator[Album]:
    """The pictures of docs/screens: taken by `make screens`, which runs the tests that ask for this and no others."""
    album = Album(HOUSE / "docs" / "screens" if pytestconfig.getoption("--screens") else None)
    yield album
    assert no(album.faults), "in pictures"


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config, long_run: bool) -> Iterator[Chromium]:
    """The worker's own browser; each person has a window of their own in it."""
    browser = Chromium(keeps_pictures=long_run or bool(pytestconfig.getoption("--screens"))).start()
    yield browser
    browser.stop()


@pytest.fixture(autouse=True)
def no_task_left(request: pytest.FixtureRequest) -> None:
    """Fail an asynchronous test that leaves a task running: it would be cancelled midway, unseen."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_tasks_end_with_the_test")


@pytest.fixture
async def _tasks_end_with_the_test() -> AsyncIterator[None]:
    """Set up before all other fixtures, so its end comes after theirs: what they started must be gone."""
    before = asyncio.all_tasks()
    yield
    ends_at = time.monotonic() + LEAK_GRACE_S
    while left := asyncio.all_tasks() - before - {_this_task()}:
        if time.monotonic() > ends_at:
            pytest.fail("tasks left running: " + ", ".join(sorted(_describe(task) for task in left)))
        await asyncio.sleep(0.005)


def _this_task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task


def _describe(task: "asyncio.Task[object]") -> str:
    coroutine = task.get_coro()
    return f"{task.get_name()} ({getattr(coroutine, '__qualname__', coroutine)})"
