"""The policy in force: seeded once, taken up when it changes, kept when what comes next cannot be read."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.routing import BadRoutingRule, RoutingUnreadable
from gateway.rulebook import KIND, Rulebook
from storage.database import Database, sqlite_url
from storage.policies import Policies
from tests.conftest import Eventually


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url(tmp_path)) as opened:
        yield opened


async def _write(database: Database, version: int, body: str) -> None:
    await Policies(database).write(KIND, version, body, author="test", at=1.0)


async def test_the_first_start_writes_what_we_ship(database: Database) -> None:
    book = await Rulebook.open(database)
    kept = await Policies(database).current(KIND)
    assert kept is not None
    assert kept.version == 1
    assert book.routing.rules


async def test_nodes_that_start_at_once_write_it_once(database: Database) -> None:
    books = await asyncio.gather(*(Rulebook.open(database) for _ in range(3)))
    kept = await Policies(database).current(KIND)
    assert kept is not None
    assert kept.version == 1
    assert len({book.routing for book in books}) == 1


async def test_what_the_city_wrote_is_never_overwritten(database: Database) -> None:
    await _write(database, 1, '[[rule]]\nqueue = "ours"')
    book = await Rulebook.open(database)
    assert book.routing.queues == ("ours", "general")


async def test_a_new_version_is_taken_up(database: Database) -> None:
    book = await Rulebook.open(database)
    before = book.routing
    await _write(database, 2, '[[rule]]\nqueue = "new"')
    assert book.routing is before
    await book.look()
    assert book.routing.queues == ("new", "general")


@pytest.mark.parametrize("bad", ["[[rule", "rule = 3", "[[rule]]\nqueue = 3"])
async def test_a_bad_version_keeps_the_old(
    database: Database,
    bad: str,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And looking goes on: the next good one is taken up."""
    monkeypatch.setattr("gateway.rulebook.LOOK_S", 0.01)
    book = await Rulebook.open(database)
    before = book.routing
    await _write(database, 2, bad)
    with pytest.raises((BadRoutingRule, RoutingUnreadable)):
        await book.look()
    looking = asyncio.create_task(book.run())
    await eventually(lambda: "policy not read" in caplog.text)
    assert book.routing is before
    await _write(database, 3, '[[rule]]\nqueue = "mended"')
    await eventually(lambda: book.routing.queues == ("mended", "general"))
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
