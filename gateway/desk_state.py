"""What one agent's desk shows at one instant, kept up to date event by event, and the frames that each event makes.

Pure but for its own memory: it is fed entries in the order of their logs, and every frame derives from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import asdict

from gateway import desk_view
from queueing.contract import AssigneeView, QueueView
from realtime import desk as frames
from realtime.messages import Durable
from session import machine
from session.events import AssigneeAway, AssigneeBack, Event, OfferMade, WrapExtended
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from session.rules import Rules
from session.state import Medium, Phase, Session

_MINE = (Phase.BOT, Phase.ACTIVE, Phase.WRAPPING)


@dataclass(slots=True)
class Watched:
    """A session that concerns the agent."""

    session: Session
    entries: list[Entry]
    offered: OfferMade | None = None
    wrap_until: float | None = None
    """When wrap-up ends by itself."""
    away: bool = False
    """The agent's own absence from it was noted last."""
    told: frames.ContactState | None = None
    """Where it stands, as the desk was told last."""

    @classmethod
    def load(cls, entries: Sequence[Entry], rules: Rules) -> Watched | None:
        """From a log; None for an empty one."""
        if not entries:
            return None
        first = machine.replay(entries[0].session, [entries[0].event], rules)
        watched = cls(first, [entries[0]])
        for entry in entries[1:]:
            watched.take(entry, rules)
        return watched

    def take(self, entry: Entry, rules: Rules) -> bool:
        """Fold one more entry in. False for one that is in already; an entry that skips one is a `ValueError`."""
        if entry.version <= self.session.version:
            return False
        if entry.version != self.session.version + 1:
            raise ValueError("an entry of the log was missed")
        before = self.session.phase
        self.session, _ = machine.advance(self.session, entry.event, rules)
        self.entries.append(entry)
        if isinstance(entry.event, OfferMade):
            self.offered = entry.event
        if isinstance(entry.event, AssigneeAway | AssigneeBack):
            self.away = isinstance(entry.event, AssigneeAway)
        if self.session.phase is not Phase.WRAPPING:
            self.wrap_until = None
        elif before is not Phase.WRAPPING:
            self.wrap_until = entry.event.at + rules.wrap_s
        elif isinstance(entry.event, WrapExtended) and entry.event.by == self.session.assignee:
            self.wrap_until = entry.event.at + entry.event.for_s
        return True


@dataclass(slots=True)
class DeskState:
    """One agent's desk."""

    agent: AssigneeId
    extension: str
    queues: tuple[str, ...]
    rules: Rules
    view: AssigneeView | None = None
    lines: tuple[frames.Line, ...] = ()
    watched: dict[SessionId, Watched] = field(default_factory=dict)

    def begin(self, watched: Watched) -> Iterator[Durable]:
        """A session has come to concern the agent."""
        self.watched[watched.session.id] = watched
        if self._is_offered(watched):
            yield self._offer(watched)
        elif self.has(watched.session):
            yield from self._whole(watched)

    def take(self, entry: Entry) -> Iterator[Durable]:
        """One more event of a session that concerns the agent. Raises `ValueError` where one was missed."""
        watched = self.watched.get(entry.session)
        if watched is None:
            return
        offer, had = watched.session.offer, self.has(watched.session)
        if not watched.take(entry, self.rules):
            return
        if offer is not None and offer.assignee == self.agent and watched.session.offer != offer:
            yield frames.OfferRevoked(session=entry.session, token=offer.token, reason=_reason(entry.event))
        if self._is_offered(watched) and isinstance(entry.event, OfferMade):
            yield self._offer(watched)
        yield from self._after(watched, entry, had=had)

    def has(self, session: Session) -> bool:
        """Whether the session is this agent's, or set aside by them."""
        parked = session.phase is Phase.PARKED and session.prefer == self.agent and session.joined_into is None
        return (parked and session.dropped_call is None) or (session.assignee == self.agent and session.phase in _MINE)

    def concerns(self, watched: Watched) -> bool:
        """Whether it is shown at all: offered to the agent, or theirs."""
        return self._is_offered(watched) or self.has(watched.session)

    def device(self) -> frames.DeviceState:
        """How the agent is reached."""
        reachable = self.view.reachable if self.view else frozenset()
        return frames.DeviceState(desk=True, phone=self.extension if Medium.VOICE in reachable else None)

    def look(self, view: AssigneeView) -> Iterator[Durable]:
        """The queue's view of the agent, where it has changed."""
        before, device = self.view, self.device()
        self.view = view
        if before is None or desk_view.presence(before) != desk_view.presence(view):
            yield desk_view.presence(view)
        if before is not None and self.device() != device:
            yield self.device()

    def measure(self, views: Sequence[QueueView]) -> frames.QueueStats | None:
        """The agent's queues, where a figure has changed."""
        lines = desk_view.lines(views, self.queues)
        if lines == self.lines:
            return None
        self.lines = lines
        return frames.QueueStats(queues=lines)

    def snapshot(self) -> frames.Snapshot:
        """All of it. Needs a view."""
        if self.view is None:
            raise ValueError("nobody has looked yet")
        device = self.device()
        offers = [self._offer(one) for one in self.watched.values() if self._is_offered(one)]
        return frames.Snapshot(
            presence=frames.Presence(**asdict(desk_view.presence(self.view))),
            devices=frames.Devices(desk=device.desk, phone=device.phone),
            offers=tuple(frames.Offer(**asdict(offer)) for offer in offers),
            contacts=tuple(
                desk_view.contact(one.session, one.entries, one.wrap_until)
                for one in self.watched.values()
                if self.has(one.session)
            ),
            queues=self.lines,
        )

    def _after(self, watched: Watched, entry: Entry, *, had: bool) -> Iterator[Durable]:
        has = self.has(watched.session)
        if has and not had:
            yield from self._whole(watched)
        elif has:
            drawn = desk_view.entry_of(entry.event)
            if drawn is not None:
                yield frames.ContactTimeline(session=entry.session, version=entry.version, entry=drawn)
            before = watched.told
            watched.told = desk_view.contact_state(watched.session, watched.wrap_until)
            if watched.told != before:
                yield watched.told
        elif had:
            yield frames.ContactGone(session=entry.session)
        if not self.concerns(watched):
            del self.watched[entry.session]

    def _whole(self, watched: Watched) -> Iterator[Durable]:
        watched.told = desk_view.contact_state(watched.session, watched.wrap_until)
        yield watched.told
        for placed in desk_view.timeline(watched.entries):
            yield frames.ContactTimeline(session=watched.session.id, version=placed.version, entry=placed.entry)

    def _is_offered(self, watched: Watched) -> bool:
        offer = watched.session.offer
        return offer is not None and offer.assignee == self.agent and watched.offered is not None

    def _offer(self, watched: Watched) -> frames.OfferNew:
        if watched.offered is None:
            raise ValueError("no offer was made")
        return desk_view.offer(watched.session, watched.offered)


def _reason(event: Event) -> str:
    """Why an offer is over, from the event that ended it: `OfferExpired` is `expired`."""
    name = type(event).__name__
    return name.removeprefix("Offer").lower() if name.startswith("Offer") else "cancelled"
