"""The engine's two clocks: 20 ms for everything that is played, a second for looking after calls.

One timer each, however many slots play: a task per slot would cost a wake-up per packet.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle

FRAME_S = 0.02
_TURNS = 4
_TURN_S = FRAME_S / _TURNS
_MAX_LATE_S = 0.1
_ROUND_STEPS = 10
_STEP_S = 1.0 / _ROUND_STEPS


class Paced(Protocol):
    """Whoever sends a packet every 20 ms."""

    def tick(self, now_s: float) -> None:
        """Send the next one."""
        ...


class Ticker:
    """Calls each player every 20 ms, without drift, in four turns so that a thousand do not send in one burst."""

    def __init__(self) -> None:
        self._turns: list[dict[Paced, None]] = [{} for _ in range(_TURNS)]
        self._place: dict[Paced, int] = {}
        self._next = 0
        self._due_s = 0.0
        self._timer: TimerHandle | None = None

    def add(self, player: Paced) -> None:
        """Begin to call a player; again is no harm."""
        if player in self._place:
            return
        turn = min(range(_TURNS), key=lambda index: len(self._turns[index]))
        self._turns[turn][player] = None
        self._place[player] = turn
        if self._timer is None:
            self._due_s = monotonic()
            self._arm()

    def remove(self, player: Paced) -> None:
        """Cease to call a player; again is no harm."""
        turn = self._place.pop(player, None)
        if turn is not None:
            del self._turns[turn][player]

    def close(self) -> None:
        """Stop for good."""
        self._place.clear()
        for turn in self._turns:
            turn.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        delay = max(0.0, self._due_s - monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self._timer = None
        now_s = monotonic()
        if now_s - self._due_s > _MAX_LATE_S:
            self._due_s = now_s  # a stall: what was not sent then is not sent now
        try:
            while self._due_s <= now_s:
                turn = self._turns[self._next]
                self._next = (self._next + 1) % _TURNS
                self._due_s += _TURN_S
                for player in tuple(turn):
                    player.tick(now_s)
        finally:
            if self._place and self._timer is None:
                self._arm()


class Watched(Protocol):
    """Whoever is to be looked after."""

    def look(self, now_s: float) -> None:
        """Do what is due."""
        ...


class Rounds:
    """Visits everything once a second, a tenth every 100 ms."""

    def __init__(self) -> None:
        self._waiting: deque[Watched] = deque()
        self._members: set[Watched] = set()
        self._timer: TimerHandle | None = None

    def add(self, member: Watched) -> None:
        """Begin to visit."""
        self._members.add(member)
        self._waiting.append(member)
        if self._timer is None:
            self._arm()

    def remove(self, member: Watched) -> None:
        """Cease to visit; again is no harm. It leaves the round when its turn would come."""
        self._members.discard(member)

    def close(self) -> None:
        """Stop for good."""
        self._members.clear()
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_STEP_S, self._run)

    def _run(self) -> None:
        self._timer = None
        now_s = monotonic()
        try:
            for _ in range(-(-len(self._waiting) // _ROUND_STEPS)):
                member = self._waiting.popleft()
                if member in self._members:
                    self._waiting.append(member)
                    member.look(now_s)
        finally:
            if self._waiting and self._timer is None:
                self._arm()
