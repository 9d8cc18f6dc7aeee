"""`contract.Queue` in memory."""

from __future__ import annotations

import asyncio

from queueing.contract import AssigneeView, Charge, Presence, Profile, Promises, QueueView, Swept
from queueing.errors import TooLarge, UnknownAssignee
from queueing.line import UNSETTLED, check_name, check_profile
from queueing.log import SETTLE_STEP_S
from queueing.memory.world import Kept, Worker, World, media_of
from queueing.policy import Service, exclusion, milliseconds, routing
from session.events import TimerFired
from session.ids import AssigneeId, SessionId
from session.ports import Place, Verdict
from session.state import AssigneeKind, Medium


class MemoryQueue:
    """The policy, asked anew each time."""

    def __init__(self, world: World) -> None:
        self._world = world

    # --- roster ----------------------------------------------------------------------------------------------------

    async def enlist(self, profile: Profile) -> None:
        check_profile(profile, self._world.settings)
        worker = self._world.workers.get(profile.assignee)
        if worker is None:
            worker = self._world.workers[profile.assignee] = Worker(profile, idle=self._world.now)
            worker.since = self._world.now
        if not worker.enlisted:
            worker.routing, worker.since = routing(worker.standing), self._world.now
        worker.profile, worker.enlisted = profile, True
        self._world.queues.update(profile.queues)
        self._world.refresh(profile.assignee)

    async def discharge(self, assignee: AssigneeId) -> None:
        world = self._world
        worker = world.workers.get(assignee)
        if worker is None or not worker.enlisted:
            return
        worker.presence, worker.reason = Presence.OFF, ""
        world.rescind(assignee, "discharged")
        if worker.charges:
            left = Worker(worker.profile, enlisted=False, charges=worker.charges, idle=worker.idle)
            world.workers[assignee] = left
        else:
            del world.workers[assignee]

    async def present(self, assignee: AssigneeId, presence: Presence, reason: str = "") -> AssigneeView:
        worker = self._worker(assignee)
        worker.presence, worker.reason = presence, reason
        if presence is Presence.READY:
            worker.silent = False
        self._world.refresh(assignee)
        if presence is not Presence.READY:
            self._world.rescind(assignee, presence.value)
        return _view(worker)

    async def reach(self, assignee: AssigneeId, via: str, media: frozenset[Medium], *, ttl_s: float) -> AssigneeView:
        check_name("device", via)
        worker = self._worker(assignee)
        if not media:
            self._lose(assignee, via)
            return _view(worker)
        if via not in worker.devices and len(worker.devices) >= self._world.settings.devices:
            raise TooLarge("devices of one assignee", len(worker.devices) + 1, self._world.settings.devices)
        worker.devices[via] = (media, self._world.now + milliseconds(ttl_s))
        self._reached(assignee)
        return _view(worker)

    def _lose(self, assignee: AssigneeId, via: str) -> None:
        self._world.workers[assignee].devices.pop(via, None)
        self._reached(assignee)

    def _reached(self, assignee: AssigneeId) -> None:
        worker = self._world.workers[assignee]
        self._world.refresh(assignee)
        if worker.profile.kind is AssigneeKind.AGENT:
            self._world.rescind(assignee, "unreachable", media_of(worker))

    async def roster(self) -> list[AssigneeView]:
        return [_view(worker) for _, worker in sorted(self._world.workers.items()) if worker.enlisted]

    async def view(self, assignee: AssigneeId) -> AssigneeView:
        return _view(self._worker(assignee))

    def _worker(self, assignee: AssigneeId) -> Worker:
        worker = self._world.workers.get(assignee)
        if worker is None or not worker.enlisted:
            raise UnknownAssignee(assignee)
        return worker

    # --- line ------------------------------------------------------------------------------------------------------

    async def queues(self) -> list[QueueView]:
        return [self._queue(name) for name in sorted(self._world.queues)]

    def _queue(self, name: str) -> QueueView:
        now = self._world.now
        line = self._world.line(name)
        longest = max((now - kept.waiting.since for kept in line if kept.waiting), default=0)
        ready = sum(
            any(exclusion(worker.standing, medium) is None for medium in Medium)
            for worker in self._world.workers.values()
            if worker.enlisted and name in worker.profile.queues
        )
        return QueueView(name, len(line), longest / 1000, ready)

    async def place(self, session: SessionId) -> Place | None:
        kept = self._world.sessions.get(session)
        if kept is None or kept.waiting is None:
            return None
        queue = kept.waiting.demand.queue
        line = self._world.line(queue)
        position = line.index(kept) + 1
        service, _, _ = self._world.service.get(queue, (Service(), 0, 0))
        return Place(position, len(line), service.estimate_s(position))

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._world.settings.settle_s
        while True:
            verdict = self._accept(session, assignee, token)
            if verdict not in UNSETTLED:
                return Verdict(verdict)
            if loop.time() >= give_up_at:
                return UNSETTLED[verdict]
            await asyncio.sleep(SETTLE_STEP_S)

    def _accept(self, session: SessionId, who: AssigneeId, token: int) -> str:
        kept = self._world.sessions.get(session)
        if kept and kept.open and kept.holder == who and kept.token == token:
            return Verdict.ALREADY_YOURS
        refused = self._refusal(kept, who, token)
        if refused is not None or kept is None:
            return refused or Verdict.NOT_OFFERED
        if kept.vital > kept.absorbed:
            return kept.vital_kind
        self._world.accept(kept, who)
        return Verdict.ACCEPTED

    def _refusal(self, kept: Kept | None, who: AssigneeId, token: int) -> Verdict | None:
        if kept is None or token > kept.token:
            return Verdict.NOT_OFFERED
        if not kept.open:
            return Verdict.CITIZEN_GONE
        if token < kept.token or kept.offer is None:
            if token == kept.token and kept.outcome == "cancelled":
                return Verdict.CITIZEN_GONE
            return Verdict.TAKEN if kept.holder else Verdict.EXPIRED
        if kept.offer != who:
            return Verdict.NOT_OFFERED
        return Verdict.EXPIRED if self._world.now >= kept.lease else None

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        kept = self._world.sessions.get(session)
        if kept and kept.outcome == "declined" and (kept.decliner, kept.token) == (assignee, token):
            return True
        if kept is None or self._refusal(kept, assignee, token) is not None:
            return False
        self._world.decline(kept, reason)
        return True

    async def promises(self) -> Promises:
        world = self._world
        overdue = sum(due < world.now for due in world.debts.values())
        next_due = min(world.debts.values(), default=None)
        ends = (world.promises[name] for name in ("kept", "returned", "late", "unreached"))
        return Promises(len(world.debts), overdue, None if next_due is None else next_due / 1000, *ends)

    async def match(self, limit: int = 100) -> int:
        made = 0
        while made < limit and self._world.make_offer():
            made += 1
        return made

    async def sweep(self, limit: int = 100) -> Swept:
        world, now = self._world, self._world.now
        offered = [kept for kept in world.sessions.values() if kept.offer is not None and kept.lease <= now]
        offered = sorted(offered, key=lambda kept: (kept.lease, kept.id))[:limit]
        for kept in offered:
            world.expire(kept)
        timers = [(at, kept, name) for kept in world.sessions.values() for name, at in kept.timers.items() if at <= now]
        timers = sorted(timers, key=lambda due: (due[0], f"{due[1].id}\n{due[2]}"))[:limit]
        for _, kept, name in timers:
            del kept.timers[name]
            kept.vital, kept.vital_kind = world.write(kept, TimerFired(at=now / 1000, name=name)), "came"
        devices = [
            (until, f"{who}\n{via}", who, via)
            for who, worker in world.workers.items()
            for via, (_, until) in worker.devices.items()
            if until <= now
        ]
        devices = sorted(devices)[:limit]
        for _, _, who, via in devices:
            self._lose(who, via)
        for who, worker in world.workers.items():
            if worker.paused_until is not None and worker.paused_until <= now:
                worker.paused_until = None
                world.refresh(who)
        return Swept(len(offered), len(timers), len(devices), await self.match(limit))


def _view(worker: Worker) -> AssigneeView:
    charges = tuple(Charge(session, medium, state) for session, (medium, state) in worker.charges.items())
    return AssigneeView(
        worker.profile,
        worker.presence,
        worker.reason,
        worker.routing,
        worker.since / 1000,
        media_of(worker),
        charges,
    )
