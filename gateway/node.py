"""One gateway process among several: it beats, sweeps, takes over from the dead, and fences itself when it stalls."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from channels.contract import Channel
from gateway.chronicle import chronicle
from gateway.mailboxes import Mailboxes
from gateway.metrics import Metrics
from gateway.performer import Performer
from gateway.sight import came_to
from queueing.contract import Store
from queueing.errors import QueueingError
from session.effects import LegEffect
from session.errors import YihaoError
from session.events import AssigneeAway, AssigneeBack, DialFailed, Event, LegAway, LegClosed
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Entry, SessionGone, StoreUnavailable
from session.state import DialFailure, Leg, LegEnd, LegState, Medium, Session

log = logging.getLogger(__name__)

BEAT_S = 1.0
LEASE_S = 5.0
"""A node that has not been heard of for this long is dead; its legs are lost and its mailboxes free."""
SWEEP_S = 0.25
STALL_S = 1.0
"""A node whose loop stood still for longer drops its mailboxes: another may have taken them."""


class Node:
    """The duties of a node, each a task that outlives any single failure."""

    def __init__(
        self,
        store: Store,
        node: NodeId,
        mailboxes: Mailboxes,
        performer: Performer,
        channels: Mapping[str, Channel],
        metrics: Metrics,
    ) -> None:
        self._store, self.id = store, node
        self._mailboxes, self._performer = mailboxes, performer
        self._channels, self._metrics = channels, metrics
        self._has_vanished = True
        """Somebody may have, also before this node began; it stands until all of them are mourned."""
        self.draining = False
        self.store_up = True

    async def start(self) -> None:
        """Be known before the first session is opened here."""
        await self._store.mailboxes.beat(self.id, ttl_s=LEASE_S)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(BEAT_S, self._beat), name="beat")
            tasks.create_task(self._every(SWEEP_S, self._sweep), name="sweep")
            tasks.create_task(self._every(BEAT_S, self._take_over), name="take over")
            tasks.create_task(self._watch_lag(), name="lag")
            tasks.create_task(self._receive(), name="receive")

    async def leave(self) -> None:
        """End in good order: what is still open is another node's at once."""
        await self._mailboxes.stop()
        await self._store.mailboxes.leave(self.id)

    async def _every(self, pause_s: float, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await duty()
                self._store_state(up=True)
            except StoreUnavailable:
                self._store_state(up=False)
            except YihaoError as error:
                log.warning("duty failed", extra={"duty": duty.__name__, "why": type(error).__name__})
            except Exception:  # a task's top: the duty comes again
                log.exception("duty failed", extra={"duty": duty.__name__})
            await asyncio.sleep(pause_s)

    def _store_state(self, *, up: bool) -> None:
        if up != self.store_up:
            log.log(logging.INFO if up else logging.ERROR, "store is back" if up else "store is away")
        self.store_up = up
        self._metrics.store_up.set(up)

    async def _beat(self) -> None:
        if not await self._store.mailboxes.beat(self.id, ttl_s=LEASE_S):
            log.error("taken for dead: mailboxes dropped")
            self._mailboxes.drop_all()

    async def _sweep(self) -> None:
        """Expiries, timers and offers; none of it once this node drains, since an offer made now is one too late."""
        if self.draining:
            return
        swept = await self._store.queue.sweep()
        self._has_vanished = self._has_vanished or swept.vanished > 0
        if self._has_vanished:
            await self.mourn_assignees()
            self._has_vanished = False

    async def _take_over(self) -> None:
        for session, _ in await self._store.mailboxes.orphans():
            self._mailboxes.wake(session)
        for session in await self._store.mailboxes.unabsorbed(self.id):
            self._mailboxes.wake(session)
        await self._mourn_nodes()

    async def _mourn_nodes(self) -> None:
        """Legs that a dead node held are gone, whoever has their session's mailbox."""
        dead = await self._store.mailboxes.dead_nodes() - {self.id}
        if not dead:
            return
        for session in self._mailboxes.sessions():
            for leg in session.legs:
                if leg.owner in dead and leg.state is LegState.LIVE:
                    await self._mourn(session, leg)
                elif leg.owner in dead and leg.state in (LegState.PLANNED, LegState.CALLING):
                    unknown = DialFailed(leg=leg.id, reason=DialFailure.UNKNOWN)
                    await self._post(session.id, unknown, f"dialled:{leg.id}")

    async def _mourn(self, session: Session, leg: Leg) -> None:
        if leg.medium is Medium.MESSAGE:
            return  # no connection could be cut
        channel = self._channels.get(leg.channel)
        survives = channel is not None and channel.capabilities.survives_node
        event: Event = LegAway(leg=leg.id) if survives else LegClosed(leg=leg.id, reason=LegEnd.NODE_LOST)
        await self._post(session.id, event, f"mourn:{leg.owner}:{leg.id}")

    async def mourn_assignees(self) -> None:
        """Who can no longer be reached for what they have: their sessions wait for them, then go back in line."""
        for one in await self._store.queue.roster():
            for charge in one.charges:
                if (
                    charge.state == "engaged"
                    and charge.medium not in one.reachable
                    and charge.medium is not Medium.VOICE
                ):
                    await self._mourn_assignee(charge.session, one.profile.assignee)

    async def _mourn_assignee(self, session: SessionId, assignee: AssigneeId) -> None:
        """Once an absence: said again, it would begin the time anew for which the session waits for them."""
        last: Entry | None = None
        for entry in await chronicle(self._store.log, session):
            event = entry.event
            is_theirs = isinstance(event, AssigneeAway | AssigneeBack) and event.assignee == assignee
            if is_theirs or came_to(event) == assignee:
                last = entry
        if last is not None and not isinstance(last.event, AssigneeAway):
            await self._post(session, AssigneeAway(assignee=assignee), f"away:{session}:{last.version}")

    async def _post(self, session: SessionId, event: Event, dedupe: str) -> None:
        try:
            await self._store.log.append(session, event, dedupe=dedupe)
        except (SessionGone, QueueingError):
            return
        self._mailboxes.wake(session)

    async def _watch_lag(self) -> None:
        """A loop that stood still may have been taken for dead: it drops what it held, and claims again."""
        while True:
            before = time.monotonic()
            await asyncio.sleep(SWEEP_S)
            lag_s = time.monotonic() - before - SWEEP_S
            self._metrics.loop_lag_s.observe(max(0.0, lag_s))
            if lag_s > STALL_S:
                log.error("stalled: mailboxes dropped", extra={"lag_s": round(lag_s, 2)})
                self._mailboxes.drop_all()

    async def _receive(self) -> None:
        cursor = "0"
        while True:
            try:
                cursor, passed = await self._store.mailboxes.receive(self.id, cursor)
            except YihaoError as error:
                log.warning("nothing received", extra={"why": type(error).__name__})
                await asyncio.sleep(BEAT_S)
                continue
            by_session: dict[SessionId, list[tuple[str, LegEffect]]] = {}
            for session, name, effect in passed:
                by_session.setdefault(session, []).append((name, effect))
            await asyncio.gather(*(self._perform_passed(session, named) for session, named in by_session.items()))

    async def _perform_passed(self, session: SessionId, named: Sequence[tuple[str, LegEffect]]) -> None:
        """In order, and as often as it takes: whoever passed them here has struck them off."""
        for name, effect in named:
            while True:
                try:
                    await self._performer.passed(session, name, effect)
                    break
                except StoreUnavailable:
                    await asyncio.sleep(BEAT_S)
