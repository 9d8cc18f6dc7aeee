"""Until when each of many answers must be given, watched by one timer for all.

What has equally long to run out runs out in the order in which it began, so the oldest is all that need be watched.
`asyncio.timeout` sets and clears a timer for each: a tenth of what a citizen's text cost beside the proof of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Deadline:
    """The same span for each."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._begun: deque[_Answer] = deque()
        self._watch: asyncio.TimerHandle | None = None

    def begin(self) -> _Answer:
        """A context in which the running task has so long; it ends as `TimeoutError` where that is not enough."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # noqa: S101 - an answer is given by a task
        answer = _Answer(task, loop.time() + self._within_s)
        while self._begun and self._begun[0].is_over:
            self._begun.popleft()
        self._begun.append(answer)
        if self._watch is None:
            self._watch = loop.call_at(answer.due_at, self._look, loop)
        return answer

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = None
        while self._begun and (self._begun[0].is_over or self._begun[0].due_at <= loop.time()):
            self._begun.popleft().run_out()
        if self._begun:
            self._watch = loop.call_at(self._begun[0].due_at, self._look, loop)


class _Answer:
    """One that is under way. Whose cancellation it was is told apart as `asyncio.Timeout` does it."""

    __slots__ = ("_cancelling", "_has_run_out", "_task", "due_at", "is_over")

    def __init__(self, task: asyncio.Task[object], due_at: float) -> None:
        self._task, self._cancelling, self._has_run_out = task, task.cancelling(), False
        self.due_at, self.is_over = due_at, False

    def run_out(self) -> None:
        """Its time is up."""
        if not self.is_over:
            self._has_run_out = True
            self._task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.is_over = True
        if self._has_run_out and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
