"""The durable frames of one link that its page has not confirmed, by their numbers."""

from __future__ import annotations

from collections import deque


class Backlog:
    """Numbers begin at 1 and have no gap. Bounded in frames, age and bytes: the oldest go first.

    What was let go before the page confirmed it can no longer be replayed; `holds_after` says so.
    """

    __slots__ = ("_bodies", "_bytes", "_frames", "_keep_s", "_most_bytes", "first", "last")

    def __init__(self, *, frames: int, keep_s: float, most_bytes: int) -> None:
        self._frames, self._keep_s, self._most_bytes = frames, keep_s, most_bytes
        self._bodies: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self.first = 1
        """The number of the oldest frame kept; one more than `last` where none is."""
        self.last = 0
        """The last number given."""

    def append(self, body: bytes, now: float) -> int:
        """Keep a frame; gives its number."""
        bodies = self._bodies
        bodies.append((now, body))
        self._bytes += len(body)
        self.last += 1
        while (
            self._bytes > self._most_bytes or len(bodies) > self._frames or bodies[0][0] < now - self._keep_s
        ) and len(bodies) > 1:
            self._drop()
        return self.last

    def confirm(self, seq: int) -> None:
        """The page has everything up to `seq` and will never ask for it again."""
        while self.first <= seq and self._bodies:
            self._drop()

    def holds_after(self, seq: int) -> bool:
        """Whether everything after `seq` can be sent."""
        return self.first - 1 <= seq <= self.last

    def __getitem__(self, seq: int) -> bytes:
        """The frame of a number from `first` to `last`."""
        return self._bodies[seq - self.first][1]

    def _drop(self) -> None:
        _, body = self._bodies.popleft()
        self._bytes -= len(body)
        self.first += 1
