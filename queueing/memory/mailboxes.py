"""`contract.Mailboxes` in memory."""

from __future__ import annotations

from collections.abc import Sequence

from queueing import policy
from queueing.contract import Commit, Mailbox
from queueing.errors import StaleFence, VersionConflict
from queueing.mailboxes import order_of
from queueing.memory.log import snapshot_of
from queueing.memory.world import Kept, World, capacity_left
from queueing.policy import Class
from session.effects import (
    ClearTimer,
    EndSession,
    Engage,
    Enqueue,
    LegEffect,
    LetCitizenGo,
    Owe,
    PauseOffers,
    QueueChange,
    Raise,
    Release,
    ResumeOffers,
    SetTimer,
    Settle,
    Withdraw,
    Wrap,
)
from session.events import SlotGranted, SlotRefused
from session.ids import AssigneeId, NodeId, SessionId
from session.state import Medium, Party

DAY = 24 * 3600 * 1000
FIRST_LEASE = 5000


class MemoryMailboxes:
    """Dictionaries."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nodes: dict[NodeId, int] = {}
        self._departed: dict[NodeId, int] = {}
        self._beaten: int | None = None
        self._inboxes: dict[NodeId, list[tuple[SessionId, str, LegEffect]]] = {}

    def hold(self, node: NodeId) -> None:
        """A node that opens a session before its first beat is known from then on."""
        if node not in self._departed:
            self._nodes.setdefault(node, self._world.now + FIRST_LEASE)

    def _alive(self, node: NodeId) -> bool:
        return node not in self._departed and self._nodes.get(node, -1) >= self._world.now

    def reachable(self, node: NodeId) -> bool:
        """Whether it lived when a node was last heard of; where none has been since, the store was away."""
        heard = self._world.now if self._beaten is None else min(self._beaten, self._world.now)
        return node not in self._departed and self._nodes.get(node, -1) >= heard

    async def claim(self, session: SessionId, node: NodeId) -> Mailbox | None:
        kept = self._world.sessions.get(session)
        if kept is None or not (kept.open or kept.pending):
            return None
        if kept.node != node:
            if self._alive(kept.node):
                return None
            self._departed[kept.node] = self._world.now
            kept.node, kept.fence = node, kept.fence + 1
        self.hold(node)
        pending = tuple(sorted(kept.pending.items(), key=lambda named: order_of(named[0])))
        return Mailbox(snapshot_of(kept), kept.fence, len(kept.log), pending)

    async def absorb(self, commit: Commit) -> int:
        session = commit.session
        kept = self._world.sessions.get(session.id)
        if kept is None or kept.fence != commit.fence:
            raise StaleFence(session.id)
        if kept.absorbed == session.version:
            return len(kept.log)
        if kept.absorbed != commit.from_version or len(kept.log) != session.version:
            raise VersionConflict(session.id, len(kept.log))
        holder = kept.holder
        kept.snapshot, kept.absorbed = session, session.version
        kept.call = session.voice_leg(Party.CITIZEN) is not None
        kept.pending.update(commit.effects)
        for change in commit.changes:
            self._apply(kept, change, commit)
        if holder is not None and holder == session.assignee and session.live_legs(Party.CITIZEN):
            self._weigh(kept, holder, session.medium)
        return len(kept.log)

    def _apply(self, kept: Kept, change: QueueChange, commit: Commit) -> None:
        world = self._world
        match change:
            case Enqueue():
                self._enqueue(kept, change, commit)
            case Withdraw():
                world.take_back(kept, "cancelled")
                kept.waiting = None
            case PauseOffers() | ResumeOffers():
                self._pause(kept, paused=isinstance(change, PauseOffers))
            case Wrap() | Release() | Engage():
                self._recharge(kept, change)
            case Raise() | Owe() | Settle():
                self._about_a_call(kept, change)
            case SetTimer(name, after_s):
                kept.timers[name] = world.now + policy.milliseconds(after_s)
            case ClearTimer(name):
                kept.timers.pop(name, None)
            case LetCitizenGo():
                kept.findable = False
            case EndSession():
                self._finish(kept)

    def _pause(self, kept: Kept, *, paused: bool) -> None:
        if paused:
            self._world.take_back(kept, "cancelled")
        self._world.pause(kept, paused=paused)

    def _about_a_call(self, kept: Kept, change: Raise | Owe | Settle) -> None:
        match change:
            case Raise(assignee, medium):
                self._raise(kept, assignee, medium)
            case Owe(due_at):
                self._world.owe(kept, policy.milliseconds(due_at))
            case Settle(end):
                self._world.settle(kept, end)

    def _recharge(self, kept: Kept, change: Wrap | Release | Engage) -> None:
        world = self._world
        match change:
            case Wrap(assignee):
                worker = world.workers.get(assignee)
                if worker and kept.id in worker.charges:
                    world.charge(assignee, kept.id, worker.charges[kept.id][0], "wrapping")
            case Release(assignee):
                self._release(kept, assignee)
            case Engage(assignee, medium):
                worker = world.workers.get(assignee)
                if worker and worker.enlisted and capacity_left(worker, kept.id, medium):
                    world.charge(assignee, kept.id, medium, "engaged")
                kept.holder = assignee

    def _enqueue(self, kept: Kept, change: Enqueue, commit: Commit) -> None:
        world = self._world
        world.take_back(kept, "cancelled")
        if change.refused is not None:
            world.refused(kept, change.refused)
        began = commit.session.waiting_since
        since = min(world.now if began is None else policy.milliseconds(began), world.now)
        demand = Class.of(change.demand, change.medium)
        world.join(kept, demand, since - policy.milliseconds(change.accrued_s), change.demand.priority, change.prefer)
        kept.findable = True

    def _release(self, kept: Kept, assignee: AssigneeId) -> None:
        self._world.discharge(assignee, kept.id)
        if kept.holder == assignee:
            kept.holder = None

    def _finish(self, kept: Kept) -> None:
        self._world.take_back(kept, "cancelled")
        kept.waiting = None
        if kept.holder is not None:
            self._release(kept, kept.holder)
        kept.timers.clear()
        kept.declined = []
        kept.findable, kept.closed_at = False, self._world.now

    def _weigh(self, kept: Kept, holder: AssigneeId, medium: Medium) -> bool:
        """Whether it is charged for that now."""
        worker = self._world.workers.get(holder)
        held = worker.charges.get(kept.id) if worker else None
        if worker is None or held is None or held[0] is medium:
            return held is not None
        if held[1] == "offered" or not capacity_left(worker, kept.id, medium):
            return False
        self._world.charge(holder, kept.id, medium, held[1])
        return True

    def _raise(self, kept: Kept, who: AssigneeId, medium: Medium) -> None:
        world, at = self._world, self._world.now / 1000
        worker = world.workers.get(who)
        if worker is not None and policy.reaches(worker.standing, medium) and self._weigh(kept, who, medium):
            until = (world.now + policy.milliseconds(world.settings.lease_s)) / 1000
            granted = SlotGranted(at=at, assignee=who, medium=medium, token=kept.token, lease_until=until)
            world.write(kept, granted)
        else:
            world.write(kept, SlotRefused(at=at, assignee=who, medium=medium))

    async def performed(self, session: SessionId, fence: int, names: Sequence[str]) -> None:
        kept = self._world.sessions.get(session)
        if kept is None or not names:
            return
        if kept.fence != fence:
            raise StaleFence(session)
        for name in names:
            kept.pending.pop(name, None)

    async def beat(self, node: NodeId, *, ttl_s: float) -> bool:
        now, ttl = self._world.now, policy.milliseconds(ttl_s)
        last = self._beaten
        if last is not None and now - last > ttl:
            self._nodes.update({name: now + ttl for name, lease in self._nodes.items() if last <= lease <= now})
        self._beaten = now
        self._nodes[node] = now + ttl
        return self._departed.pop(node, None) is None

    async def leave(self, node: NodeId) -> None:
        self._nodes.pop(node, None)
        self._departed[node] = self._world.now

    async def orphans(self, limit: int = 100) -> list[tuple[SessionId, NodeId]]:
        dead = await self.dead_nodes()
        held = [(kept.id, kept.node) for kept in self._world.sessions.values() if kept.open or kept.pending]
        return [(session, node) for session, node in held if node in dead][:limit]

    async def unabsorbed(self, node: NodeId, limit: int = 100) -> list[SessionId]:
        mine = (kept for kept in self._world.sessions.values() if kept.node == node and kept.open)
        return [kept.id for kept in mine if kept.absorbed < len(kept.log)][:limit]

    async def dead_nodes(self) -> frozenset[NodeId]:
        now = self._world.now
        ran_out = {node for node, lease in self._nodes.items() if now - DAY <= lease < now}
        return frozenset(ran_out | {node for node, at in self._departed.items() if at >= now - DAY})

    async def send(self, node: NodeId, effect: tuple[SessionId, str, LegEffect]) -> None:
        self._inboxes.setdefault(node, []).append(effect)
        self._world.grow()

    async def receive(
        self, node: NodeId, after: str, *, block_s: float = 5.0
    ) -> tuple[str, list[tuple[SessionId, str, LegEffect]]]:
        inbox, seen = self._inboxes.setdefault(node, []), int(after)
        await self._world.until(lambda: len(inbox) > seen, block_s)
        return str(len(inbox)), inbox[seen:]
