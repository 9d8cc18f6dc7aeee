"""When people answer. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from bots.errors import BadHours

CITY = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China keeps one time, without summer time since 1991: no table of zones is needed."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WRITTEN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_WHOLE_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Range:
    """Some days of the week, and from when to when on them; over midnight where the end is not after the start."""

    first_day: int
    last_day: int
    start_minute: int
    end_minute: int

    @classmethod
    def parse(cls, text: str) -> Range:
        """`mon-fri 08:30-18:00`. Raises `BadHours`."""
        written = _WRITTEN.fullmatch(text.strip().lower())
        if written is None or written[1] not in _DAYS or (written[2] or written[1]) not in _DAYS:
            raise BadHours(text)
        start, end = (_minute(int(written[at]), int(written[at + 1]), text) for at in (3, 5))
        return cls(_DAYS.index(written[1]), _DAYS.index(written[2] or written[1]), start, end)

    def holds(self, day: int, minute: int) -> bool:
        """Whether that minute of that day of the week (Monday is 0) lies within."""
        if self.start_minute < self.end_minute:
            return self._has(day) and self.start_minute <= minute < self.end_minute
        evening = self._has(day) and minute >= self.start_minute
        return evening or (self._has((day - 1) % 7) and minute < self.end_minute)

    def _has(self, day: int) -> bool:
        return (day - self.first_day) % 7 <= (self.last_day - self.first_day) % 7

    def said(self, *, english: bool) -> str:
        """As a citizen reads it."""
        days = _DAYS_EN if english else _DAYS_ZH
        every_day = (self.last_day - self.first_day) % 7 == 6
        if every_day:
            which = "every day" if english else "每天"
        elif self.first_day == self.last_day:
            which = days[self.first_day]
        else:
            which = f"{days[self.first_day]}{' to ' if english else '至'}{days[self.last_day]}"
        return f"{which} {_clock(self.start_minute)}–{_clock(self.end_minute)}"


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """All ranges together."""

    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, texts: Sequence[str]) -> BusinessHours:
        """Raises `BadHours`."""
        return cls(tuple(Range.parse(text) for text in texts))

    def open_at(self, at: float) -> bool:
        """Whether people answer at that time (seconds since 1970)."""
        there = datetime.fromtimestamp(at, CITY)
        return any(one.holds(there.weekday(), there.hour * 60 + there.minute) for one in self.ranges)

    def said(self, *, english: bool = False) -> str:
        """As a citizen reads them."""
        return (", " if english else "，").join(one.said(english=english) for one in self.ranges)


def _minute(hour: int, minute: int, text: str) -> int:
    at = hour * 60 + minute
    if minute > 59 or at > _WHOLE_DAY:
        raise BadHours(text)
    return at


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"
