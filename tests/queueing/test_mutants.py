"""Each seeded bug is found; the sound code is not suspected."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import queueing
from queueing.library import source
from session.errors import YihaoError
from tests.queueing import faults, test_line, test_log
from tests.queueing.house import NODE, Clock, House, redis_store
from tests.queueing.mutants import MUTANTS, Mutant
from tests.queueing.twins import ACTS, twins_at

SEEDS = range(8)
STEPS = 60
FEW = {
    "accept ignores the token",
    "expiry forgets the agent",
    "requeue loses the wait",
    "capacity is charged twice",
    "acknowledged before committed",
    "client retries are left on",
    "a sweep is without bound",
    "the clock stands until it has caught up",
    "a decline is forgotten",
    "offers are made over the citizen's unread act",
    "the fence is not checked",
    "words are not known again",
    "the citizen is gone, but the offer stays",
    "a decline stamps the place anew",
}
"""In the everyday run; `--long` tries all."""

every_mutant = [
    pytest.param(
        mutant, id=mutant.name.replace(" ", "_").replace(",", ""), marks=() if mutant.name in FEW else pytest.mark.slow
    )
    for mutant in MUTANTS
]


@pytest.fixture
def mutated_server(mutant: Mutant) -> Iterator[ModuleType]:
    """The module `queueing.server` with the bug in it, beside the sound one."""
    path = Path(queueing.__path__[0]) / "server.py"
    spec = importlib.util.spec_from_loader("queueing.mutated_server", loader=None)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    exec(compile(mutant.into(path.read_text(encoding="utf-8")), str(path), "exec"), module.__dict__)
    yield module
    del sys.modules[spec.name]


async def found(url: str, folder: Path, mutant: Mutant, request: pytest.FixtureRequest) -> str:
    """How the bug shows; empty where it does not."""
    try:
        if mutant.file == "server":
            await getattr(faults, mutant.found_by)(url, folder, request.getfixturevalue("mutated_server"))
        elif mutant.found_by.startswith("test_"):
            await one_test(url, mutant)
        elif mutant.found_by == "acts":
            await walk(url, mutant.into(source()))
        else:
            await getattr(faults, mutant.found_by)(url, mutant.into(source()))
    except (AssertionError, YihaoError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


async def one_test(url: str, mutant: Mutant) -> None:
    """A test of the suite, on the store with the bug."""
    clock = Clock()
    async with redis_store(url, clock, None, mutant.into(source())) as store:
        await store.mailboxes.beat(NODE, ttl_s=86400)
        suite = test_line if hasattr(test_line, mutant.found_by) else test_log
        await getattr(suite, mutant.found_by)(House(store, clock))


async def walk(url: str, parts: str | None) -> None:
    """Days of made-up acts, the same each time."""
    for seed in SEEDS:
        chance = random.Random(seed)
        async with twins_at(url, parts) as twins:
            for _ in range(STEPS):
                await chance.choice(ACTS)(twins, chance.randrange)
            await twins.subject.store.server.send("FLUSHDB")  # type: ignore[attr-defined] # the real one


@pytest.mark.parametrize("mutant", every_mutant)
async def test_the_bug_is_found(
    valkey_url: str, short_folder: Path, mutant: Mutant, request: pytest.FixtureRequest
) -> None:
    assert await found(valkey_url, short_folder, mutant, request), f"nobody noticed that {mutant.name}"


async def test_a_sweep_is_bounded(valkey_url: str) -> None:
    await faults.sweep_is_bounded(valkey_url)


async def test_the_clock_is_the_stores(valkey_url: str) -> None:
    await faults.the_clock_is_the_stores(valkey_url)


async def test_a_clock_that_is_set_back_stops_nothing(valkey_url: str) -> None:
    await faults.a_clock_that_is_set_back_stops_nothing(valkey_url)


@pytest.mark.parametrize("check", [faults.nothing_is_run_twice, faults.nothing_is_acknowledged_that_is_not_there])
async def test_the_wire_is_cut(valkey_url: str, short_folder: Path, check: object) -> None:
    assert callable(check)
    await check(valkey_url, short_folder)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_sound_store_walks_through(valkey_url: str) -> None:
    await walk(valkey_url, None)
