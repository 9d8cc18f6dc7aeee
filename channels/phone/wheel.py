"""One timer of the event loop for all the machines of an endpoint."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Protocol

from channels.phone.sip.timing import Timers


class Machine(Protocol):
    """Whatever has timers."""

    @property
    def timers(self) -> Timers:
        """Its running timers."""
        ...

    def turn(self, now: float) -> None:
        """Do what is due."""
        ...


class TimerWheel:
    """Turns a machine when its next deadline has come. Times are the loop's clock."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Machine]] = []
        self._scheduled: dict[int, float] = {}
        self._order = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._armed_at = 0.0

    def watch(self, machine: Machine) -> None:
        """Note a machine's next deadline; to be called whenever its timers may have changed."""
        deadline = machine.timers.next_deadline
        if deadline is None or self._scheduled.get(id(machine), float("inf")) <= deadline:
            return
        self._scheduled[id(machine)] = deadline
        heapq.heappush(self._heap, (deadline, next(self._order), machine))
        self._arm()

    def stop(self) -> None:
        """Forget all."""
        if self._handle is not None:
            self._handle.cancel()
        self._heap.clear()
        self._scheduled.clear()

    def _arm(self) -> None:
        if not self._heap:
            return
        at = self._heap[0][0]
        if self._handle is not None:
            if self._armed_at <= at:
                return
            self._handle.cancel()
        # Kept here, since uvloop gives a handle without `when` for a moment that has passed.
        self._armed_at = at
        self._handle = self._loop.call_at(at, self._turn)

    def _turn(self) -> None:
        self._handle = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            deadline, _, machine = heapq.heappop(self._heap)
            # An entry that was superseded by an earlier one: the machine has been seen since.
            if self._scheduled.get(id(machine)) != deadline:
                continue
            del self._scheduled[id(machine)]
            if machine.timers.next_deadline is not None and machine.timers.next_deadline <= now:
                machine.turn(now)
            self.watch(machine)
        self._arm()
