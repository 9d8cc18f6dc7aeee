"""`yihao figures`: every figure of the wallboard recounted from the events, beside what the sessions' rows say."""

from __future__ import annotations

import time
from datetime import datetime

from config.settings import Settings
from gateway.database import open_database
from gateway.telephony import rules_of
from insight.board import DAY_S, Board
from insight.figures import FIGURES, Unit, computed
from insight.past import Past, summed
from insight.recount import recount
from insight.tally import NONE, Tally
from insight.window import MINUTE_S
from storage.history import History


async def told(settings: Settings, day: datetime | None = None) -> tuple[str, bool]:
    """A line a figure with its formula, over the sliding day as the wallboard has it; and whether both ways agree.

    With a day, over that one, as the charts of days past have it.
    """
    if day is not None:
        return await _told_of(settings, day.timestamp())
    async with open_database(settings) as database:
        history = History(database, rules_of(settings))
        now = time.time()

        async def clock() -> float:
            return now

        window = await Board(history, clock).look()
        counted = await recount(history, since=((now - DAY_S) // MINUTE_S + 1) * MINUTE_S, until=now + MINUTE_S)
    sums = sum(counted.values(), NONE)
    return "\n".join(_lines(sums, window.total)), sums == window.total


async def _told_of(settings: Settings, midnight: float) -> tuple[str, bool]:
    async def clock() -> float:
        return time.time()

    async with open_database(settings) as database:
        history = History(database, rules_of(settings))
        shown = summed(await Past(history, clock).day(midnight))
        counted = await recount(history, midnight, midnight + DAY_S)
    sums = sum(counted.values(), NONE)
    return "\n".join(_lines(sums, sum(shown.values(), NONE))), counted == shown


def _lines(recounted: Tally, shown: Tally) -> list[str]:
    values, others = computed(recounted), computed(shown)
    rows = [("FIGURE", "FROM EVENTS", "ON THE BOARD", "NAME", "FORMULA")]
    for figure in FIGURES:
        counted, on_board = (_written(figure.unit, one[figure.key]) for one in (values, others))
        rows.append((figure.key, counted, on_board, figure.name, figure.formula))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(row[column].ljust(widths[column]) for column in range(3)), *row[3:]]).rstrip() for row in rows]


def _written(unit: Unit, value: float | None) -> str:
    if value is None:
        return "-"
    match unit:
        case Unit.COUNT:
            return f"{value:.0f}"
        case Unit.SHARE:
            return f"{value:.1%}"
        case Unit.SECONDS:
            return f"{value:.1f} s"
