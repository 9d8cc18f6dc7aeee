"""Stores for the gateway's tests: the real one where durability is the point, the one in memory elsewhere."""

from collections.abc import AsyncIterator

import pytest

from queueing.memory import MemoryStore
from queueing.settings import QueueSettings
from queueing.store import RedisStore

PEPPER = b"a pepper that only tests have"
SETTINGS = QueueSettings(lease_s=20.0, decline_pause_s=0.5)


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[RedisStore]:
    async with RedisStore.connect(valkey_url, tenant="test", pepper=PEPPER, settings=SETTINGS) as opened:
        yield opened


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore(SETTINGS)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a hash costs is the matter of tests/accounts; here it would be most of the time."""
    monkeypatch.setattr("accounts.passwords._MEMORY_KIB", 64)
    monkeypatch.setattr("accounts.passwords._PASSES", 1)
