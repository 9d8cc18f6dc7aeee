"""The two clocks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from media.pace import Rounds, Ticker

if TYPE_CHECKING:
    from tests.conftest import Eventually


class Player:
    def __init__(self) -> None:
        self.times: list[float] = []

    def tick(self, now_s: float) -> None:
        self.times.append(now_s)

    look = tick


async def test_a_stall_is_not_made_up_for_in_a_burst() -> None:
    ticker, player = Ticker(), Player()
    ticker.add(player)
    for late_s, ticks in ((0.5, 0), (0.07, 3)):
        # As if the loop had stood still for so long, without the chance that it does so by itself meanwhile.
        player.times.clear()
        ticker._next, ticker._due_s = 1, time.monotonic() - late_s
        ticker._run()
        assert len(player.times) == ticks
    ticker.close()


async def test_players_share_the_turns_and_may_leave_while_called(eventually: Eventually) -> None:
    ticker = Ticker()

    class Leaver(Player):
        def tick(self, now_s: float) -> None:
            super().tick(now_s)
            ticker.remove(self)

    leavers, stayer = [Leaver() for _ in range(40)], Player()
    for player in (*leavers, stayer):
        ticker.add(player)
        ticker.add(player)
    assert [len(turn) for turn in ticker._turns] == [11, 10, 10, 10]
    await eventually(lambda: len(stayer.times) >= 5)
    assert all(len(leaver.times) == 1 for leaver in leavers)
    ticker.remove(stayer)
    ticker.remove(stayer)
    await eventually(lambda: ticker._timer is None)
    ticker.add(stayer)
    before = len(stayer.times)
    await eventually(lambda: len(stayer.times) > before)
    ticker.close()


async def test_everyone_is_visited_once_a_second() -> None:
    rounds, members, gone = Rounds(), [Player() for _ in range(25)], Player()
    for member in (*members, gone):
        rounds.add(member)
    rounds.remove(gone)
    started = time.monotonic()
    await asyncio.sleep(2.15)
    rounds.close()
    most = time.monotonic() - started + 1
    assert all(1 <= len(member.times) <= most for member in members)
    assert gone.times == []
