"""Both stores, under a clock that the tests move."""

from collections.abc import AsyncIterator

import pytest

from tests.queueing.house import NODE, Clock, House, memory_store, redis_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["redis", "memory"])
async def house(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[House]:
    """A house on each of the stores in turn; what holds for one must hold for the other."""
    if request.param == "memory":
        house = House(memory_store(clock), clock)
        await house.store.mailboxes.beat(NODE, ttl_s=86400)
        yield house
        return
    url = request.getfixturevalue("valkey_url")
    async with redis_store(url, clock) as store:
        house = House(store, clock)
        await house.store.mailboxes.beat(NODE, ttl_s=86400)
        yield house


@pytest.fixture
async def redis_house(valkey_url: str, clock: Clock) -> AsyncIterator[House]:
    async with redis_store(valkey_url, clock) as store:
        await store.mailboxes.beat(NODE, ttl_s=86400)
        yield House(store, clock)
