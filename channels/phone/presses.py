"""Digits that are pressed on a call: each is told once, and what a caller may choose by one is remembered."""

from __future__ import annotations

import asyncio

_SAME_PRESS_S = 1.0


class Presses:
    """Of one citizen's call."""

    def __init__(self) -> None:
        self._last = ("", "", 0.0)

    def is_new(self, digit: str, way: str) -> bool:
        """Whether it was not told before: a telephone may send it as telephone-event and as INFO besides."""
        now = asyncio.get_running_loop().time()
        last_digit, last_way, at = self._last
        if digit == last_digit and way != last_way and now - at < _SAME_PRESS_S:
            return False
        self._last = (digit, way, now)
        return True
