"""Workers: begun in order, nobody held up by another's wait, tasks reused, and few wakes where nothing waits."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from realtime.workers import Workers
from tests.conftest import Eventually


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    yield workers
    await workers.close()


async def test_work_begins_in_order_and_does_not_wait_for_another_s_end(
    workers: Workers, eventually: Eventually
) -> None:
    gate = asyncio.Event()
    begun: list[int] = []
    ended: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number % 2 == 0:
            await gate.wait()
        ended.append(number)

    for number in range(6):
        workers.add(partial(work, number))
    await eventually(lambda: ended == [1, 3, 5], deadline_s=15)
    assert begun == [0, 1, 2, 3, 4, 5]
    gate.set()
    await eventually(lambda: sorted(ended) == [0, 1, 2, 3, 4, 5], deadline_s=15)


async def test_what_waits_for_nothing_is_all_done_by_one_task(workers: Workers, eventually: Eventually) -> None:
    doers: list[asyncio.Task[None] | None] = []

    async def work() -> None:
        doers.append(asyncio.current_task())

    for _ in range(20):
        workers.add(work)
    await eventually(lambda: len(doers) == 20, deadline_s=15)
    assert len(set(doers)) == 1


async def test_much_work_lets_others_have_their_turn(workers: Workers, eventually: Eventually) -> None:
    done: list[int] = []
    seen: list[int] = []

    async def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            asyncio.get_running_loop().call_soon(lambda: seen.append(len(done)))

    for _ in range(500):
        workers.add(work)
    await eventually(lambda: len(done) == 500, deadline_s=15)
    assert seen[0] < 100


async def test_a_task_is_used_again(workers: Workers, eventually: Eventually) -> None:
    doers: list[asyncio.Task[None] | None] = []

    async def work() -> None:
        doers.append(asyncio.current_task())
        await asyncio.sleep(0)

    for turn in range(1, 5):
        workers.add(work)
        await eventually(lambda: len(doers) == turn, deadline_s=15)  # noqa: B023 - awaited within its turn
        await asyncio.sleep(0)
    assert len(set(doers)) == 1


async def test_closing_stops_what_is_under_way(eventually: Eventually) -> None:
    workers = Workers()
    begun: list[bool] = []
    stopped: list[bool] = []

    async def work() -> None:
        begun.append(True)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    workers.add(work)
    await eventually(lambda: bool(begun), deadline_s=15)
    await workers.close()
    assert stopped == [True]
