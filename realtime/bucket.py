"""A token bucket, on the caller's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """`burst` tokens at once, `rate_per_s` after that."""

    rate_per_s: float
    burst: float
    full_at: float = 0.0
    """When the bucket will be full again, if nothing is taken: the one number that says how empty it is."""

    def take(self, now: float) -> bool:
        """One token, or False."""
        full_at = max(self.full_at, now) + 1.0 / self.rate_per_s
        if full_at - now > self.burst / self.rate_per_s + 1e-9:
            return False
        self.full_at = full_at
        return True

    def wait_s(self, now: float) -> float:
        """How long until `take` succeeds."""
        return max(0.0, self.full_at + (1.0 - self.burst) / self.rate_per_s - now)
