"""What stands on the wallboard, read from the history: so it is the same on every node, and can be recounted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from insight.window import Window
from storage.history import History, Place

DAY_S = 24 * 3600.0
FRESH_S = 1.0
"""A look that is younger is not repeated, however many ask."""


class Board:
    """Costs nothing while nobody looks: it reads on when it is asked."""

    def __init__(self, history: History, clock: Callable[[], Awaitable[float]], *, length_s: float = DAY_S) -> None:
        self._history, self._clock = history, clock
        self._window = Window(length_s)
        self._place = Place()
        self._looking = asyncio.Lock()
        self._looked_at = -FRESH_S
        self._read_at = 0.0
        """By the store's clock. What ended long after the last look is no longer told, so such a window begins anew."""

    async def look(self) -> Window:
        """The window as of now, behind the live log by as much as the archive is. Raises `StorageUnavailable`."""
        async with self._looking:
            if asyncio.get_running_loop().time() - self._looked_at >= FRESH_S:
                await self._read_on()
                self._looked_at = asyncio.get_running_loop().time()
        return self._window

    async def _read_on(self) -> None:
        now = await self._clock()
        if now - self._read_at > self._window.length_s / 2:
            self._window, self._place = Window(self._window.length_s), Place()
        self._read_at = now
        self._window.slide(now)
        while True:
            self._place, changed = await self._history.changed(self._place, since=now - self._window.length_s)
            if not changed:
                return
            for record in changed:
                self._window.take(record)
