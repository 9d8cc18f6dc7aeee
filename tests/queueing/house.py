"""A small gateway around one store: what a node does with it, so that tests can speak of acts and not of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from queueing.contract import AssigneeView, Commit, Mailbox, NoRoom, Presence, Profile, Promises, QueueView, Store
from queueing.errors import QueueingError
from queueing.library import Library, source
from queueing.memory import MemoryStore
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.address import Address
from session.effects import LegEffect, QueueChange
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.machine import advance
from session.ports import Place, SessionGone
from session.state import AssigneeKind, Demand, Leg, Medium, Party, Phase, Session, Skill

PEPPER = b"pepper of the tests, 32 bytes long"
TENANT = "test"
PREFIX = "yihao:{test}:"
EPOCH_S = 1_700_000_000.0
NODE = NodeId("n1")
VOICE, CHAT, MESSAGE = Medium.VOICE, Medium.CHAT, Medium.MESSAGE

REAL_CLOCK = """local function clock()
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local before = ours or tonumber(redis.call('GET', P .. 'beaten') or 0)
  ours = math.max(now, before + PACE * math.max(0, now - (machine or now)))
  machine = now
  return math.floor(ours)
end"""
MOVED_CLOCK = """local function clock()
  return tonumber(redis.call('GET', P .. 'clock'))
end"""


class Clock:
    """A clock that a test moves, for either store."""

    def __init__(self) -> None:
        self.ms = round(EPOCH_S * 1000)
        self._store: RedisStore | None = None

    def __call__(self) -> float:
        return self.ms / 1000

    async def drive(self, store: RedisStore) -> None:
        """Let the scripts of that store go by this clock."""
        self._store = store
        await self.pass_ms(0)

    async def pass_ms(self, ms: int) -> None:
        self.ms += ms
        if self._store is not None:
            await self._store.server.send("SET", PREFIX + "clock", self.ms)

    async def pass_s(self, seconds: float) -> None:
        await self.pass_ms(round(seconds * 1000))


def moved_library(settings: QueueSettings, parts: str | None = None) -> Library:
    """The library, but for its clock; so that a lease runs out when a test says so."""
    text = parts or source()
    assert REAL_CLOCK in text
    return Library.of(settings, text.replace(REAL_CLOCK, MOVED_CLOCK))


@asynccontextmanager
async def redis_store(
    url: str, clock: Clock, settings: QueueSettings | None = None, parts: str | None = None
) -> AsyncIterator[RedisStore]:
    settings = settings or QueueSettings(settle_s=0.1)
    library = moved_library(settings, parts)
    async with RedisStore.connect(url, tenant=TENANT, pepper=PEPPER, settings=settings, library=library) as store:
        await clock.drive(store)
        yield store


def memory_store(clock: Clock, settings: QueueSettings | None = None) -> MemoryStore:
    return MemoryStore(settings or QueueSettings(settle_s=0.1), clock)


def citizen_leg(
    session: str, medium: Medium, citizen: str = "", node: NodeId = NODE, leg: str = "", *, vouched: bool = False
) -> Leg:
    channel = {VOICE: "phone", CHAT: "webchat", MESSAGE: "sms"}[medium]
    address = Address("tel", citizen or f"+86{session}")
    return Leg(LegId(leg or f"{session}-leg"), channel, medium, Party.CITIZEN, node, address, asserted=vouched)


def agent(
    name: str,
    queues: tuple[str, ...] = ("q",),
    *,
    voice: int = 1,
    chat: int = 2,
    message: int = 3,
    skills: tuple[Skill, ...] = (),
    kind: AssigneeKind = AssigneeKind.AGENT,
) -> Profile:
    return Profile(AssigneeId(name), kind, queues, {VOICE: voice, CHAT: chat, MESSAGE: message}, skills)


@dataclass(frozen=True)
class Sight:
    """All that can be seen of a store from outside."""

    logs: dict[str, list[tuple[int, ev.Event]]]
    snapshots: dict[str, Session | None]
    roster: list[AssigneeView]
    queues: list[QueueView]
    places: dict[str, Place | None]
    unabsorbed: dict[str, list[SessionId]]
    orphans: list[tuple[SessionId, NodeId]]
    dead: frozenset[NodeId]
    promises: Promises

    def view(self, who: str) -> AssigneeView | None:
        return next((view for view in self.roster if view.profile.assignee == who), None)


class House:
    """One store, its clock, and what has been begun in it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock = store, clock
        self.sessions: list[str] = []
        self.boxes: dict[tuple[str, NodeId], Mailbox] = {}
        """As they were last claimed, for a hand that has been stopped and does not know it."""

    # --- citizens ------------------------------------------------------------------------------------------------

    async def open(
        self,
        session: str,
        medium: Medium = CHAT,
        queue: str = "q",
        *,
        priority: int = 0,
        skills: tuple[Skill, ...] = (),
        bot_queue: str = "",
        citizen: str = "",
        node: NodeId = NODE,
        leg: str = "",
        word: str | None = None,
        at: float | None = None,
        vouched: bool = False,
    ) -> tuple[str, bool]:
        first = citizen_leg(session, medium, citizen, node, leg, vouched=vouched)
        assert first.address is not None
        opened = ev.SessionOpened(
            citizen=first.address, number="12345", demand=Demand(queue, priority, skills), bot_queue=bot_queue
        )
        text = None if word is None else ev.TextReceived(leg=first.id, message=MessageId(word), text="你好")
        found, fresh = await self.store.log.open(
            SessionId(session), node, opened, ev.LegOpened(leg=first), text, dedupe=first.id, word_dedupe=word, at=at
        )
        if found not in self.sessions:
            self.sessions.append(found)
        return found, fresh

    async def begin(self, session: str, who: str, *, citizen: str = "", node: NodeId = NODE) -> str | NoRoom:
        """An agent calls somebody of their own accord."""
        address = Address("tel", citizen or f"+86{session}")
        by, leg = AssigneeId(who), LegId(f"{session}-own")
        opened = ev.SessionOpened(citizen=address, number="12345", demand=Demand("q"), by=by)
        begun = ev.CallBegun(by=by, leg=leg, channel="phone", address=address, token=1, node=node)
        found = await self.store.log.begin(SessionId(session), node, opened, begun, dedupe=f"own-{session}")
        if not isinstance(found, NoRoom) and found not in self.sessions:
            self.sessions.append(found)
        return found

    async def relate(self, since: int, upto: int, *persons: tuple[str, ...]) -> bool:
        """What the log of identity says, in numbers as `open` takes them."""
        whole = [[Address("tel", citizen) for citizen in person] for person in persons]
        return await self.store.kin.relate(since, upto, whole)

    async def post(self, session: str, event: ev.Event, dedupe: str | None = None) -> int | str:
        try:
            return await self.store.log.append(SessionId(session), event, dedupe=dedupe)
        except SessionGone:
            return "gone"

    async def waiting(self, session: str, medium: Medium = CHAT, queue: str = "q", **more: Any) -> str:
        """A session that stands in line."""
        found, _ = await self.open(session, medium, queue, **more)
        await self.absorb(found)
        return found

    # --- a node ----------------------------------------------------------------------------------------------------

    async def absorb(
        self, session: str, node: NodeId = NODE, *, perform: bool = True
    ) -> tuple[Phase, int] | str | None:
        """Let the session's events take effect, as a mailbox does; None where the mailbox is not to be had."""
        box = await self.store.mailboxes.claim(SessionId(session), node)
        if box is None:
            return None
        self.boxes[session, node] = box
        return await self._commit(box, perform=perform)

    async def absorb_behind(self, session: str, node: NodeId = NODE) -> tuple[Phase, int] | str | None:
        """Commit without having read the last event: it came just then."""
        box = await self.store.mailboxes.claim(SessionId(session), node)
        return None if box is None else await self._commit(box, perform=False, unread=1)

    async def claim(self, session: str, node: NodeId) -> int | None:
        """Take a mailbox over; gives its fence."""
        box = await self.store.mailboxes.claim(SessionId(session), node)
        return None if box is None else box.fence

    async def absorb_late(self, session: str, node: NodeId) -> tuple[Phase, int] | str | None:
        """The hand that had this mailbox before goes on, whether or not it still may."""
        box = self.boxes.get((session, node))
        return None if box is None else await self._commit(box, perform=True)

    async def _commit(self, box: Mailbox, *, perform: bool, unread: int = 0) -> tuple[Phase, int] | str:
        session = box.session.id
        entries = await self.store.log.read(session, after=box.session.version)
        entries = entries[: len(entries) - unread]
        if not entries:
            return (box.session.phase, box.session.version)
        commit, names = step(box.session, box.fence, [entry.event for entry in entries])
        try:
            await self.store.mailboxes.absorb(commit)
            if perform:
                await self.store.mailboxes.performed(session, box.fence, names)
        except QueueingError as error:
            return type(error).__name__
        return (commit.session.phase, commit.session.version)

    async def absorb_all(self) -> None:
        for session in self.sessions:
            await self.absorb(session)

    async def phase(self, session: str) -> Phase:
        held = await self.store.log.open_session_of(SessionId(session))
        assert held is not None
        return held.phase

    # --- assignees -------------------------------------------------------------------------------------------------

    async def staff(self, profile: Profile, media: tuple[Medium, ...] = tuple(Medium)) -> AssigneeId:
        """Somebody at their desk, ready."""
        who = profile.assignee
        await self.store.queue.enlist(profile)
        await self.store.queue.reach(who, "desk", frozenset(media), ttl_s=3600)
        await self.store.queue.present(who, Presence.READY)
        return who

    async def offered(self, session: str) -> tuple[AssigneeId, int] | None:
        """Who is asked, and the token."""
        made = None
        for entry in await self.store.log.read(SessionId(session)):
            match entry.event:
                case ev.OfferMade(token=token, assignee=who):
                    made = (who, token)
                case (
                    ev.OfferAccepted()
                    | ev.OfferDeclined()
                    | ev.OfferExpired()
                    | ev.OfferRescinded()
                    | ev.OfferCancelled()
                ):
                    made = None
        return made

    async def talking(self, session: str, who: str) -> int:
        """`who` has the session; gives the token."""
        await self.store.queue.match()
        made = await self.offered(session)
        assert made is not None
        assert made[0] == who
        await self.absorb(session)
        assert (await self.store.queue.accept(SessionId(session), AssigneeId(who), made[1])).granted
        await self.absorb(session)
        return made[1]

    async def events(self, session: str) -> list[str]:
        """The names of all that happened."""
        return [type(entry.event).__name__ for entry in await self.store.log.read(SessionId(session))]

    async def sight(self, nodes: tuple[NodeId, ...] = (NODE,)) -> Sight:
        store = self.store
        ids = [SessionId(session) for session in sorted(self.sessions)]
        logs = await asyncio.gather(*(store.log.read(one) for one in ids))
        snapshots = await asyncio.gather(*(store.log.open_session_of(one) for one in ids))
        places = await asyncio.gather(*(store.queue.place(one) for one in ids))
        unabsorbed = await asyncio.gather(*(store.mailboxes.unabsorbed(node, 1000) for node in nodes))
        roster, queues = await asyncio.gather(store.queue.roster(), store.queue.queues())
        orphans, dead = await asyncio.gather(store.mailboxes.orphans(1000), store.mailboxes.dead_nodes())
        return Sight(
            {one: [(entry.version, entry.event) for entry in log] for one, log in zip(ids, logs, strict=True)},
            dict(zip(ids, snapshots, strict=True)),
            [replace(view, charges=tuple(sorted(view.charges, key=lambda charge: charge.session))) for view in roster],
            queues,
            dict(zip(ids, places, strict=True)),
            {node: sorted(held) for node, held in zip(nodes, unabsorbed, strict=True)},
            sorted(orphans),
            dead,
            await store.queue.promises(),
        )


def step(session: Session, fence: int, events: list[ev.Event]) -> tuple[Commit, list[str]]:
    """What a mailbox commits for these events, and the names of the effects."""
    before = session.version
    changes: list[QueueChange] = []
    effects: list[tuple[str, LegEffect]] = []
    for event in events:
        session, wanted = advance(session, event)
        for index, effect in enumerate(wanted):
            if isinstance(effect, LegEffect):
                effects.append((f"{session.version}.{index}", effect))
            else:
                changes.append(effect)
    return Commit(session, before, fence, tuple(changes), tuple(effects)), [name for name, _ in effects]
