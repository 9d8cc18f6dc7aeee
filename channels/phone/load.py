"""How many calls at once and a second. No single address can have it all: the last fifth is for the others.

Nor can one have much by asking alone: a flood does not acknowledge what it is answered, a caller does at once.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

_SHARE = 0.8
_UNCONFIRMED_SHARE = 0.25
_ADDRESSES = 4_096


class CallLimits:
    """Counts calls in and out. Times are the caller's clock, in seconds."""

    def __init__(self, at_once: int, per_s: int) -> None:
        self._at_once = at_once
        self._all = _Bucket(float(per_s))
        self._share_per_s = max(1.0, per_s * _SHARE)
        self._share_at_once = max(1.0, at_once * _SHARE)
        self._unconfirmed_at_once = max(1.0, at_once * _UNCONFIRMED_SHARE)
        self._running: Counter[str] = Counter()
        self._unconfirmed: Counter[str] = Counter()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    @property
    def running(self) -> int:
        """Calls that run."""
        return self._running.total()

    def take(self, host: str, now: float) -> Seat | None:
        """The seat of one more call from an address; None where it may not begin."""
        own = self._buckets.get(host)
        if own is None:
            own = self._buckets[host] = _Bucket(self._share_per_s)
            if len(self._buckets) > _ADDRESSES:
                self._buckets.popitem(last=False)
        if self._running[host] >= self._share_at_once or self.running >= self._at_once:
            return None
        if self._unconfirmed[host] >= self._unconfirmed_at_once or not own.take(now) or not self._all.take(now):
            return None
        return Seat(self._running, self._unconfirmed, host)


class Seat:
    """What one call takes of the room there is, from its making."""

    def __init__(self, running: Counter[str], unconfirmed: Counter[str], host: str) -> None:
        self._running = running
        self._unconfirmed = unconfirmed
        self._host = host
        self._is_confirmed = False
        running[host] += 1
        unconfirmed[host] += 1

    def confirm(self) -> None:
        """The caller has acknowledged the answer, so there is one; idempotent."""
        if not self._is_confirmed:
            self._is_confirmed = True
            _subtract(self._unconfirmed, self._host)

    def leave(self) -> None:
        """The call is over."""
        self.confirm()
        _subtract(self._running, self._host)


def _subtract(counter: Counter[str], host: str) -> None:
    counter[host] -= 1
    if not counter[host]:
        del counter[host]


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
