"""What there is to tell, in order, for one listener at a time: a queue without the locks of one that many share."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Tidings(Generic[T]):
    """Each call has some, and each of `asyncio.Queue` costs four deques and an event."""

    __slots__ = ("_listener", "_untold")

    def __init__(self) -> None:
        self._untold: deque[T] = deque()
        self._listener: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._untold)

    def put(self, one: T) -> None:
        """Tell it next."""
        self._untold.append(one)
        if self._listener is not None and not self._listener.done():
            self._listener.set_result(None)

    async def get(self) -> T:
        """The next, once there is one. Whoever is cancelled while they wait leaves it to who listens next."""
        while not self._untold:
            listener = self._listener = asyncio.get_running_loop().create_future()
            try:
                await listener
            finally:
                if self._listener is listener:  # else another listens already, and one who leaves late lets them
                    self._listener = None
        return self._untold.popleft()
