"""Tasks that do whatever may have to wait, as many as wait at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

_MOST_IDLE = 64
_MOST_AT_ONCE = 32
"""Done before the loop has its turn: much that waits for nothing would hold up all else, and fall out of the cache."""

Work = Callable[[], Awaitable[None]]
"""Sees to its own errors: it raises none."""


class Workers:
    """Work is begun in the order in which it came, and none waits for another's end.

    Before a worker begins, it calls the next one, who goes on when the first has to wait. Where nothing waits, the
    first does all, and a whole turn's work costs two wakes of a task instead of one for each piece.
    """

    __slots__ = ("_idle", "_is_called", "_tasks", "_work")

    def __init__(self) -> None:
        self._work: deque[Work] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._is_called = False
        """Somebody is on their way to the work that is there."""
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, work: Work) -> None:
        """Have it done."""
        self._work.append(work)
        if not self._is_called:
            self._call()

    async def close(self) -> None:
        """Stop all that is under way; what was not begun is dropped."""
        self._work.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _call(self) -> None:
        self._is_called = True
        if self._idle:
            self._idle.pop().set_result(None)
        else:
            task = asyncio.get_running_loop().create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._is_called = False
            done = 0
            while self._work:
                work = self._work.popleft()
                if self._work and not self._is_called:
                    self._call()
                await work()
                done += 1
                if done % _MOST_AT_ONCE == 0:
                    await asyncio.sleep(0)
            if len(self._idle) >= _MOST_IDLE:
                return
            called = loop.create_future()
            self._idle.append(called)
            await called
