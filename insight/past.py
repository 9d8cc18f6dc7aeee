"""The figures of days past (历史统计), by the formulas of the wallboard: of the sessions that came, hour by hour."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping

from insight.tally import Tally, tally_of
from storage.history import History

HOUR_S = 3600
DAY_S = 24 * HOUR_S
SETTLED_S = 3 * DAY_S
"""A day that is over for so long hardly changes any more: a late rating, a call that was owed."""
KEPT_S = 3600.0
"""So long a settled day is not read again."""
MOST_DAYS = 62

Sums = Mapping[str, Tally]
"""By queue."""


class Past:
    """Days are read whole, one after the other, however many ask; the store's clock says what is now."""

    def __init__(self, history: History, clock: Callable[[], Awaitable[float]]) -> None:
        self._history, self._clock = history, clock
        self._kept: OrderedDict[float, tuple[float, list[Sums]]] = OrderedDict()
        self._reading = asyncio.Lock()

    async def day(self, midnight: float) -> list[Sums]:
        """Its 24 hours, from that moment on. Raises `StorageUnavailable`."""
        async with self._reading:
            now = await self._clock()
            read_at, hours = self._kept.get(midnight, (0.0, []))
            if hours and now - read_at < KEPT_S:
                return hours
            hours = await self._read(midnight)
            if midnight + DAY_S + SETTLED_S < now:
                self._kept[midnight] = (now, hours)
                while len(self._kept) > MOST_DAYS:
                    self._kept.popitem(last=False)
            return hours

    async def _read(self, midnight: float) -> list[Sums]:
        hours: list[dict[str, Tally]] = [defaultdict(Tally) for _ in range(DAY_S // HOUR_S)]
        after = ""
        while page := await self._history.came(midnight, midnight + DAY_S, after=after):
            for record in page:
                hour = int((record.session.opened_at - midnight) // HOUR_S)
                hours[hour][record.session.demand.queue] += tally_of(record)
            after = page[-1].session.id
        return [dict(hour) for hour in hours]


def summed(steps: list[Sums]) -> Sums:
    """The sums of several steps as one."""
    sums: dict[str, Tally] = defaultdict(Tally)
    for step in steps:
        for queue, tally in step.items():
            sums[queue] += tally
    return dict(sums)
