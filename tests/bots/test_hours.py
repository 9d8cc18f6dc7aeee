"""When people answer."""

from datetime import datetime

import pytest

from bots.errors import BadHours
from bots.hours import CITY, BusinessHours
from config.loading import load


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
    assert not BusinessHours(()).open_at(at(MON, "12:00"))


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
