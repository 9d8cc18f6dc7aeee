"""Requests that are being served, and those that are remembered for their repetitions."""

from __future__ import annotations

from collections import Counter

from channels.phone.exchange import Served
from channels.phone.sip.server import InviteServer, TransactionKey
from channels.phone.wheel import TimerWheel

_OPEN = 20_000
"""Requests without an answer, and INVITEs, which are never forgotten before their time: one that came again would be
a second call."""
_SHARE = 0.8
"""Of these, for any one address."""
_KEPT = 20_000
"""Other requests that have their answer. Most are kept for 64·T1 in vain: where there are more, the oldest goes."""
_KEPT_S = 5.0
"""… but not before this, T4: so long may a repetition be on its way (RFC 3261, section 17.1.2.2)."""


class ServedRequests:
    """An endpoint's server transactions, by their keys. Times are the loop's clock, in seconds."""

    def __init__(self, wheel: TimerWheel) -> None:
        self._wheel = wheel
        self._by_key: dict[TransactionKey, Served] = {}
        self._open_by_host: Counter[str] = Counter()
        self._kept: dict[TransactionKey, float] = {}
        """Since when, the oldest first."""
        self._merged: dict[tuple[str, ...], Served] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: TransactionKey) -> Served | None:
        """Whose repetition a request with this key is, its ACK or its CANCEL."""
        return self._by_key.get(key)

    def has_room(self, host: str, now: float) -> bool:
        """Whether one more is served for an address. One that is remembered may be forgotten for it."""
        if len(self._kept) >= _KEPT:
            oldest, since = next(iter(self._kept.items()))
            if now - since < _KEPT_S:
                return False
            self._forget(self._by_key[oldest])
        open_ = len(self._by_key) - len(self._kept)
        return open_ < _OPEN and self._open_by_host[host] < _OPEN * _SHARE

    def add(self, served: Served) -> None:
        """It is served from now on."""
        self._by_key[served.transaction.key] = served
        self._open_by_host[served.flow.origin] += 1

    def settle(self, served: Served, now: float) -> None:
        """Its state or its timers may have changed."""
        transaction = served.transaction
        if transaction.is_over:
            self._forget(served)
            return
        self._wheel.watch(served)
        if transaction.is_answered and transaction.key not in self._kept and not isinstance(transaction, InviteServer):
            self._kept[transaction.key] = now
            self._close(served)

    def came_before(self, served: Served) -> bool:
        """Whether a neighbour has sent us the same request by another way (section 8.2.2.2)."""
        return self._merged.setdefault(_merge_key(served), served) is not served and served.request.vias[0].is_unique

    def _forget(self, served: Served) -> None:
        self._wheel.forget(served)
        key = served.transaction.key
        if self._by_key.pop(key, None) is not None and self._kept.pop(key, None) is None:
            self._close(served)
        merge = _merge_key(served)
        if self._merged.get(merge) is served:
            del self._merged[merge]

    def _close(self, served: Served) -> None:
        host = served.flow.origin
        self._open_by_host[host] -= 1
        if not self._open_by_host[host]:
            del self._open_by_host[host]


def _merge_key(served: Served) -> tuple[str, ...]:
    """What a request that a neighbour sent us by two ways has in common (section 8.2.2.2)."""
    request = served.request
    tag, number = request.from_address.tag or "", str(request.cseq[0])
    return (served.flow.remote[0], request.call_id, tag, number, request.method)
