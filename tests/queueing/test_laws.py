"""The thirteen laws, asked after each act of a made-up day at the hotline."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.peers.valkey import ValkeyServer
from tests.queueing.twins import ACTS, Twins, twins_at


class Day(RuleBasedStateMachine):
    """Each rule is one act on the real store and on the model."""

    server: ValkeyServer

    def __init__(self) -> None:
        super().__init__()
        self.server.empty()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.twins: Twins = self.runner.run(self.stack.enter_async_context(twins_at(self.server.url)))

    @rule(act=st.sampled_from(ACTS), data=st.data())
    def act(self, act: Any, data: st.DataObject) -> None:
        self.runner.run(act(self.twins, lambda limit: data.draw(st.integers(0, limit - 1))))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


def run(server: ValkeyServer, *, examples: int, steps: int) -> None:
    machine = type("Day", (Day,), {"server": server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        ),
    )


def test_any_day_keeps_the_laws(valkey_server: ValkeyServer) -> None:
    run(valkey_server, examples=8, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_days_keep_the_laws(valkey_server: ValkeyServer) -> None:
    run(valkey_server, examples=1000, steps=50)


@pytest.mark.parametrize("seed", range(3))
async def test_a_long_day_keeps_the_laws(valkey_url: str, seed: int) -> None:
    """Deeper than hypothesis goes in the same time, and always the same."""
    chance = random.Random(seed)
    async with twins_at(valkey_url) as twins:
        for _ in range(60):
            await chance.choice(ACTS)(twins, chance.randrange)
