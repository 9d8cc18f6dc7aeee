"""What it means to the queue that an agent's telephone is registered."""

from __future__ import annotations

from queueing.contract import Presence, Store
from queueing.errors import UnknownAssignee
from session.ids import AssigneeId
from session.state import Medium

VIA = "telephone"


class TelephonesReach:
    """The `session.ports.Reachability` of the registrar."""

    def __init__(self, store: Store, *, ready_on_register: bool, ttl_s: float) -> None:
        self._store, self._ready, self._ttl_s = store, ready_on_register, ttl_s

    async def registered(self, assignee: AssigneeId, *, first: bool) -> None:
        """See the port. Where the setting says so, the first registration after an absence makes them ready."""
        try:
            await self._store.queue.reach(assignee, VIA, frozenset({Medium.VOICE}), ttl_s=self._ttl_s)
            if first and self._ready:
                await self._store.queue.present(assignee, Presence.READY)
        except UnknownAssignee:
            return  # an account that was taken away a moment ago

    async def unregistered(self, assignee: AssigneeId) -> None:
        """See the port."""
        try:
            await self._store.queue.reach(assignee, VIA, frozenset(), ttl_s=self._ttl_s)
        except UnknownAssignee:
            return
