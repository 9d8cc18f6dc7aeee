"""Quiet hours (免打扰时段). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY_S = 24 * 3600.0
_CHINA_S = 8 * 3600.0
"""China's clock: UTC+8 all year, without summer time."""


@dataclass(frozen=True, slots=True)
class Hours:
    """From one time of the day to another, perhaps over midnight; equal times are no quiet at all."""

    start: str
    end: str

    def __post_init__(self) -> None:
        if not (_TIME.fullmatch(self.start) and _TIME.fullmatch(self.end)):
            raise ValueError("quiet hours are written as 21:00 and 08:00")

    def remaining_s(self, now: float) -> float:
        """How long it is quiet from `now` (seconds since 1970) on; 0 where it is not."""
        today_s = (now + _CHINA_S) % _DAY_S
        start_s, end_s = _seconds(self.start), _seconds(self.end)
        length_s = (end_s - start_s) % _DAY_S
        gone_s = (today_s - start_s) % _DAY_S
        return length_s - gone_s if gone_s < length_s else 0.0


def _seconds(time: str) -> float:
    hours, minutes = time.split(":")
    return int(hours) * 3600.0 + int(minutes) * 60.0
