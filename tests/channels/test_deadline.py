"""Deadlines: whoever is late is told so, whoever is not is left alone, and another's cancellation stays one."""

from __future__ import annotations

import asyncio

import pytest

from channels.deadline import Deadline

SOON_S, LONG_S = 0.02, 60.0


async def _wait(deadline: Deadline) -> None:
    with deadline.begin():
        await asyncio.Event().wait()


async def test_one_that_is_late_is_ended_and_the_task_goes_on() -> None:
    with pytest.raises(TimeoutError):
        await _wait(Deadline(SOON_S))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_each_of_many_is_ended_and_those_that_were_in_time_are_not() -> None:
    deadline, opened = Deadline(SOON_S), asyncio.Event()

    async def prompt() -> str:
        with deadline.begin():
            await asyncio.sleep(0)
        await opened.wait()
        return "in time"

    tasks: list[asyncio.Task[str | None]] = []
    for _ in range(10):
        tasks += [asyncio.create_task(_wait(deadline)), asyncio.create_task(prompt())]
    await asyncio.wait(tasks[::2])
    opened.set()
    assert await asyncio.gather(*tasks[1::2]) == ["in time"] * 10
    assert all(isinstance(late.exception(), TimeoutError) for late in tasks[::2])


async def test_one_that_begins_after_a_long_pause_has_its_whole_time() -> None:
    deadline = Deadline(SOON_S)
    with deadline.begin():
        pass
    with pytest.raises(TimeoutError):
        await _wait(deadline)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        await _wait(deadline)
    assert asyncio.get_running_loop().time() - began >= SOON_S


async def test_what_somebody_else_cancels_is_cancelled() -> None:
    waiting = asyncio.create_task(_wait(Deadline(LONG_S)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_fault_within_is_told_as_it_is() -> None:
    with pytest.raises(KeyError), Deadline(LONG_S).begin():
        raise KeyError
