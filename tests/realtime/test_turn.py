"""What is put off to the end of a turn: in order, once, and whatever becomes of the others."""

import asyncio

import pytest

from realtime.turn import Turn


async def test_acts_are_done_in_order_once_the_turn_ends() -> None:
    turn, done = Turn(), list[int]()
    turn.put_off(lambda: done.append(1))
    turn.put_off(lambda: done.append(2))
    assert done == []
    await asyncio.sleep(0)
    assert done == [1, 2]
    turn.put_off(lambda: done.append(3))
    await asyncio.sleep(0)
    assert done == [1, 2, 3]


async def test_one_that_fails_is_logged_and_harms_no_other(caplog: pytest.LogCaptureFixture) -> None:
    turn, done = Turn(), list[int]()
    turn.put_off(lambda: 1 / 0)  # type: ignore[arg-type]
    turn.put_off(lambda: done.append(2))
    await asyncio.sleep(0)
    assert done == [2]
    assert "at the end of a turn" in caplog.text
