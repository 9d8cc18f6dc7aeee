"""Each test of the history runs on both databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.database import Database, sqlite_url
from storage.history import History


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest.fixture
def history(database: Database) -> History:
    return History(database)
