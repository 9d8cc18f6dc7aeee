"""The mailboxes of one node: whoever holds one turns a session's events into its next state, and has effects performed.

A mailbox is a cached snapshot and its fencing number. It costs a task only while there is something to absorb.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.chronicle import chronicle
from queueing.contract import Commit, Store
from queueing.errors import StaleFence, VersionConflict
from session import machine
from session.effects import LegEffect, QueueChange
from session.ids import NodeId, SessionId
from session.ports import Entry, StoreUnavailable
from session.rules import Rules
from session.state import Phase, Session

log = logging.getLogger(__name__)

RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses while the store cannot be reached; the last repeats."""
GROWTHS = 3
"""How often in a row a log may grow under a commit before the mailbox doubts what it holds."""

Perform = Callable[[Session, str, LegEffect], Awaitable[None]]


async def _performed_by_nobody(session: Session, name: str, effect: LegEffect) -> None:
    raise RuntimeError(f"{name} of {session.id} came before there was anybody to perform it: {effect!r}")


@dataclass(slots=True)
class _Box:
    session: Session
    fence: int


class Mailboxes:
    """All mailboxes that this node holds."""

    def __init__(self, store: Store, node: NodeId, rules: Rules) -> None:
        self._store, self._node, self._rules = store, node, rules
        self.perform: Perform = _performed_by_nobody
        """Set once, before the first session: who performs needs the inbox, which wakes these mailboxes."""
        self._boxes: dict[SessionId, _Box] = {}
        self._running: dict[SessionId, asyncio.Task[None]] = {}
        self._woken: set[SessionId] = set()
        self._stopped = False

    def holds(self, session: SessionId) -> bool:
        """Whether this node has the session's mailbox."""
        return session in self._boxes

    def session(self, session: SessionId) -> Session | None:
        """One of them; None for a session that is not held here."""
        box = self._boxes.get(session)
        return box.session if box is not None else None

    def sessions(self) -> list[Session]:
        """The sessions held here, as they stand."""
        return [box.session for box in self._boxes.values()]

    def wake(self, session: SessionId) -> None:
        """The session's log may have grown."""
        if self._stopped:
            return
        self._woken.add(session)
        if session not in self._running:
            task = asyncio.create_task(self._drain(session), name=f"mailbox {session}")
            self._running[session] = task

    async def follow(self, entry: Entry) -> None:
        """See `gateway.feed`."""
        self.hint(entry)

    def hint(self, entry: Entry) -> None:
        """An event was committed somewhere: wake the mailbox if it is here and has not seen it."""
        box = self._boxes.get(entry.session)
        if box is not None and entry.version > box.session.version:
            self.wake(entry.session)

    def drop_all(self) -> None:
        """Let go of everything, and claim again what no other node has taken: this one may be thought dead."""
        dropped = list(self._boxes)
        self._boxes.clear()
        for session in dropped:
            self.wake(session)

    async def stop(self) -> None:
        """End every task; what is not absorbed is another node's to take."""
        self._stopped = True
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _drain(self, session: SessionId) -> None:
        """Absorb until nothing is left. Ends by itself; whatever fails is tried again by the node's sweep."""
        failures = 0
        try:
            while session in self._woken:
                self._woken.discard(session)
                try:
                    await self._absorb_all(session)
                    failures = 0
                except VersionConflict:
                    failures += 1
                    await self._try_again(session, failures if failures > GROWTHS else 0)
                except StoreUnavailable as error:
                    failures += 1
                    log.warning("mailbox waits", extra={"session": session, "why": type(error).__name__})
                    await self._try_again(session, failures)
                except StaleFence:
                    self._boxes.pop(session, None)
        except Exception:  # a task's top: one session's failure is not the others'
            self._boxes.pop(session, None)
            log.exception("mailbox failed", extra={"session": session})
        finally:
            self._running.pop(session, None)
            if session in self._woken and not self._stopped:
                self.wake(session)

    async def _try_again(self, session: SessionId, failures: int) -> None:
        """At once where the log has only grown; else after a pause, from what the store says."""
        if failures:
            self._boxes.pop(session, None)
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])
        self._woken.add(session)

    async def _absorb_all(self, session_id: SessionId) -> None:
        box = self._boxes.get(session_id) or await self._claim(session_id)
        while box is not None:
            entries = await chronicle(self._store.log, session_id, after=box.session.version)
            if not entries:
                break
            await self._absorb(box, entries)
        if box is not None and box.session.phase is Phase.CLOSED:
            self._boxes.pop(session_id, None)

    async def _claim(self, session_id: SessionId) -> _Box | None:
        mailbox = await self._store.mailboxes.claim(session_id, self._node)
        if mailbox is None:
            return None
        box = self._boxes[session_id] = _Box(mailbox.session, mailbox.fence)
        await self._perform_all(box, mailbox.pending)
        return box

    async def _absorb(self, box: _Box, entries: Sequence[Entry]) -> None:
        session = box.session
        changes: list[QueueChange] = []
        effects: list[tuple[str, LegEffect]] = []
        for entry in entries:
            session, wanted = machine.advance(session, entry.event, self._rules)
            for index, effect in enumerate(wanted):
                if isinstance(effect, LegEffect):
                    effects.append((f"{session.version}.{index}", effect))
                else:
                    changes.append(effect)
        await self._store.mailboxes.absorb(
            Commit(session, box.session.version, box.fence, tuple(changes), tuple(effects))
        )
        box.session = session
        await self._perform_all(box, effects)

    async def _perform_all(self, box: _Box, effects: Sequence[tuple[str, LegEffect]]) -> None:
        if not effects:
            return
        for name, effect in effects:
            await self.perform(box.session, name, effect)
        await self._store.mailboxes.performed(box.session.id, box.fence, [name for name, _ in effects])
