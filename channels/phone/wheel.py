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
        self._heap: list[tuple[float, int]] = []
        """Deadlines, each with the number of what waits for it in `_waiting`, where that still does."""
        self._waiting: dict[int, Machine] = {}
        self._scheduled: dict[int, tuple[float, int]] = {}
        """By the machine's `id`."""
        self._order = itertools.count()
        self._handle: asyncio.TimerHandle | None = None
        self._armed_at = 0.0

    def watch(self, machine: Machine) -> None:
        """Note a machine's next deadline; to be called whenever its timers may have changed."""
        deadline = machine.timers.next_deadline
        if deadline is None:
            return
        before = self._scheduled.get(id(machine))
        if before is not None:
            if before[0] <= deadline:
                return
            del self._waiting[before[1]]
        entry = self._scheduled[id(machine)] = (deadline, next(self._order))
        self._waiting[entry[1]] = machine
        heapq.heappush(self._heap, entry)
        self._arm()

    def forget(self, machine: Machine) -> None:
        """It is needed no more, nor is whatever hangs on it, though its deadline may be half an hour away."""
        entry = self._scheduled.pop(id(machine), None)
        if entry is not None:
            del self._waiting[entry[1]]

    def stop(self) -> None:
        """Forget all."""
        if self._handle is not None:
            self._handle.cancel()
        self._heap.clear()
        self._waiting.clear()
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
            machine = self._waiting.pop(heapq.heappop(self._heap)[1], None)
            if machine is None:  # it is forgotten, or an earlier deadline has taken this one's place
                continue
            del self._scheduled[id(machine)]
            if machine.timers.next_deadline is not None and machine.timers.next_deadline <= now:
                machine.turn(now)
            self.watch(machine)
        self._arm()
