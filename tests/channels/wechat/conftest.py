"""A world in memory with one node, and another over a real Valkey."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from queueing.store import RedisStore
from tests.channels.wechat.rig import ServingNode, World, node, world_of


class Clock:
    """Time that a test moves."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def world(clock: Clock) -> AsyncIterator[World]:
    async with world_of(clock=clock) as one:
        yield one


@pytest.fixture
async def here(world: World, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, tmp_path) as one:
        yield one


@pytest.fixture
async def valkey_world(valkey_url: str) -> AsyncIterator[World]:
    async with (
        RedisStore.connect(valkey_url, tenant="test", pepper=b"pepper of the tests" * 2) as store,
        world_of(store) as one,
    ):
        yield one
