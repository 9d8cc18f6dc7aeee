"""A token bucket, on the caller's clock."""

from __future__ import annotations


class Bucket:
    """`burst` tokens at once, `rate_per_s` after that."""

    __slots__ = ("_full_at", "_most_s", "_token_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._token_s = 1.0 / rate_per_s
        self._most_s = burst / rate_per_s + 1e-9
        self._full_at = 0.0
        """When the bucket will be full again, if nothing is taken: the one number that says how empty it is."""

    def take(self, now: float) -> bool:
        """One token, or False."""
        full_at = self._full_at + self._token_s if self._full_at > now else now + self._token_s
        if full_at - now > self._most_s:
            return False
        self._full_at = full_at
        return True

    def wait_s(self, now: float) -> float:
        """How long until `take` succeeds."""
        return max(0.0, self._full_at + self._token_s - self._most_s - now)
