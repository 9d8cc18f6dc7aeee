"""When people answer (服务时间): the week, and the days of the year on which it is otherwise (节假日, 调休). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from rulebook.document import Document, Line, once
from rulebook.errors import RulebookError

CITY = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China keeps one time, without summer time since 1991: no table of zones is needed."""

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_DAYS_EN = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WRITTEN = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? (\d\d:\d\d-\d\d:\d\d)")
_CLOCKS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_WHOLE_DAY = 24 * 60
_A_DAY = timedelta(days=1)
_FARTHEST_DAYS = 366


class BadHours(RulebookError, ValueError):
    """Opening hours that cannot be read; a `ValueError` too, for whoever reads a whole document."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f'{text!r} is not like "mon-fri 08:30-18:00"')


@dataclass(frozen=True, slots=True)
class Span:
    """From minute to minute of a day, over midnight where the end is not after the start."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Span:
        """`08:30-18:00`. Raises `BadHours`."""
        written = _CLOCKS.fullmatch(text)
        if written is None:
            raise BadHours(text)
        return cls(*(_minute(int(written[at]), int(written[at + 1]), text) for at in (1, 3)))

    def holds(self, minute: int) -> bool:
        """Whether the minute lies within, on the day on which it begins."""
        return self.start <= minute < (self.end if self.start < self.end else _WHOLE_DAY)

    def holds_over(self, minute: int) -> bool:
        """Whether the minute lies within, on the day after."""
        return self.end <= self.start and minute < self.end

    def __str__(self) -> str:
        return f"{_clock(self.start)}–{_clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Range:
    """Some days of the week, and from when to when on them."""

    first_day: int
    last_day: int
    span: Span

    @classmethod
    def parse(cls, text: str) -> Range:
        """`mon-fri 08:30-18:00`. Raises `BadHours`."""
        written = _WRITTEN.fullmatch(text.strip().lower())
        if written is None or written[1] not in _DAYS or (written[2] or written[1]) not in _DAYS:
            raise BadHours(text)
        try:
            span = Span.parse(written[3])
        except BadHours as error:
            raise BadHours(text) from error
        return cls(_DAYS.index(written[1]), _DAYS.index(written[2] or written[1]), span)

    def has(self, day: int) -> bool:
        """Whether it begins on that day of the week; Monday is 0."""
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
        return f"{which} {self.span}"


class Day(Document, frozen=True):
    """A day of the year that is not as its week (节假日; 调休上班)."""

    date: date
    name: Line = ""
    english: Line = ""
    open: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    """From when to when, as `09:00-17:00`; nothing is closed all day."""

    def __post_init__(self) -> None:
        for text in self.open:
            Span.parse(text)


class BusinessHours(Document, frozen=True):
    """A day that `days` names is as it says there; every other is as its week."""

    week: Annotated[tuple[str, ...], Meta(max_length=50)] = ()
    days: Annotated[tuple[Day, ...], Meta(max_length=2000)] = ()

    def __post_init__(self) -> None:
        for text in self.week:
            Range.parse(text)
        once((one.date.isoformat() for one in self.days), "day")

    @classmethod
    def parse(cls, texts: Sequence[str]) -> BusinessHours:
        """Of a week alone. Raises `BadHours`."""
        return cls(week=tuple(texts))

    def open_at(self, at: float) -> bool:
        """Whether people answer at that time (seconds since 1970)."""
        there = datetime.fromtimestamp(at, CITY)
        minute, today = there.hour * 60 + there.minute, there.date()
        return any(one.holds(minute) for one in self._spans(today)) or any(
            one.holds_over(minute) for one in self._spans(today - _A_DAY)
        )

    def opens_at(self, at: float) -> float | None:
        """When people answer again, from that time on; None where not within a year."""
        if self.open_at(at):
            return at
        there = datetime.fromtimestamp(at, CITY)
        for days in range(_FARTHEST_DAYS):
            midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) + days * _A_DAY
            starts = [midnight + timedelta(minutes=one.start) for one in self._spans(midnight.date())]
            if following := [start for start in starts if start > there]:
                return min(following).timestamp()
        return None

    def said(self, at: float | None = None, *, english: bool = False) -> str:
        """As a citizen reads them; with `at`, also what holds on that day alone."""
        comma = ", " if english else "，"
        week = comma.join(_range(text).said(english=english) for text in self.week)
        day = None if at is None else self._day(datetime.fromtimestamp(at, CITY).date())
        if day is None:
            return week
        today = _today(day, english=english)
        if not week:
            return today
        return f"{week} ({today})" if english else f"{week}（{today}）"

    def _spans(self, day: date) -> Sequence[Span]:
        own = self._day(day)
        if own is not None:
            return [Span.parse(text) for text in own.open]
        return [one.span for one in map(_range, self.week) if one.has(day.weekday())]

    def _day(self, day: date) -> Day | None:
        return next((one for one in self.days if one.date == day), None)


@lru_cache(256)
def _range(text: str) -> Range:
    return Range.parse(text)


def _today(day: Day, *, english: bool) -> str:
    spans = [str(Span.parse(text)) for text in day.open]
    if english:
        name = day.english or day.name
        return f"today{f', {name},' if name else ''} {', '.join(spans) or 'closed'}"
    return f"今天{day.name}{'，'.join(spans) or '休息'}"


def _minute(hour: int, minute: int, text: str) -> int:
    at = hour * 60 + minute
    if minute > 59 or at > _WHOLE_DAY:
        raise BadHours(text)
    return at


def _clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"
