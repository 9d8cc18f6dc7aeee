"""When people answer."""

from datetime import date, datetime

import pytest

from config.loading import load
from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.hours import CITY, BadHours, BusinessHours, Day
from rulebook.statutory import statutory_days


def at(day: int, clock: str) -> float:
    """A time in the week of Monday, 7 September 2026, in Shanghai."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 9, 6 + day, hour, minute, tzinfo=CITY).timestamp()


MON, FRI, SAT, SUN = 1, 5, 6, 7
OFFICE = BusinessHours.parse(["mon-fri 08:30-18:00", "sat 09:00-12:00"])


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [
        (MON, "08:29", False),
        (MON, "08:30", True),
        (FRI, "17:59", True),
        (FRI, "18:00", False),
        (SAT, "11:00", True),
        (SAT, "12:00", False),
        (SUN, "10:00", False),
    ],
)
def test_office_hours(day: int, clock: str, is_open: bool) -> None:
    assert OFFICE.open_at(at(day, clock)) is is_open


def test_hours_over_midnight_and_over_the_week() -> None:
    night = BusinessHours.parse(["fri-mon 22:00-06:00"])
    open_at = [(FRI, "22:00"), (SAT, "05:59"), (SUN, "23:00"), (MON, "05:00"), (MON, "23:00"), (MON + 1, "05:59")]
    shut_at = [(FRI, "05:00"), (SAT, "06:00"), (MON + 1, "06:00"), (MON + 1, "22:30")]
    assert all(night.open_at(at(*moment)) for moment in open_at)
    assert not any(night.open_at(at(*moment)) for moment in shut_at)


def test_day_and_night() -> None:
    always = BusinessHours.parse(["mon-sun 00:00-24:00"])
    assert all(always.open_at(at(day, clock)) for day in range(1, 8) for clock in ("00:00", "12:00", "23:59"))
    assert not BusinessHours().open_at(at(MON, "12:00"))


def test_they_are_said_as_people_read_them() -> None:
    assert OFFICE.said() == "周一至周五 8:30–18:00，周六 9:00–12:00"
    assert OFFICE.said(english=True) == "Monday to Friday 8:30–18:00, Saturday 9:00–12:00"
    assert BusinessHours.parse(["mon-sun 07:00-22:00"]).said() == "每天 7:00–22:00"


@pytest.mark.parametrize(
    "text", ["", "monday 8-18", "mon 25:00-26:00", "mon 08:60-09:00", "mon-abc 08:00-09:00", "xxx 08:00-09:00"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadHours) as refused:
        BusinessHours.parse([text])
    assert refused.value.text == text


def test_the_default_setting_can_be_read() -> None:
    assert BusinessHours.parse(load(environment={}).bots.hours).open_at(at(MON, "12:00"))


HOLIDAY = BusinessHours(
    week=("mon-fri 08:30-18:00", "sat 22:00-06:00"),
    days=(
        Day(date=date(2026, 9, 11), name="校庆", english="Founders' Day"),
        Day(date=date(2026, 9, 13), name="调休", open=("09:00-12:00", "23:00-01:00")),
    ),
)
"""Friday the 11th is free, Sunday the 13th is worked."""


@pytest.mark.parametrize(
    ("day", "clock", "is_open"),
    [
        (FRI, "10:00", False),
        (FRI - 1, "10:00", True),
        (SUN, "05:59", True),  # Saturday's night goes on: it began under Saturday's rule
        (SUN, "08:59", False),
        (SUN, "09:00", True),
        (SUN, "12:00", False),
        (SUN, "23:30", True),
        (SUN + 1, "00:59", True),
        (SUN + 1, "01:00", False),
    ],
)
def test_a_day_of_the_year_goes_before_its_week(day: int, clock: str, is_open: bool) -> None:
    assert HOLIDAY.open_at(at(day, clock)) is is_open


def test_a_citizen_hears_what_holds_today() -> None:
    week = "周一至周五 8:30–18:00，周六 22:00–6:00"
    assert HOLIDAY.said(at(FRI, "10:00")) == f"{week}（今天校庆休息）"
    assert HOLIDAY.said(at(SUN, "10:00")) == f"{week}（今天调休9:00–12:00，23:00–1:00）"
    assert HOLIDAY.said(at(FRI, "10:00"), english=True).endswith("(today, Founders' Day, closed)")
    assert HOLIDAY.said(at(MON, "10:00")) == week


@pytest.mark.parametrize(
    "body",
    [
        '{"week": ["monday"]}',
        '{"days": [{"date": "2026-02-30"}]}',
        '{"days": [{"date": "2026-10-01", "open": ["9-17"]}]}',
        '{"days": [{"date": "2026-10-01"}, {"date": "2026-10-01"}]}',
        '{"days": [{"date": "2026-10-01", "opne": []}]}',
    ],
)
def test_a_slip_in_the_document_is_refused(body: str) -> None:
    with pytest.raises(DocumentMalformed) as refused:
        read("hours", BusinessHours, body)
    assert refused.value.at.startswith("$")


def test_the_statutory_days_of_a_year() -> None:
    """2026: 33 days off by the State Council's notice, six weekend days worked in return."""
    days = statutory_days()["2026"]
    assert [sum(one.works is works for one in days) for works in (False, True)] == [33, 6]
    assert all(one.date.weekday() >= 5 for one in days if one.works)
    assert len({one.date for one in days}) == len(days)


def test_when_people_are_there_again() -> None:
    def opens(day: int, clock: str) -> float | None:
        return OFFICE.opens_at(at(day, clock))

    assert opens(MON, "12:00") == at(MON, "12:00")
    assert opens(MON, "07:00") == at(MON, "08:30")
    assert opens(MON, "18:00") == at(MON + 1, "08:30")
    assert opens(SAT, "12:00") == at(SUN + 1, "08:30")
    closed = BusinessHours(week=OFFICE.week, days=(Day(date=date(2026, 9, 7)), Day(date=date(2026, 9, 8))))
    assert closed.opens_at(at(MON, "09:00")) == at(MON + 2, "08:30")
    assert BusinessHours.parse(["fri 22:00-06:00"]).opens_at(at(SAT, "06:00")) == at(FRI + 7, "22:00")
    assert BusinessHours().opens_at(at(MON, "09:00")) is None
