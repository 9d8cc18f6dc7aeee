"""Each test of the history runs on both databases."""

from collections.abc import AsyncIterator

import pytest

from storage.database import Database
from storage.history import History


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """With the schema in it; tests/storage/test_database.py has empty ones."""
    return str(request.getfixturevalue({"sqlite": "sqlite_history", "postgresql": "postgres_history"}[request.param]))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database.open(database_url) as opened:
        yield opened


@pytest.fixture
def history(database: Database) -> History:
    return History(database)
