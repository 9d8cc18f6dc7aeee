"""Overload: new calls are put off before those that run suffer (RFC 3261, section 21.5.4; RFC 5390). Pure.

What is measured is how late the event loop comes to what was due: that lateness is what every call would hear.
"""

from __future__ import annotations

LOOK_S = 0.05
_WEIGHT = 0.2
"""Of the newest look in the average: half a second of trouble counts, a hiccup does not."""
_RELIEF = 0.4
"""Of the bound: only well below it are calls taken again."""
_LEAST_WAIT_S, _MOST_WAIT_S = 2, 10


class Overload:
    """One process's. Times in seconds."""

    def __init__(self, bound_s: float) -> None:
        """`bound_s` of 0 never refuses."""
        self._bound_s = bound_s
        self._late_s = 0.0
        self.is_on = False

    def looked(self, late_s: float) -> None:
        """The loop came so much late to a look that was due."""
        self._late_s += _WEIGHT * (max(0.0, late_s) - self._late_s)
        if self._bound_s:
            self.is_on = self._late_s > (self._bound_s * _RELIEF if self.is_on else self._bound_s)

    @staticmethod
    def retry_after_s(chance: float) -> int:
        """What a refused caller is told, by a chance in [0, 1): not all are to come back in the same second."""
        return _LEAST_WAIT_S + int(chance * (_MOST_WAIT_S - _LEAST_WAIT_S + 1))
