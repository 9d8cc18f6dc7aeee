"""An event loop whose clock jumps to what is due next: half an hour of timers takes a moment."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class Clockwork(asyncio.SelectorEventLoop):
    """Its time begins at 0, and passes only where all there is wait for it."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self._now

    def jump(self, by_s: float) -> None:
        self._now += by_s


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: Clockwork) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits, and nothing is due")
        if not ready and timeout:
            self._loop.jump(timeout)
        return ready


def run(story: Coroutine[Any, Any, None]) -> None:
    """To its end, on such a clock."""
    with asyncio.Runner(loop_factory=Clockwork) as runner:
        runner.run(story)
