"""Both databases; the shared store by a clock that the test turns."""

import itertools

import pytest

from identity.ledger import Ledger
from storage.database import Database
from tests.accounts.shared_state import TurnedShared
from tests.storage.conftest import database, database_url

__all__ = ["database", "database_url"]

PEPPER = b"pepper of the tests, 32 bytes long"


@pytest.fixture
def ledger(database: Database) -> Ledger:
    numbers = itertools.count(1)
    return Ledger(database, pepper=PEPPER, new_id=lambda: f"{next(numbers):026}")


@pytest.fixture
def shared() -> TurnedShared:
    return TurnedShared()
