"""The two sides of a channel under test: the core's inbox, which can be away, and whoever comes by it.

Each channel's tests have a `far_end.py` with `opened`, which the contract's suite finds and runs.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from channels.contract import Channel
from gateway.inbox import StoreInbox
from queueing.memory import MemoryStore
from session.events import Event
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Admission, Contact, StoreUnavailable, Verdict

NODE = NodeId("node")


@dataclass
class Door:
    """The inbox of a real core on a store in memory, which can be away."""

    inbox: StoreInbox
    is_away: bool = False
    asked: int = 0
    came: list[Contact] = field(default_factory=list)

    async def open(self, contact: Contact) -> Admission:
        self._reach()
        admission = await self.inbox.open(contact)
        self.came.append(contact)
        return admission

    async def post(self, session: SessionId, event: Event, *, dedupe: str | None = None, **beside: Any) -> int:
        self._reach()
        return await self.inbox.post(session, event, dedupe=dedupe, **beside)

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        self._reach()
        return await self.inbox.accept(session, assignee, token)

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        self._reach()
        return await self.inbox.decline(session, assignee, token, reason)

    def _reach(self) -> None:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")


@dataclass
class FarEnd:
    """A channel that serves, and its citizens."""

    channel: Channel
    door: Door
    store: MemoryStore
    citizen: Callable[[], AbstractAsyncContextManager[None]]
    """Somebody comes, and stays until the end of the block."""
    knock: Callable[[], Awaitable[int]]
    """Somebody tries to come; the status that they are answered."""


Opens = Callable[[Door, MemoryStore, Path], AbstractAsyncContextManager[FarEnd]]
"""What `opened` of a `far_end.py` is."""
