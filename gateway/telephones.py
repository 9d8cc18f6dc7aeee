"""What it means to the queue that an agent's telephone is registered, and what an agent chooses by it."""

from __future__ import annotations

from contextlib import suppress

from gateway.parking import FETCH, Parking
from gateway.staff import Staff
from queueing.contract import Presence, Store
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from session.ids import AssigneeId
from session.state import Medium

VIA = "telephone"
READY, OFF_DUTY = "ready", "off_duty"


class TelephonesReach:
    """The `session.ports.Reachability` of the registrar, and the `Choices` of who has nothing but a softphone."""

    def __init__(self, store: Store, staff: Staff, parking: Parking, *, ready_on_register: bool, ttl_s: float) -> None:
        self._parking = parking
        self._store, self._staff, self._ready, self._ttl_s = store, staff, ready_on_register, ttl_s

    async def registered(self, assignee: AssigneeId, *, first: bool) -> None:
        """See the port. Where the setting says so, the first registration after an absence makes them ready."""
        try:
            await self._reach(assignee)
        except UnknownAssignee:
            await self._staff.look()  # the account may be younger than the last look
            with suppress(UnknownAssignee):  # an account that was taken away a moment ago
                await self._reach(assignee)
                first = True
        if first and self._ready:
            with suppress(UnknownAssignee):
                await self._staff.present(assignee, Presence.READY)

    async def _reach(self, assignee: AssigneeId) -> None:
        await self._store.queue.reach(assignee, VIA, frozenset({Medium.VOICE}), ttl_s=self._ttl_s)

    async def unregistered(self, assignee: AssigneeId) -> None:
        """See the port."""
        with suppress(UnknownAssignee):
            await self._store.queue.reach(assignee, VIA, frozenset(), ttl_s=self._ttl_s)

    async def choose(self, assignee: AssigneeId, what: str) -> bool:
        """See the port. Off duty is off; every other reason is a break's."""
        if what.startswith(FETCH):
            return not isinstance(await self._parking.fetch(what.removeprefix(FETCH), assignee), Refusal)
        presence = {READY: Presence.READY, OFF_DUTY: Presence.OFF}.get(what, Presence.BREAK)
        try:
            await self._staff.present(assignee, presence, "" if what == READY else what)
        except UnknownAssignee:
            return False
        return True
