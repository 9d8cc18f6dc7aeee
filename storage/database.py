"""One engine, on SQLite in the data folder or PostgreSQL by its address, with its schema up to date."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.errors import StorageUnavailable, UnsupportedDatabase

BUSY_S = 10.0
"""How long a writer waits for another process's write to SQLite."""
_MIGRATION_LOCK = 0x59696861
"""Names our advisory lock in PostgreSQL: nodes that start at once migrate one after the other."""
_PAUSE_S = 0.02
_IMMEDIATE = "yihao_immediate"


def sqlite_url(folder: Path) -> str:
    """The address of the database in a data folder."""
    return URL.create("sqlite+aiosqlite", database=str(folder / "history.sqlite")).render_as_string()


class Database:
    """Transactions on the one engine. Every one ends as `StorageUnavailable` when the database is away."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._reads = engine
        self._writes = engine.execution_options(**{_IMMEDIATE: True})

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Database]:
        """Connect, bring the schema up to date, and close at the end.

        Raises `UnsupportedDatabase`, `StorageUnavailable`.
        """
        address = _address(url)
        if address.get_backend_name() == "sqlite":
            await asyncio.to_thread(_make_file, Path(address.database or ""))
        engine = _engine(address)
        try:
            database = cls(engine)
            async with database.writing() as connection:
                await connection.run_sync(_migrate)
            yield database
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database."""
        with _typed_failures():
            async with self._reads.begin() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes.

        On SQLite it takes the write lock at once, so it cannot fail midway for want of it.
        """
        with _typed_failures():
            async with self._writes.begin() as connection:
                yield connection


@contextmanager
def _typed_failures() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
        raise StorageUnavailable(_kind(error)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StorageUnavailable(type(error).__name__) from error
        raise


def _address(url: str) -> URL:
    """The address with our driver in it. Raises `UnsupportedDatabase`."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise UnsupportedDatabase("") from error
    scheme = address.get_backend_name()
    if scheme == "postgresql":
        return address.set(drivername="postgresql+asyncpg")
    if scheme == "sqlite" and address.database:
        return address.set(drivername="sqlite+aiosqlite")
    raise UnsupportedDatabase(scheme)


def _make_file(file: Path) -> None:
    """SQLite's file, for its owner alone since it holds what citizens said, and in WAL mode, which stays with it.

    Where several processes make it at once, SQLite refuses the change of mode without waiting: so we wait.
    """
    ends_at = time.monotonic() + BUSY_S
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
            while not _is_wal(connection) and time.monotonic() < ends_at:
                time.sleep(_PAUSE_S)
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(_kind(error)) from error


def _kind(error: Exception) -> str:
    """Of a failure, without its own sentence, which may quote an address or a value."""
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__


def _is_wal(connection: sqlite3.Connection) -> bool:
    with suppress(sqlite3.OperationalError):
        return bool(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal")
    return False


def _engine(address: URL) -> AsyncEngine:
    if address.get_backend_name() == "postgresql":
        # A dead connection is found before it is used: the database may have been restarted.
        return create_async_engine(address, pool_pre_ping=True)
    engine = create_async_engine(address, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        # Python's sqlite3 would begin transactions by its own lights, and leave DDL outside of them.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")  # the store is trimmed after a commit: it must be on disk
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get(_IMMEDIATE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
