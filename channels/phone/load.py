"""How many calls at once and a second. No single address can have it all: the last fifth is for the others."""

from __future__ import annotations

from collections import Counter, OrderedDict

_SHARE = 0.8
_ADDRESSES = 4_096


class CallLimits:
    """Counts calls in and out. Times are the caller's clock, in seconds."""

    def __init__(self, at_once: int, per_s: int) -> None:
        self._at_once = at_once
        self._all = _Bucket(float(per_s))
        self._share_per_s = max(1.0, per_s * _SHARE)
        self._share_at_once = max(1.0, at_once * _SHARE)
        self._running: Counter[str] = Counter()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    @property
    def running(self) -> int:
        """Calls that run."""
        return self._running.total()

    def take(self, host: str, now: float) -> bool:
        """Whether one more call from an address may begin; it is counted then."""
        own = self._buckets.get(host)
        if own is None:
            own = self._buckets[host] = _Bucket(self._share_per_s)
            if len(self._buckets) > _ADDRESSES:
                self._buckets.popitem(last=False)
        if self._running[host] >= self._share_at_once or self.running >= self._at_once:
            return False
        if not own.take(now) or not self._all.take(now):
            return False
        self._running[host] += 1
        return True

    def release(self, host: str) -> None:
        """A call that was counted is over."""
        self._running[host] -= 1
        if not self._running[host]:
            del self._running[host]


class _Bucket:
    """A second's worth of tokens, filled at the same rate."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = 0.0

    def take(self, now: float) -> bool:
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
