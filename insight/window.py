"""Sums over a sliding window: a session that changes is taken out as it was and put in as it is.

Nothing is ever summed up anew: a look costs as much as has changed since the last one, not as much as there is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from insight.tally import NONE, Tally, tally_of
from session.ids import SessionId
from session.state import Phase
from storage.record import SessionRecord

MINUTE_S = 60
STEP_S = 900
"""Of the day's chart."""


@dataclass(frozen=True, slots=True)
class _Counted:
    queue: str
    minute: int
    tally: Tally


class Window:
    """The sessions that came in the last `length_s`, to the minute; and those that are live, however old."""

    def __init__(self, length_s: float) -> None:
        self.length_s = length_s
        self.by_queue: dict[str, Tally] = defaultdict(Tally)
        self.by_step: dict[int, Tally] = defaultdict(Tally)
        """By the number of the step of `STEP_S` since 1970 in which they came."""
        self.live: dict[SessionId, SessionRecord] = {}
        self._counted: dict[SessionId, _Counted] = {}
        self._of_minute: dict[int, list[SessionId]] = defaultdict(list)
        self._oldest = 0

    @property
    def total(self) -> Tally:
        """The sums of all queues."""
        return sum(self.by_queue.values(), NONE)

    def take(self, record: SessionRecord) -> None:
        """A session as it stands now."""
        session = record.session
        if session.phase is Phase.CLOSED:
            self.live.pop(session.id, None)
        else:
            self.live[session.id] = record
        minute = int(session.opened_at // MINUTE_S)
        if minute < self._oldest:
            return
        before = self._counted.get(session.id)
        if before is None:
            self._of_minute[minute].append(session.id)
        else:
            self._add(before.queue, before.minute, -before.tally)
        self._counted[session.id] = now = _Counted(session.demand.queue, minute, tally_of(record))
        self._add(now.queue, now.minute, now.tally)

    def slide(self, now: float) -> None:
        """Forget the minutes that are out of the window at `now`."""
        self._oldest = int((now - self.length_s) // MINUTE_S) + 1
        for minute in [minute for minute in self._of_minute if minute < self._oldest]:
            for session in self._of_minute.pop(minute):
                gone = self._counted.pop(session)
                self._add(gone.queue, gone.minute, -gone.tally)
        for step in [step for step in self.by_step if (step + 1) * STEP_S <= self._oldest * MINUTE_S]:
            del self.by_step[step]

    def _add(self, queue: str, minute: int, tally: Tally) -> None:
        self.by_queue[queue] += tally
        self.by_step[minute * MINUTE_S // STEP_S] += tally
