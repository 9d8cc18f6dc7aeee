"""Turns the feed of events, and a look at the queues, into figures."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

from gateway.metrics import Metrics
from queueing.contract import Store
from session.events import (
    DialFailed,
    DialStarted,
    OfferAccepted,
    OfferCancelled,
    OfferDeclined,
    OfferExpired,
    OfferMade,
    OfferRescinded,
    QualityMeasured,
    RecordingFailed,
    SessionOpened,
)
from session.ids import SessionId
from session.ports import Entry
from session.state import AssigneeKind

MOST_UNANSWERED = 200_000
_OUTCOMES = {
    OfferMade: "made",
    OfferAccepted: "accepted",
    OfferDeclined: "declined",
    OfferExpired: "expired",
    OfferRescinded: "rescinded",
    OfferCancelled: "cancelled",
}


class Measures:
    """Counts what passes on the feed; every node counts all, so a dashboard takes the maximum over nodes."""

    def __init__(
        self, store: Store, metrics: Metrics, legs: Callable[[], Mapping[str, int]], packets_lost: Callable[[], int]
    ) -> None:
        self._store, self._metrics, self._legs, self._packets_lost = store, metrics, legs, packets_lost
        self._unanswered: OrderedDict[SessionId, float] = OrderedDict()

    async def follow(self, entry: Entry) -> None:
        """One more event."""
        event = entry.event
        if outcome := _OUTCOMES.get(type(event)):
            self._metrics.offers.labels(outcome=outcome).inc()
        if isinstance(event, DialStarted):
            self._metrics.dials.labels(outcome="started").inc()
        elif isinstance(event, DialFailed):
            self._metrics.dials.labels(outcome=event.reason.value).inc()
        if isinstance(event, QualityMeasured):
            self._metrics.call_mos.observe(event.mos)
            self._metrics.calls_unheard.inc(0 if event.heard else 1)
        if isinstance(event, RecordingFailed):
            self._metrics.calls_unrecorded.inc()
        if isinstance(event, SessionOpened):
            self._metrics.sessions.inc()
        if isinstance(event, SessionOpened) and event.by is None:
            self._unanswered[entry.session] = event.at
            if len(self._unanswered) > MOST_UNANSWERED:
                self._unanswered.popitem(last=False)
        elif isinstance(event, OfferAccepted) and event.kind is AssigneeKind.AGENT:
            opened_at = self._unanswered.pop(entry.session, None)
            if opened_at is not None:
                self._metrics.answer_s.observe(max(0.0, event.at - opened_at))

    async def look(self) -> None:
        """What can only be seen at one instant."""
        for channel, legs in self._legs().items():
            self._metrics.legs.labels(channel=channel).set(legs)
        self._metrics.packets_lost.set(self._packets_lost())
        await self._look_at_promises()
        for queue in await self._store.queue.queues():
            self._metrics.waiting.labels(queue=queue.queue).set(queue.waiting)
            self._metrics.longest_wait_s.labels(queue=queue.queue).set(queue.longest_wait_s)
        counts = Counter(one.routing for one in await self._store.queue.roster())
        self._metrics.agents.clear()
        for routing, count in counts.items():
            self._metrics.agents.labels(routing=routing.value).set(count)

    async def _look_at_promises(self) -> None:
        """Calls that citizens are owed, as the store counts them: the same on every node."""
        promises = await self._store.queue.promises()
        for state in ("owed", "overdue"):
            self._metrics.promises.labels(state=state).set(getattr(promises, state))
        for end in ("kept", "returned", "late", "unreached"):
            self._metrics.promises_ended.labels(end=end).set(getattr(promises, end))
