"""Both databases; the shared store by a clock that the test turns."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from identity.ledger import Ledger
from storage.database import Database, sqlite_url
from tests.accounts.shared_state import TurnedShared

PEPPER = b"pepper of the tests, 32 bytes long"


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
def ledger(database: Database) -> Ledger:
    numbers = itertools.count(1)
    return Ledger(database, pepper=PEPPER, new_id=lambda: f"{next(numbers):026}")


@pytest.fixture
def shared() -> TurnedShared:
    return TurnedShared()
