"""How the channels do (渠道健康): what came and went by each in the last hour, as the feed of all nodes shows it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.contract import Channel
from session.events import LegOpened, MessageAccepted, MessageFailed
from session.ports import Entry
from session.state import Party

HOUR_S = 3600.0
MOST_KEPT = 10_000
"""Of one channel and one thing: more of it in an hour are counted as so many."""


@dataclass(slots=True)
class Course:
    """What one channel did: times of the last hour, and what failed last."""

    came: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    sent: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    failed: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    fault: str = ""


class Pulse:
    """Of all channels, since this node has begun."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels, self._courses = channels, dict[str, Course]()

    async def follow(self, entry: Entry) -> None:
        """One more event."""
        match entry.event:
            case LegOpened(at=at, leg=leg) if leg.party is Party.CITIZEN:
                self._of(leg.channel).came.append(at)
            case MessageAccepted(at=at, channel=channel):
                self._of(channel).sent.append(at)
            case MessageFailed(at=at, channel=channel, reason=reason, code=code):
                course = self._of(channel)
                course.failed.append(at)
                course.fault = f"{reason.value} {code}".strip()

    def shown(self, now: float) -> list[dict[str, object]]:
        """A row a channel that is open."""
        return [self._row(channel, now) for channel in self._channels.values()]

    def _row(self, channel: Channel, now: float) -> dict[str, object]:
        course = self._of(channel.name)
        for times in (course.came, course.sent, course.failed):
            while times and times[0] < now - HOUR_S:
                times.popleft()
        return {
            "name": channel.name,
            "medium": channel.capabilities.medium.value,
            "state": _state(course),
            "came": len(course.came),
            "sent": len(course.sent),
            "failed": len(course.failed),
            "last_at": max((times[-1] for times in (course.came, course.sent) if times), default=None),
            "fault": course.fault if course.failed else "",
            "fault_at": course.failed[-1] if course.failed else None,
        }

    def _of(self, channel: str) -> Course:
        return self._courses.setdefault(channel, Course())


def _state(course: Course) -> str:
    """`failing` while nothing has gone well since the last failure."""
    if not course.failed:
        return "well" if course.came or course.sent else "quiet"
    return "failing" if not course.sent or course.sent[-1] <= course.failed[-1] else "shaky"
