"""The real store and the model, side by side through the same acts: same outcome, same sight, all laws, every time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from queueing.contract import Presence, Profile, Store
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import belonging as bl
from session import events as ev
from session.errors import YihaoError
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Entry
from session.state import (
    AssigneeKind,
    Demand,
    DialFailure,
    Leg,
    LegEnd,
    LegState,
    Medium,
    Party,
    Phase,
    Session,
    Skill,
)
from tests.queueing import laws
from tests.queueing.house import CHAT, PREFIX, VOICE, Clock, House, Sight, agent, memory_store, redis_store

SETTINGS = QueueSettings(settle_s=0.0, lease_s=20.0, decline_pause_s=5.0)
NODES = (NodeId("n1"), NodeId("n2"))
MEDIA = tuple(Medium)
RUNNING = (Phase.BOT, Phase.QUEUED, Phase.OFFERED, Phase.ACTIVE, Phase.PARKED)
ENGLISH = (Skill("english", 3),)
STAFF = {
    "a1": agent("a1", ("q",), chat=1),
    "a2": agent("a2", ("q", "r"), skills=(Skill("english", 5),)),
    "a3": agent("a3", ("r",), voice=1, chat=3, message=1, skills=ENGLISH),
    "bot": agent("bot", ("bots",), chat=50, message=50, kind=AssigneeKind.BOT),
}
STEP_MS = 7

Pick = Callable[[int], int]
"""Chooses a number below its argument: a seeded generator, or hypothesis."""


class Twins:
    """Two houses under one clock."""

    def __init__(self, subject: House, model: House, clock: Clock) -> None:
        self.subject, self.model, self.clock = subject, model, clock
        self.seen: Sight | None = None
        self._opened = 0

    async def both(self, act: Callable[[House], Awaitable[Any]]) -> Any:
        """Let both do it; what comes out and what can be seen afterwards must be the same, and lawful."""
        await self.clock.pass_ms(STEP_MS)
        outcome, expected = await _outcome(act, self.subject), await _outcome(act, self.model)
        assert outcome == expected, f"the store says {outcome!r}, the model {expected!r}"
        await self._compare()
        return outcome

    async def _compare(self) -> None:
        sight, expected = await self.subject.sight(NODES), await self.model.sight(NODES)
        _same_estimates(sight, expected)
        for name in Sight.__dataclass_fields__:
            if name != "places":
                mine, theirs = getattr(sight, name), getattr(expected, name)
                assert mine == theirs, f"{name}: the store has\n{mine}\nthe model\n{theirs}"
        laws.hold(sight, self.seen, SETTINGS)
        self.seen = sight
        await self._deadlines(sight)

    async def _deadlines(self, sight: Sight) -> None:
        """Law 7, as only the store itself can tell: who waits for a time has a timer."""
        store = self.subject.store
        assert isinstance(store, RedisStore)
        for name, session in sight.snapshots.items():
            if session and session.phase in (Phase.WRAPPING, Phase.PARKED, Phase.CALLBACK_PENDING):
                timers = await store.server.send("SCARD", f"{PREFIX}timers_of:{name}")
                assert timers or session.version < len(sight.logs[name]), f"law 7: {name} has no deadline"

    # --- acts ------------------------------------------------------------------------------------------------------

    async def open(self, pick: Pick) -> None:
        self._opened += 1
        name = f"S{self._opened:03}"
        first = pick(4)
        at = self.clock() - 5 if pick(8) == 0 else None
        more: dict[str, Any] = {
            "priority": (0, 0, 30, -10)[pick(4)],
            "skills": ENGLISH if pick(4) == 0 else (),
            "bot_queue": "bots" if pick(4) == 0 else "",
            "citizen": f"+86{pick(6)}",
            "word": f"m{pick(9)}" if first == 0 else None,
            "leg": f"leg{pick(12)}" if first == 1 else "",
            "node": NODES[pick(2)],
            "at": at,
            "vouched": pick(2) == 0,
        }
        medium, queue = MEDIA[pick(3)], ("q", "r")[pick(2)]
        found = await self.both(lambda house: house.open(name, medium, queue, **more))
        if pick(2):
            await self.both(lambda house: house.absorb(found[0], more["node"]))

    async def begin(self, pick: Pick) -> None:
        """An agent calls somebody; now and then it is asked twice."""
        self._opened += 1
        name, who, citizen = f"S{self._opened:03}", self._anyone(pick), f"+86{pick(6)}"
        for _ in range(1 + (pick(4) == 0)):
            await self.both(lambda house: house.begin(name, who, citizen=citizen))
        if pick(2) and name in self.subject.sessions:
            await self._absorb(SessionId(name), NODES[0])

    async def relate(self, pick: Pick) -> None:
        """People turn out to be one, or two after all; now and then by a hand that was overtaken."""
        known = await self.subject.store.kin.known()
        since = known - (pick(6) == 0)
        numbers = [f"+86{number}" for number in range(6)]
        cut = pick(5) + 1
        persons = (tuple(numbers[:cut]), tuple(numbers[cut:])) if pick(3) else tuple((one,) for one in numbers)
        await self.both(lambda house: house.relate(since, known + 1, *persons))

    async def write(self, pick: Pick) -> None:
        if (name := self._some(pick)) is None:
            return
        message = f"m{pick(9)}"
        leg = f"{name}-leg"
        event = ev.TextReceived(leg=LegId(leg), message=MessageId(message), text="在吗")
        await self.both(lambda house: house.post(name, event, dedupe=message))

    async def happen(self, pick: Pick) -> None:
        """Something that the machine cares about, likely or not in this phase."""
        if (name := self._some(pick)) is None or (session := self._sight.snapshots[name]) is None:
            return
        by = session.assignee or AssigneeId("a1")
        legs = session.live_legs(Party.CITIZEN)
        events: list[ev.Event] = [
            ev.HumanRequested(),
            ev.SessionParked(by=by),
            ev.SessionResumed(by=by),
            ev.SessionTransferred(by=by, to=(None, AssigneeId("a2"), AssigneeId("a3"))[pick(3)]),
            ev.SessionTransferred(by=by, demand=Demand("r")),
            ev.ContactFinished(by=by),
            ev.WrapFinished(by=by),
            ev.AssigneeAway(assignee=by),
            ev.AssigneeBack(assignee=by),
            ev.RatingGiven(score=4),
            self._wants_call(session, by),
            self._wants_call(session, None),
        ]
        if (dial := session.dial) is not None:
            events += (
                ev.DialFailed(leg=dial.id, reason=DialFailure.BUSY),
                ev.LegOpened(leg=replace(dial, owner=NODES[0], state=LegState.LIVE)),
            )
            telephone = Leg(LegId(f"agent-{session.version}"), "phone", VOICE, Party.ASSIGNEE, NODES[0])
            events.append(ev.LegOpened(leg=telephone))
        for leg in legs:
            events += (
                ev.LegClosed(leg=leg.id, reason=LegEnd.HANGUP),
                ev.LegClosed(leg=leg.id, reason=LegEnd.NODE_LOST),
                ev.LegAway(leg=leg.id),
                ev.LegBack(leg=leg.id, owner=NODES[0]),
            )
        event = events[pick(len(events))]
        await self.both(lambda house: house.post(name, event))
        if pick(2):
            await self.absorb(lambda limit: 0 if limit == 2 else self._index(name))

    def _wants_call(self, session: Session, by: AssigneeId | None) -> ev.Event:
        leg = LegId(f"asked-{session.id}-{session.version}")
        return ev.CallRequested(by=by, leg=leg, channel="phone", address=session.citizen, anyone=by is None)

    async def join(self, pick: Pick) -> None:
        """Two sessions go on as one, or part again; now and then on an old view of one of them."""
        held = [one for one in self._sight.snapshots.values() if one and one.version == len(self._sight.logs[one.id])]
        kept = [one for one in held if one.phase is Phase.ACTIVE and one.assignee is not None]
        if not kept:
            return
        one = kept[pick(len(kept))]
        given = [other for other in held if other.joined_into == one.id]
        if given and pick(2):
            other = given[pick(len(given))]
            await self.both(lambda house: house.store.log.split(*parting(one, other)))
        else:
            other = held[pick(len(held))]
            late = pick(6) == 0
            if other.phase in RUNNING and not any(leg.medium is VOICE for leg in other.live_legs(Party.CITIZEN)):
                await self.both(lambda house: house.store.log.join(*joining(one, other, self.clock(), late=late)))
        for name in (one.id, other.id):
            for node in NODES:
                await self._absorb(name, node)

    async def absorb(self, pick: Pick) -> None:
        if (name := self._some(pick)) is not None:
            node = NODES[pick(2)]
            await self.both(lambda house: house.absorb(name, node))

    async def _absorb(self, name: str, node: NodeId) -> None:
        await self.both(lambda house: house.absorb(name, node))

    async def _beat(self, node: NodeId) -> None:
        await self.both(lambda house: house.store.mailboxes.beat(node, ttl_s=40))

    async def absorb_late(self, pick: Pick) -> None:
        if (name := self._some(pick)) is not None:
            node = NODES[pick(2)]
            await self.both(lambda house: house.absorb_late(name, node))

    async def absorb_behind(self, pick: Pick) -> None:
        if (name := self._some(pick)) is not None:
            await self.both(lambda house: house.absorb_behind(name, NODES[0]))

    async def usurp(self, pick: Pick) -> None:
        """A node is taken for dead, and goes on without having noticed."""
        if (name := self._some(pick)) is None:
            return
        old, new = NODES if pick(2) else reversed(NODES)
        await self.both(lambda house: house.absorb(name, old))
        await self.both(lambda house: house.store.mailboxes.leave(old))
        await self.both(lambda house: house.claim(name, new))
        await self.both(lambda house: house.post(name, ev.NoteAdded(by=AssigneeId("a1"), text="")))
        await self.both(lambda house: house.absorb_late(name, old))
        await self._beat(old)

    async def hang_up(self, pick: Pick) -> None:
        if (name := self._some(pick)) is None:
            return
        await self._leave(name)
        if pick(3):
            await self.both(lambda house: house.absorb(name, NODES[0]))

    async def _leave(self, name: SessionId) -> None:
        session = self._sight.snapshots[name]
        for leg in session.live_legs(Party.CITIZEN) if session else ():
            await self._post(name, ev.LegClosed(leg=leg.id, reason=LegEnd.HANGUP))

    async def _post(self, name: str, event: ev.Event) -> None:
        await self.both(lambda house: house.post(name, event))

    async def staff(self, pick: Pick) -> None:
        who = self._anyone(pick)
        profile = STAFF[who]
        if pick(4) == 0:
            profile = replace(profile, queues=("q", "r"), skills=())
        await self.both(lambda house: house.store.queue.enlist(profile))
        await self.both(lambda house: house.store.queue.present(AssigneeId(who), Presence.READY))

    async def arrive(self, profile: Profile) -> None:
        await self.both(lambda house: house.staff(profile))

    async def reach(self, pick: Pick) -> None:
        who, via = self._anyone(pick), f"d{pick(2)}"
        media = (frozenset(MEDIA), frozenset({CHAT}), frozenset(MEDIA), frozenset[Medium]())[pick(4)]
        ttl_s = (30.0, 3600.0)[pick(2)]
        await self.both(lambda house: house.store.queue.reach(AssigneeId(who), via, media, ttl_s=ttl_s))

    async def present(self, pick: Pick) -> None:
        who = self._anyone(pick)
        presence = (Presence.READY, Presence.READY, Presence.BREAK, Presence.OFF)[pick(4)]
        await self.both(lambda house: house.store.queue.present(AssigneeId(who), presence, "lunch"))

    async def discharge(self, pick: Pick) -> None:
        if pick(3) == 0:
            who = self._anyone(pick)
            await self.both(lambda house: house.store.queue.discharge(AssigneeId(who)))

    async def match(self, pick: Pick) -> None:
        limit = (1, 100)[pick(2)]
        await self.both(lambda house: house.store.queue.match(limit))

    async def accept(self, pick: Pick) -> None:
        if (asked := self._asked(pick)) is not None:
            name, who, token = asked
            if pick(3):  # as it goes: the mailbox has read of the offer
                await self.both(lambda house: house.absorb(name, NODES[0]))
            await self.both(lambda house: house.store.queue.accept(name, who, token))

    async def answer(self, pick: Pick) -> None:
        """Two more citizens, offers, and what may become of one."""
        for _ in range(2):
            await self.open(pick)
            for node in NODES:
                await self._absorb(self.subject.sessions[-1], node)
        await self.both(lambda house: house.store.queue.match())
        if (asked := self._asked(pick)) is None:
            return
        name, who, _ = asked
        if pick(2):
            for node in NODES:
                await self._absorb(name, node)
        what = pick(5)
        if what == 0:
            await self.both(lambda house: house.store.queue.decline(*asked, "desk"))
        elif what == 1:
            await self.clock.pass_s(21)
        elif what == 2:
            await self._leave(name)
        elif what == 3:
            await self.both(lambda house: house.store.queue.present(who, Presence.BREAK, "lunch"))
        await self.both(lambda house: house.store.queue.accept(*asked))
        await self.both(lambda house: house.store.queue.accept(*asked))

    async def decline(self, pick: Pick) -> None:
        if (asked := self._asked(pick)) is not None:
            await self.both(lambda house: house.store.queue.decline(*asked, "desk"))

    async def wait(self, pick: Pick) -> None:
        await self.clock.pass_s((1, 5, 20, 30, 61, 121)[pick(6)])
        for node in NODES[: 1 + pick(2)]:
            await self._beat(node)
        if pick(4) == 0:
            return
        await self.both(lambda house: house.store.queue.sweep())
        laws.overdue(self._sight, self.clock())

    async def leave(self, pick: Pick) -> None:
        if pick(5) == 0:
            await self.both(lambda house: house.store.mailboxes.leave(NODES[1]))

    async def settle(self, pick: Pick) -> None:
        """Everything comes to rest: who can be served is."""
        for node in NODES:
            await self._beat(node)
        for name in list(self.subject.sessions):
            for node in NODES:
                await self._absorb(name, node)
        await self.both(lambda house: house.store.queue.sweep())
        laws.nobody_waits_in_vain(self._sight, self.clock.ms, SETTINGS)

    # --- choices -----------------------------------------------------------------------------------------------------

    @property
    def _sight(self) -> Sight:
        assert self.seen is not None
        return self.seen

    def _some(self, pick: Pick) -> SessionId | None:
        sessions = self.subject.sessions
        return SessionId(sessions[pick(len(sessions))]) if sessions else None

    def _index(self, name: str) -> int:
        return self.subject.sessions.index(name)

    def _anyone(self, pick: Pick) -> str:
        return tuple(STAFF)[pick(len(STAFF))]

    def _asked(self, pick: Pick) -> tuple[SessionId, AssigneeId, int] | None:
        """Most often an offer that was made; now and then somebody else's, or another token."""
        made = (
            [
                (SessionId(name), event.assignee, event.token)
                for name, log in self._sight.logs.items()
                for _, event in log[-4:]
                if isinstance(event, ev.OfferMade)
            ]
            if self.seen
            else []
        )
        if not made:
            return None
        name, who, token = made[pick(len(made))]
        if pick(6) == 0:
            who = AssigneeId(self._anyone(pick))
        if pick(6) == 0:
            token += pick(3) - 1
        return name, who, token


ACTS: tuple[Callable[[Twins, Pick], Awaitable[None]], ...] = (
    Twins.open, Twins.open, Twins.open, Twins.begin, Twins.begin, Twins.relate, Twins.join, Twins.join,
    Twins.write, Twins.happen, Twins.happen, Twins.happen,
    Twins.absorb, Twins.absorb, Twins.absorb_late, Twins.staff, Twins.staff, Twins.reach, Twins.reach, Twins.present,
    Twins.discharge,
    Twins.match, Twins.match, Twins.match, Twins.accept, Twins.accept, Twins.accept, Twins.accept, Twins.decline,
    Twins.decline, Twins.answer, Twins.answer, Twins.answer, Twins.hang_up, Twins.usurp, Twins.absorb_behind,
    Twins.wait, Twins.wait, Twins.leave, Twins.settle,
)  # fmt: skip
"""Named as often as they are to be likely."""


def joining(kept: Session, other: Session, now: float, *, late: bool = False) -> tuple[Entry, Entry]:
    """What is written where one session goes on in another."""
    by = kept.assignee or AssigneeId("a1")
    legs, waited_s = other.live_legs(Party.CITIZEN), other.waited_s(now)
    return (
        Entry(kept.id, kept.version + 1, bl.SessionsJoined(by=by, other=other.id, legs=legs, waited_s=waited_s)),
        Entry(other.id, other.version + (0 if late else 1), bl.JoinedInto(by=by, kept=kept.id)),
    )


def parting(kept: Session, other: Session) -> tuple[Entry, Entry]:
    """What is written where they part."""
    by = kept.assignee or AssigneeId("a1")
    legs = tuple(leg for leg in kept.live_legs(Party.CITIZEN) if leg.joined_from == other.id)
    return (
        Entry(kept.id, kept.version + 1, bl.SessionsSplit(by=by, other=other.id)),
        Entry(other.id, other.version + 1, bl.SplitFrom(by=by, kept=kept.id, legs=legs)),
    )


async def begin(subject: Store, clock: Clock) -> Twins:
    """Twins with both nodes alive and everybody at their desk."""
    twins = Twins(House(subject, clock), House(memory_store(clock, SETTINGS), clock), clock)
    for node in NODES:
        await twins._beat(node)
    for profile in STAFF.values():
        await twins.arrive(profile)
    return twins


@asynccontextmanager
async def twins_at(url: str, parts: str | None = None) -> AsyncIterator[Twins]:
    """Twins whose real half is the store at `url`, perhaps with a bug (`parts`)."""
    clock = Clock()
    async with redis_store(url, clock, SETTINGS, parts) as store:
        yield await begin(store, clock)


async def _outcome(act: Callable[[House], Awaitable[Any]], house: House) -> Any:
    try:
        return await act(house)
    except YihaoError as error:
        return type(error).__name__


def _same_estimates(sight: Sight, expected: Sight) -> None:
    """The mean pause goes through text in the store, so its last digits may differ."""
    for name, place in sight.places.items():
        other = expected.places[name]
        mine = (place.position, place.waiting) if place else None
        assert mine == ((other.position, other.waiting) if other else None), f"place of {name}"
        if place and other:
            assert (place.estimate_s is None) == (other.estimate_s is None), f"estimate of {name}"
            assert abs((place.estimate_s or 0) - (other.estimate_s or 0)) < 0.01, f"estimate of {name}"
