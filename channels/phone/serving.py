"""Requests that are being served, and those that are remembered for their repetitions."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from channels.phone.exchange import Served
from channels.phone.flow import Flow
from channels.phone.lingering import Lingering
from channels.phone.sip.client import State
from channels.phone.sip.server import InviteServer, TransactionKey
from channels.phone.wheel import TimerWheel

_OPEN = 60_000
"""Requests without an answer, and INVITEs, which are never forgotten before their time: one that came again would be
a second call."""
_SHARE = 0.8
"""Of these, for any one address."""
_KEPT = 20_000
"""Other requests that have their answer. Most are kept for 64·T1 in vain: where there are more, the oldest goes."""
_KEPT_S = 5.0
"""… but not before this, T4: so long may a repetition be on its way (RFC 3261, section 17.1.2.2)."""


class Answered(NamedTuple):
    """What a repetition gets, and by which way; an INVITE that was accepted gets nothing (RFC 6026, section 7.1)."""

    again: bytes
    flow: Flow
    merge: tuple[str, ...] | None
    """The request's name in `_merged`."""


class ServedRequests:
    """An endpoint's server transactions, by their keys. Times are the loop's clock, in seconds.

    One that has its answer stands as that answer's bytes for 64·T1: machines and messages would be a third of all that
    the collector looks at.
    """

    def __init__(self, wheel: TimerWheel, remembered_s: float) -> None:
        self._wheel = wheel
        self._by_key: dict[TransactionKey, Served] = {}
        self._open_by_host: Counter[str] = Counter()
        self._accepted: Lingering[TransactionKey, Answered] = Lingering(remembered_s, self._accepted_gone)
        self._answered: Lingering[TransactionKey, Answered] = Lingering(remembered_s, self._gone)
        self._merged: dict[tuple[str, ...], TransactionKey] = {}

    def __len__(self) -> int:
        return len(self._by_key) + len(self._accepted) + len(self._answered)

    def stop(self) -> None:
        """Forget what is remembered."""
        self._accepted.stop()
        self._answered.stop()

    def get(self, key: TransactionKey) -> Served | None:
        """Whose repetition a request with this key is, its ACK or its CANCEL, while it is open."""
        return self._by_key.get(key)

    def answered(self, key: TransactionKey) -> Answered | None:
        """What has its answer."""
        return self._answered.get(key) or self._accepted.get(key)

    def has_room(self, host: str) -> bool:
        """Whether one more is served for an address. One that is remembered may be forgotten for it."""
        if len(self._answered) >= _KEPT and not self._answered.give_way(_KEPT_S):
            return False
        return len(self._by_key) + len(self._accepted) < _OPEN and self._open_by_host[host] < _OPEN * _SHARE

    def add(self, served: Served) -> None:
        """It is served from now on."""
        self._by_key[served.transaction.key] = served
        self._open_by_host[served.flow.origin] += 1

    def settle(self, served: Served) -> None:
        """Its state or its timers may have changed."""
        transaction = served.transaction
        if not transaction.is_answered:
            return
        if transaction.is_over:
            self._wheel.forget(served)
            self._close(served)
            self._unmerge(transaction.key, served.merge)
        elif not isinstance(transaction, InviteServer):
            self._close(served)
            again = b"" if transaction.last_response is None else transaction.last_response.wire
            self._answered.put(transaction.key, Answered(again, served.flow, served.merge))
        elif transaction.state is State.ACCEPTED:
            if self._by_key.pop(transaction.key, None) is not None:
                self._accepted.put(transaction.key, Answered(b"", served.flow, served.merge))
        else:
            self._wheel.watch(served)

    def came_before(self, served: Served) -> bool:
        """Whether a neighbour has sent us the same request by another way (section 8.2.2.2)."""
        served.merge = merge = _merge_key(served)
        key = served.transaction.key
        return self._merged.setdefault(merge, key) != key and served.request.vias[0].is_unique

    def _accepted_gone(self, key: TransactionKey, answered: Answered) -> None:
        self._release(answered.flow)
        self._gone(key, answered)

    def _gone(self, key: TransactionKey, answered: Answered) -> None:
        self._unmerge(key, answered.merge)

    def _unmerge(self, key: TransactionKey, merge: tuple[str, ...] | None) -> None:
        if merge is not None and self._merged.get(merge) == key:
            del self._merged[merge]

    def _close(self, served: Served) -> None:
        if self._by_key.pop(served.transaction.key, None) is not None:
            self._release(served.flow)

    def _release(self, flow: Flow) -> None:
        host = flow.origin
        self._open_by_host[host] -= 1
        if not self._open_by_host[host]:
            del self._open_by_host[host]


def _merge_key(served: Served) -> tuple[str, ...]:
    """What a request that a neighbour sent us by two ways has in common (section 8.2.2.2)."""
    request = served.request
    tag, number = request.from_address.tag or "", str(request.cseq[0])
    return (served.flow.remote[0], request.call_id, tag, number, request.method)
