"""An agent's one desk among many nodes: who has it is the store's to say, over both stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway.seats import Seats
from queueing.contract import Store
from queueing.memory import MemoryStore
from queueing.store import RedisStore
from session.ids import AssigneeId, NodeId
from tests.queueing.house import PEPPER, TENANT

ANNA = AssigneeId("anna")
NODES = tuple(NodeId(name) for name in ("east", "north", "south", "west"))


@pytest.fixture(params=["redis", "memory"])
async def seats(request: pytest.FixtureRequest) -> AsyncIterator[list[Seats]]:
    """Of four nodes that live, each with its own way to the store."""
    async with AsyncExitStack() as stack:
        memory = MemoryStore()

        async def opens() -> Store:
            if request.param == "memory":
                return memory
            url = request.getfixturevalue("valkey_url")
            return await stack.enter_async_context(RedisStore.connect(url, tenant=TENANT, pepper=PEPPER))

        stores = [await opens() for _ in NODES]
        for node in NODES:
            await stores[0].mailboxes.beat(node, ttl_s=60.0)
        yield [Seats(store.shared, store.mail, node) for store, node in zip(stores, NODES, strict=True)]


async def test_of_desks_that_come_at_the_same_instant_one_has_the_seat(seats: list[Seats]) -> None:
    taken = await asyncio.gather(*(one.take(ANNA, f"desk-{n}", "", from_another=False) for n, one in enumerate(seats)))
    assert sorted(taken) == [False, False, False, True]
    kept = [await one.keeps(ANNA, f"desk-{n}") for n, one in enumerate(seats)]
    assert kept == taken, "and it stays so"


async def test_of_desks_that_take_the_place_at_the_same_instant_the_last_has_it(seats: list[Seats]) -> None:
    assert await seats[0].take(ANNA, "first", "", from_another=False)
    asked = (one.take(ANNA, f"desk-{n}", "", from_another=True) for n, one in enumerate(seats[1:]))
    assert await asyncio.gather(*asked) == [True, True, True]
    assert [await one.keeps(ANNA, "whichever") for one in seats].count(True) == 1


async def test_a_desk_goes_on_at_another_node_with_its_link_and_no_other_does(seats: list[Seats]) -> None:
    here, there, *_ = seats
    assert await here.take(ANNA, "first", "", from_another=False)
    assert not await there.take(ANNA, "second", "another link", from_another=False)
    assert await there.take(ANNA, "second", "first", from_another=False)
    assert not await here.keeps(ANNA, "first")
    await here.leave(ANNA, "first")
    assert await there.keeps(ANNA, "second"), "who has lost the seat does not free it"
    await there.leave(ANNA, "second")
    assert await here.take(ANNA, "third", "", from_another=False)
