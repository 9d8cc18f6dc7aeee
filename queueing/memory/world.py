"""Everything that the store knows, and the transitions on it. None awaits, so each is one atomic step."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from queueing import policy
from queueing.contract import Presence, Profile, Routing
from queueing.policy import Class, Service, Standing
from queueing.settings import QueueSettings
from session import events as ev
from session.effects import LegEffect
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, DebtEnd, Medium, Session

IDLE_AGAIN = (Routing.OFF, Routing.UNREACHABLE, Routing.NOT_RESPONDING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A session's place in line."""

    demand: Class
    since: int
    key: int
    prefer: AssigneeId | None
    paused: bool = False


@dataclass(slots=True)
class Kept:
    """A session as the store keeps it."""

    id: SessionId
    node: NodeId
    citizen: str
    began: int
    log: list[ev.Event] = field(default_factory=list)
    snapshot: Session | None = None
    absorbed: int = 0
    vital: int = 0
    vital_kind: str = ""
    fence: int = 1
    call: bool = False
    into: SessionId | None = None
    """What is appended to it goes there."""
    findable: bool = True
    """The citizen's next contact goes on with it."""
    closed_at: int | None = None
    waiting: Waiting | None = None
    token: int = 0
    offer: AssigneeId | None = None
    lease: int = 0
    outcome: str = ""
    decliner: AssigneeId | None = None
    declined: list[AssigneeId] = field(default_factory=list)
    holder: AssigneeId | None = None
    timers: dict[str, int] = field(default_factory=dict)
    pending: dict[str, LegEffect] = field(default_factory=dict)
    cursor: int = 0

    @property
    def open(self) -> bool:
        """Whether it takes events."""
        return self.closed_at is None

    @property
    def offerable(self) -> bool:
        """Whether it may be put before somebody (law 10)."""
        settled = self.offer is None and self.vital <= self.absorbed
        return settled and self.waiting is not None and not self.waiting.paused


@dataclass(slots=True)
class Worker:
    """An assignee as the store keeps it."""

    profile: Profile
    enlisted: bool = True
    presence: Presence = Presence.OFF
    reason: str = ""
    silent: bool = False
    paused_until: int | None = None
    devices: dict[str, tuple[frozenset[Medium], int]] = field(default_factory=dict)
    charges: dict[SessionId, tuple[Medium, str]] = field(default_factory=dict)
    idle: int = 0
    routing: Routing = Routing.UNREACHABLE
    since: int = 0

    @property
    def standing(self) -> Standing:
        """What the policy asks for."""
        states = Counter(state for _, state in self.charges.values())
        return Standing(
            self.profile.kind,
            self.profile.capacity,
            self.presence,
            self.silent,
            self.paused_until is not None,
            frozenset(medium for media, _ in self.devices.values() for medium in media),
            Counter(medium for medium, _ in self.charges.values()),
            states["engaged"],
            states["wrapping"],
            states["offered"],
        )


class World:
    """The tables, the clock, and what several of the contract's parts need of both."""

    def __init__(self, settings: QueueSettings, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self.settings, self._clock, self.wake = settings, clock, wake
        self.sessions: dict[SessionId, Kept] = {}
        self.workers: dict[AssigneeId, Worker] = {}
        self.feed: list[Entry] = []
        self.fed_at: list[int] = []
        """When each of them was written."""
        self.trimmed = 0
        self.words: dict[tuple[str, str], tuple[SessionId, int, bool, int]] = {}
        self.kin: dict[str, tuple[str, ...]] = {}
        """By address: all of the person's."""
        self.service: dict[str, tuple[Service, int, int]] = {}
        """By queue: what was measured, the last departure, and when the line began."""
        self.queues: set[str] = set()
        self.debts: dict[SessionId, int] = {}
        """When each is due, in ms."""
        self.promises: Counter[str] = Counter()
        self._grown = asyncio.Event()

    def grow(self) -> None:
        """Something was added that somebody may wait for."""
        self._grown.set()
        self._grown = asyncio.Event()

    async def until(self, holds: Callable[[], bool], block_s: float) -> None:
        """Wait until it holds, for at most `block_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(block_s):
                while not holds():
                    await self._grown.wait()

    @property
    def now(self) -> int:
        """The store's clock, in ms."""
        return policy.milliseconds(self._clock())

    # --- the log -------------------------------------------------------------------------------------------------

    def write(self, kept: Kept, event: ev.Event) -> int:
        """Append an event whose `at` is right; gives its version."""
        kept.log.append(event)
        version = len(kept.log)
        self.feed.append(Entry(kept.id, version, event))
        self.fed_at.append(self.now)
        kept.cursor = self.trimmed + len(self.feed)
        self.wake()
        self.grow()
        return version

    def known(self, citizen: str, word: str | None) -> tuple[SessionId, int, bool] | None:
        """What a word of this citizen became before (law 8)."""
        if word is None or (found := self.words.get((citizen, word))) is None:
            return None
        session, version, fresh, until = found
        return (session, version, fresh) if until > self.now else None

    def remember(self, citizen: str, word: str | None, session: SessionId, version: int, *, fresh: bool) -> None:
        """Keep what a word became."""
        if word is not None:
            until = self.now + policy.milliseconds(self.settings.dedupe_s)
            self.words[citizen, word] = (session, version, fresh, until)

    # --- the line ------------------------------------------------------------------------------------------------

    def line(self, queue: str) -> list[Kept]:
        """All who wait in a queue, offered or not, first to last."""
        held = [kept for kept in self.sessions.values() if kept.waiting and kept.waiting.demand.queue == queue]
        return sorted(held, key=_order)

    def join(self, kept: Kept, demand: Class, since: int, priority: int, prefer: AssigneeId | None) -> None:
        """Put a session in line."""
        kept.waiting = None
        if not self.line(demand.queue):
            service, last, _ = self.service.get(demand.queue, (Service(), 0, 0))
            self.service[demand.queue] = (service, last, self.now)
        self.queues.add(demand.queue)
        kept.waiting = Waiting(demand, since, policy.line_key(since, priority), prefer)

    def pause(self, kept: Kept, *, paused: bool) -> None:
        """Whether a session in line is kept from being offered; its place stays."""
        if kept.waiting is not None:
            kept.waiting = replace(kept.waiting, paused=paused)

    def _served(self, kept: Kept) -> None:
        assert kept.waiting is not None  # noqa: S101 - it was offered
        queue, now = kept.waiting.demand.queue, self.now
        service, last, began = self.service[queue]
        self.service[queue] = (service.departed(now - max(last, began)), now, began)
        kept.waiting = None

    # --- assignees -------------------------------------------------------------------------------------------------

    def refresh(self, who: AssigneeId) -> None:
        """Take note of a change in an assignee."""
        worker = self.workers[who]
        if not worker.enlisted:
            return
        routing = policy.routing(worker.standing)
        if routing is not worker.routing:
            if routing is Routing.READY and worker.routing in IDLE_AGAIN:
                worker.idle = self.now
            worker.routing, worker.since = routing, self.now
        self.wake()

    def charge(self, who: AssigneeId, session: SessionId, medium: Medium, state: str) -> None:
        """One session, one charge (law 4)."""
        self.workers[who].charges[session] = (medium, state)
        self.refresh(who)

    def discharge(self, who: AssigneeId, session: SessionId) -> None:
        """End a charge; one that is not there is no error."""
        worker = self.workers.get(who)
        if worker is None or (held := worker.charges.pop(session, None)) is None:
            return
        if held[1] != "offered" and worker.enlisted:
            worker.idle = self.now
        self.refresh(who)
        if not worker.enlisted and not worker.charges:
            del self.workers[who]

    def standing_in(self, demand: Class) -> Iterator[tuple[AssigneeId, int | None, str]]:
        """Everybody enlisted who serves the queue: their bonus in the class, and why not, or `ready`."""
        for who, worker in self.workers.items():
            if worker.enlisted and demand.queue in worker.profile.queues:
                counts = policy.bonus(worker.profile, demand, self.settings)
                if counts is None:
                    yield who, None, policy.UNSKILLED
                else:
                    yield who, counts, policy.exclusion(worker.standing, demand.medium) or policy.READY

    def ready(self, demand: Class) -> list[tuple[AssigneeId, int]]:
        """Who could take a session of that class now, in order."""
        found = []
        for who, counts, reason in self.standing_in(demand):
            if reason == policy.READY and counts is not None:
                worker = self.workers[who]
                found.append((who, policy.assignee_key(worker.idle, len(worker.charges), counts, self.settings)))
        return sorted(found, key=lambda one: (one[1], one[0]))

    # --- debts ----------------------------------------------------------------------------------------------------

    def owe(self, kept: Kept, due: int) -> None:
        """A call to this citizen, unless another session owes it already."""
        other = next((one for one in self.debts if self.sessions[one].citizen == kept.citizen), None)
        if other is not None and other != kept.id:
            self.write(kept, ev.DebtMerged(at=self.now / 1000, into=other))
        else:
            self.debts[kept.id] = due

    def settle(self, kept: Kept, end: DebtEnd) -> None:
        """It is owed no more; one that was merged never was."""
        due = self.debts.pop(kept.id, None)
        if due is not None:
            is_late = end is not DebtEnd.UNREACHED and self.now > due
            self.promises["late" if is_late else end.value] += 1

    # --- offers ----------------------------------------------------------------------------------------------------

    def make_offer(self) -> bool:
        """Offer the first session of all that somebody could take."""
        for kept in sorted((kept for kept in self.sessions.values() if kept.offerable), key=_order_of_all):
            assert kept.waiting is not None  # noqa: S101 - offerable
            ready = self.ready(kept.waiting.demand)
            winner = policy.choose([who for who, _ in ready], kept.waiting.prefer, kept.declined)
            if winner is not None:
                self._offer(kept, kept.waiting.demand, winner, ready)
                return True
        return False

    def _offer(self, kept: Kept, demand: Class, winner: AssigneeId, ready: list[tuple[AssigneeId, int]]) -> None:
        now = self.now
        excluded = Counter(reason for _, _, reason in self.standing_in(demand) if reason != policy.READY)
        if refused := sum(who in kept.declined for who, _ in ready):
            excluded[policy.DECLINED] = refused
        kept.token += 1
        kept.offer, kept.lease, kept.outcome = winner, now + policy.milliseconds(self.settings.lease_s), "pending"
        self.charge(winner, kept.id, demand.medium, "offered")
        self.write(
            kept,
            ev.OfferMade(
                at=now / 1000,
                token=kept.token,
                assignee=winner,
                kind=self.kind(winner),
                medium=demand.medium,
                lease_until=kept.lease / 1000,
                why=policy.why(winner, ready, now, excluded),
            ),
        )

    def kind(self, who: AssigneeId) -> AssigneeKind:
        """Agent or bot."""
        return self.workers[who].profile.kind

    def accept(self, kept: Kept, who: AssigneeId) -> None:
        """The offer is taken."""
        kept.offer, kept.outcome, kept.holder, kept.declined = None, "accepted", who, []
        self._served(kept)
        self.charge(who, kept.id, self.workers[who].charges[kept.id][0], "engaged")
        self.write(kept, ev.OfferAccepted(at=self.now / 1000, token=kept.token, assignee=who, kind=self.kind(who)))

    def take_back(self, kept: Kept, outcome: str, reason: str = "") -> None:
        """The pending offer, if there is one, was not taken; the session waits on at its place (law 5)."""
        who = kept.offer
        if who is None:
            return
        kept.offer, kept.outcome = None, outcome
        self.discharge(who, kept.id)
        self.write(kept, _not_taken(outcome, reason, at=self.now / 1000, token=kept.token, assignee=who))

    def expire(self, kept: Kept) -> None:
        """Nobody answered."""
        assert kept.offer is not None  # noqa: S101 - it is due
        self.workers[kept.offer].silent = True
        self.take_back(kept, "expired")

    def refused(self, kept: Kept, who: AssigneeId) -> None:
        """They are not asked again while another is free (law 13)."""
        kept.declined = [*(one for one in kept.declined if one != who), who][-self.settings.declined_kept :]

    def decline(self, kept: Kept, reason: str) -> None:
        """Who said no is remembered, and left alone for a while."""
        who = kept.offer
        assert who is not None  # noqa: S101 - it is pending
        self.refused(kept, who)
        kept.decliner = who
        self.workers[who].paused_until = self.now + policy.milliseconds(self.settings.decline_pause_s)
        self.take_back(kept, "declined", reason)

    def rescind(self, who: AssigneeId, reason: str, media: frozenset[Medium] = frozenset()) -> None:
        """Take back what is offered to somebody, but for what `media` can still bring them."""
        for session, (medium, state) in list(self.workers[who].charges.items()):
            if state == "offered" and medium not in media:
                self.take_back(self.sessions[session], "rescinded", reason)


def _order(kept: Kept) -> tuple[int, SessionId]:
    return (kept.waiting.key if kept.waiting else 0), kept.id


def _order_of_all(kept: Kept) -> tuple[int, str, SessionId]:
    """Equals of two classes go by the classes' names."""
    return (kept.waiting.key, kept.waiting.demand.key, kept.id) if kept.waiting else (0, "", kept.id)


def _not_taken(outcome: str, reason: str, *, at: float, token: int, assignee: AssigneeId) -> ev.Event:
    match outcome:
        case "declined":
            return ev.OfferDeclined(at=at, token=token, assignee=assignee, reason=reason)
        case "rescinded":
            return ev.OfferRescinded(at=at, token=token, assignee=assignee, reason=reason)
        case "expired":
            return ev.OfferExpired(at=at, token=token, assignee=assignee)
    return ev.OfferCancelled(at=at, token=token, assignee=assignee)


def media_of(worker: Worker) -> frozenset[Medium]:
    """All that some device of theirs can bring them."""
    return worker.standing.reachable


def capacity_left(worker: Worker, session: SessionId, medium: Medium) -> bool:
    """Whether a session that they have may count as `medium` instead (law 4)."""
    standing = worker.standing
    charged: Mapping[Medium, int] = Counter(held for other, (held, _) in worker.charges.items() if other != session)
    without = Standing(standing.kind, standing.capacity, charged=charged)
    return policy.has_room(without, medium)
