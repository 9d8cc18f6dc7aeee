"""What is over and still remembered for a while, each as long: the oldest goes first, and one timer does for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_STEPS = 64
"""Of the time for which each is remembered: so much later than its time it may go, together with others."""


class Lingering(Generic[K, V]):
    """A table. There are thousands at once, so a value should be of bytes and texts, which the collector passes by."""

    def __init__(self, for_s: float, gone: Callable[[K, V], None] = lambda _key, _value: None) -> None:
        """`gone` hears of what is forgotten."""
        self._loop = asyncio.get_running_loop()
        self._for_s = for_s
        self._gone = gone
        self._table: dict[K, tuple[float, V]] = {}
        """With the loop's time since when, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, key: K) -> bool:
        return key in self._table

    def __iter__(self) -> Iterator[K]:
        return iter(self._table)

    def put(self, key: K, value: V) -> None:
        """Remember it from now on."""
        self._table[key] = (self._loop.time(), value)
        if self._timer is None:
            self._timer = self._loop.call_later(self._for_s, self._sweep)

    def get(self, key: K) -> V | None:
        """What is remembered by that name."""
        found = self._table.get(key)
        return found[1] if found is not None else None

    def give_way(self, younger_than_s: float) -> bool:
        """Forget the oldest before its time; False where even that is younger."""
        key, (since, value) = next(iter(self._table.items()))
        if self._loop.time() - since < younger_than_s:
            return False
        del self._table[key]
        self._gone(key, value)
        return True

    def stop(self) -> None:
        """Forget all, and tell nobody."""
        if self._timer is not None:
            self._timer.cancel()
        self._table.clear()

    def _sweep(self) -> None:
        until = self._loop.time() - self._for_s
        due = []
        for key, (since, _) in self._table.items():
            if since > until:
                break
            due.append(key)
        for key in due:
            self._gone(key, self._table.pop(key)[1])
        self._timer = self._loop.call_later(self._for_s / _STEPS, self._sweep) if self._table else None
