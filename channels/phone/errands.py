"""Work that is begun in passing and that nobody waits for; it is ended with whoever began it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine


class Errands:
    """Of one owner. What may fail is caught by the work itself."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Begin it; the loop alone would forget a task that nobody holds."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all that is under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
