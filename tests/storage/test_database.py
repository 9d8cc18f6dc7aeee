"""Two databases, one schema."""

import asyncio
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text

import accounts.tables
import identity.tables
import storage.history
import storage.policies
import storage.sounds
from storage.database import Database, sqlite_url
from storage.errors import StorageUnavailable, UnsupportedDatabase
from storage.metadata import METADATA, Instant

ROOMS = (accounts.tables, identity.tables, storage.history, storage.policies, storage.sounds)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Empty: here the schema is made."""
    return sqlite_url(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


async def test_the_migrated_schema_is_what_the_code_describes(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        return list(compare_metadata(context, METADATA))

    assert {table.name for table in METADATA.sorted_tables} >= {"events", "agents"}
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []


async def test_every_step_can_be_undone(database: Database) -> None:
    def down_and_up(connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", "storage:migrations")
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        command.upgrade(config, "head")

    async with database.writing() as connection:
        await connection.run_sync(down_and_up)


async def test_opening_again_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        async with Database.open(database_url) as database, database.reading() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM cursors")) == 1


async def test_processes_that_start_at_once_do_not_collide(database_url: str) -> None:
    async def start() -> None:
        async with Database.open(database_url):
            pass

    await asyncio.gather(*(start() for _ in range(8)))


async def test_instants_survive_both_databases(database: Database) -> None:
    table = Table("instants", MetaData(), Column("id", Integer, primary_key=True), Column("at", Instant))
    moments = [0.0, 1_790_000_000.123, 1_790_000_000.999, 0.001, 4_102_444_800.5]
    async with database.writing() as connection:
        await connection.run_sync(table.create)
        await connection.execute(insert(table), [{"id": index, "at": at} for index, at in enumerate(moments)])
        await connection.execute(insert(table).values(id=99, at=None))
    async with database.reading() as connection:
        rows = list(await connection.scalars(select(table.c.at).order_by(table.c.id)))
    assert rows == [*moments, None]


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    async def fail_midway() -> None:
        async with database.writing() as connection:
            await connection.execute(text("UPDATE cursors SET position = '9'"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_midway()
    async with database.reading() as connection:
        assert await connection.scalar(text("SELECT position FROM cursors")) == "0"


async def test_sqlite_is_durable_and_its_owners_alone(tmp_path: Path) -> None:
    async with Database.open(sqlite_url(tmp_path)) as database, database.reading() as connection:
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert await connection.scalar(text("PRAGMA synchronous")) == 2
        assert await connection.scalar(text("PRAGMA foreign_keys")) == 1
    assert stat.S_IMODE((tmp_path / "history.sqlite").stat().st_mode) == 0o600


@pytest.mark.parametrize("url", ["", "mysql://host/db", "sqlite://", "nonsense", "redis://host"])
async def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(UnsupportedDatabase):
        async with Database.open(url):
            pass


async def test_a_database_that_is_away_is_a_typed_error(tmp_path: Path) -> None:
    for url in (f"postgresql://postgres@/none?host={tmp_path}", "sqlite:////proc/none/history.sqlite"):
        with pytest.raises(StorageUnavailable) as away:
            async with Database.open(url):
                pass
        assert away.value.retryable


async def test_a_plain_address_gets_our_driver(postgres_url: str) -> None:
    async with Database.open(postgres_url.replace("+asyncpg", "")) as database, database.reading() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
