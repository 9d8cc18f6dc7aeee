"""State that all nodes share, over both stores; by the true clock, as this store has no other."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from queueing.errors import TooLarge
from queueing.memory import MemoryStore
from queueing.store import RedisStore
from session.ports import SharedState
from tests.conftest import Eventually
from tests.queueing.house import PEPPER, TENANT


@pytest.fixture(params=["redis", "memory"])
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[SharedState]:
    if request.param == "memory":
        yield MemoryStore().shared
        return
    async with RedisStore.connect(request.getfixturevalue("valkey_url"), tenant=TENANT, pepper=PEPPER) as store:
        yield store.shared


async def test_a_value_is_kept_for_its_time(shared: SharedState, eventually: Eventually) -> None:
    await shared.put("k", b"v", ttl_s=0.1)
    assert await shared.get("k") == b"v"

    async def gone() -> bool:
        return await shared.get("k") is None

    await eventually(gone)
    await shared.put("k", b"w", ttl_s=60)
    await shared.delete("k")
    assert await shared.get("k") is None


async def test_only_the_first_puts_new(shared: SharedState) -> None:
    assert sorted(await asyncio.gather(*(shared.put_new("k", b"%d" % n, ttl_s=60) for n in range(9)))) == [
        False
    ] * 8 + [True]


async def test_a_value_is_replaced_by_one_of_those_who_saw_it(shared: SharedState) -> None:
    assert not await shared.put_if("k", b"never there", b"v", ttl_s=60)
    for was, by in ((None, b"v%d"), (b"v0", b"w%d")):
        replaced = await asyncio.gather(*(shared.put_if("k", was, by % n, ttl_s=60) for n in range(9)))
        assert replaced == [True] + [False] * 8
    assert await shared.get("k") == b"w0"


async def test_a_map_has_64_fields_at_most(shared: SharedState) -> None:
    for number in range(64):
        await shared.put_field("m", f"f{number}", b"v", ttl_s=60)
    with pytest.raises(TooLarge):
        await shared.put_field("m", "one more", b"v", ttl_s=60)
    await shared.put_field("m", "f1", b"w", ttl_s=60)
    await shared.delete_field("m", "f2")
    held = await shared.fields("m")
    assert len(held) == 63
    assert held["f1"] == b"w"


async def test_a_bucket_lets_a_burst_through_and_then_its_rate(shared: SharedState, eventually: Eventually) -> None:
    taken = [await shared.take("b", rate_per_s=10, burst=5) for _ in range(6)]
    assert taken == [True] * 5 + [False]

    async def refilled() -> bool:
        return await shared.take("b", rate_per_s=10, burst=5)

    await eventually(refilled)


async def test_a_lease_has_one_holder_and_a_rising_fence(shared: SharedState, eventually: Eventually) -> None:
    assert await shared.lease("l", "n1", ttl_s=0.2) == 1
    assert await shared.lease("l", "n1", ttl_s=0.2) == 1
    assert await shared.lease("l", "n2", ttl_s=0.2) is None

    async def inherited() -> int | None:
        return await shared.lease("l", "n2", ttl_s=60)

    assert await eventually(inherited) == 2


async def test_the_clock_is_the_stores(shared: SharedState) -> None:
    assert abs(await shared.now() - time.time()) < 1
