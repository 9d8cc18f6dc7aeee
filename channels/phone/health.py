"""Whether a place of a trunk's answers: asked by OPTIONS (RFC 3261, section 11), and seen in calls. Pure.

A place that failed twice is passed over, and asked more often until it answers. One that says 503 is left alone for as
long as it asks (section 21.5.4).
"""

from __future__ import annotations

_FAILURES = 2
_DOWN_ASKED_S = 10.0
_LONGEST_REST_S = 300.0


class Health:
    """Of one place. `now` is the caller's clock, in seconds."""

    def __init__(self, asked_every_s: float) -> None:
        """`asked_every_s` of 0 asks nothing: only calls tell."""
        self._every_s = asked_every_s
        self._failures = 0
        self._rests_until = 0.0
        self._next_at = 0.0

    def may_be_called(self, now: float) -> bool:
        """Whether calls are sent there first. Where no place of a trunk may be, each is tried all the same."""
        return self._failures < _FAILURES and now >= self._rests_until

    def is_due(self, now: float) -> bool:
        """Whether to ask it now; counts as asking."""
        if not self._every_s or now < self._next_at:
            return False
        is_down = self._failures >= _FAILURES
        self._next_at = now + (min(_DOWN_ASKED_S, self._every_s) if is_down else self._every_s)
        return True

    def answered(self) -> None:
        """Any answer is a sign of life, but for 503."""
        self._failures = 0

    def overloaded(self, now: float, rest_s: float) -> None:
        """It said 503."""
        self._failures = 0
        self._rests_until = now + min(max(rest_s, 1.0), _LONGEST_REST_S)

    def silent(self) -> None:
        """No answer within the transaction's time, or no way to it."""
        self._failures += 1
