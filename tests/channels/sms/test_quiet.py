import pytest

from channels.sms.quiet import Hours

MIDNIGHT = 1_700_000_000 - (1_700_000_000 + 8 * 3600) % 86400
"""In China."""


@pytest.mark.parametrize(
    ("hours", "at_h", "left_h"),
    [
        (Hours("21:00", "08:00"), 20.99, 0),
        (Hours("21:00", "08:00"), 21, 11),
        (Hours("21:00", "08:00"), 23.5, 8.5),
        (Hours("21:00", "08:00"), 7, 1),
        (Hours("21:00", "08:00"), 8, 0),
        (Hours("12:30", "14:00"), 13, 1),
        (Hours("12:30", "14:00"), 14, 0),
        (Hours("00:00", "00:00"), 3, 0),
    ],
)
def test_how_long_it_is_quiet(hours: Hours, at_h: float, left_h: float) -> None:
    assert hours.remaining_s(MIDNIGHT + at_h * 3600) == pytest.approx(left_h * 3600)


@pytest.mark.parametrize("time", ["24:00", "8:00", "08:60", ""])
def test_times_of_the_day(time: str) -> None:
    with pytest.raises(ValueError, match="quiet hours"):
        Hours(time, "08:00")
