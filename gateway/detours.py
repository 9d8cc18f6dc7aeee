"""What stands in a caller's way when they call, by the rules in force; and how long they are to stand in line.

A line's length is looked at each second, and whoever was let in since then counts too: so the bound holds within what
other nodes let in during that second, and a call costs the store nothing more. How often one number calls each node
counts by itself, and forgets when it starts anew: a flood is a matter of minutes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from channels.contract import Channel, ShowsOut
from queueing.contract import QueueView
from rulebook.hours import BusinessHours
from rulebook.routing import Route
from rulebook.ways import Often, WaysOn
from session.errors import YihaoError
from session.number import SCHEME
from session.ports import Contact
from session.state import Medium
from session.ways import Detour, Obstacle, Patience, Way

log = logging.getLogger(__name__)

LOOK_S = 1.0
_NUMBERS = 65_536


class Detours:
    """Of one node."""

    def __init__(
        self,
        ways: Callable[[], WaysOn],
        hours: Callable[[], BusinessHours],
        lines: Callable[[], Awaitable[Sequence[QueueView]]],
        channels: Mapping[str, Channel],
        *,
        records: bool,
    ) -> None:
        """`records`: whether calls are recorded at all; without that nobody can leave a message."""
        self._ways, self._hours, self._lines = ways, hours, lines
        self._channels, self._records = channels, records
        self._lengths: Counter[str] = Counter()
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def judge(self, contact: Contact, route: Route, at: float) -> tuple[Detour | None, Patience | None]:
        """What keeps a call from a human, and how long any live contact is to stand in line."""
        ways, queue = self._ways(), route.demand.queue
        bound = ways.bound(queue)
        if isinstance(self._channels.get(contact.channel), ShowsOut) and contact.first is None:
            detour = self._in_the_way(contact, route, at)
            if detour is not None:
                return detour, None
            self._lengths[queue] += 1
        patience = bound.patience if bound is not None and contact.medium is not Medium.MESSAGE else None
        return None, None if patience is None else self._kept(patience)

    async def run(self) -> None:
        """Look how long the lines are, where any has a bound, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if any(one.longest is not None for one in self._ways().queues):
                try:
                    self._lengths = Counter({one.queue: one.waiting for one in await self._lines()})
                except YihaoError as error:
                    log.warning("the lines' lengths are not known", extra={"why": type(error).__name__})

    def _in_the_way(self, contact: Contact, route: Route, at: float) -> Detour | None:
        ways = self._ways()
        if self._calls_too_often(contact, ways.often):
            return Detour(Obstacle.TOO_OFTEN, self._possible(ways.often.ways))
        return self._nobody(route, at, is_staffed=route.by_night)

    def nobody_reads(self, route: Route, at: float) -> Detour | None:
        """What keeps words from a human; who is routed to a bot by night meets nobody else."""
        return self._nobody(route, at, is_staffed=route.by_night and not route.bot_queue)

    def _nobody(self, route: Route, at: float, *, is_staffed: bool) -> Detour | None:
        ways, hours = self._ways(), self._hours()
        bound = ways.bound(route.demand.queue)
        if not is_staffed and not hours.open_at(at):
            opens_at = hours.opens_at(at)
            return Detour(Obstacle.CLOSED, self._possible(ways.closed.ways), ways.closed.owed, opens_at)
        if bound is not None and bound.longest is not None and self._lengths[bound.queue] >= bound.longest:
            return Detour(Obstacle.FULL, self._possible(ways.full.ways), ways.full.owed)
        return None

    def _calls_too_often(self, contact: Contact, often: Often) -> bool:
        # A number that is only claimed is nobody's: by it anyone could keep its owner out.
        if not often.calls or not contact.asserted or contact.address.scheme != SCHEME:
            return False
        key, now = str(contact.address), monotonic()
        caller = self._callers.get(key)
        if caller is None:
            caller = self._callers[key] = _Caller(float(often.calls), now)
            if len(self._callers) > _NUMBERS:
                self._callers.popitem(last=False)
        self._callers.move_to_end(key)
        return not caller.may_call(often, now)

    def _kept(self, patience: Patience) -> Patience:
        return Patience(patience.after_s, patience.queue, self._possible(patience.ways))

    def _possible(self, ways: Sequence[Way]) -> tuple[Way, ...]:
        return tuple(way for way in ways if way is not Way.MESSAGE or self._records)


@dataclass(slots=True)
class _Caller:
    """One number's calls that are still allowed, by the rule at each call."""

    left: float
    at: float

    def may_call(self, often: Often, now: float) -> bool:
        """One more. What is refused uses nothing up."""
        self.left = min(float(often.calls), self.left + (now - self.at) * often.calls / often.within_s)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
