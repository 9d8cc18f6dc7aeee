"""Transfers that agents ask for by their telephones (REFER): the desk's own rules, without the desk."""

from __future__ import annotations

from gateway.destinations import Destinations
from gateway.parking import FETCH, Parking, codes
from queueing.contract import Store
from realtime.peer import Refusal
from session.ids import AssigneeId, SessionId
from session.ports import Inbox, SessionGone, Telephones
from session.state import Phase

WHY = "电话转接"
"""What stands in the timeline: a telephone says no reason."""


class TelephoneHandover:
    """The `session.ports.Handover` of the telephone."""

    def __init__(
        self, store: Store, telephones: Telephones, inbox: Inbox, parking: Parking, park_code: str = ""
    ) -> None:
        self._parking, self._park_code = parking, park_code
        self._store, self._telephones, self._inbox = store, telephones, inbox
        self._destinations = Destinations(store.queue)

    async def hand_on(self, session: SessionId, by: AssigneeId, target: str) -> str:
        """See the port. Only who has the session hands it on."""
        held = await self._store.log.open_session_of(session)
        if held is None or held.phase is not Phase.ACTIVE or held.assignee != by:
            return "not_yours"
        place = codes(self._park_code).get(target, "").removeprefix(FETCH)
        if place:
            parked = await self._parking.park(session, by, place=place)
            return parked.code if isinstance(parked, Refusal) else ""
        colleague = await self._telephones.credential(target)
        to, queue = (colleague.login, "") if colleague is not None else ("", target)
        event = await self._destinations.transfer(by, held.demand, to=to, queue=queue, why=WHY)
        if isinstance(event, Refusal):
            return event.code
        try:
            await self._inbox.post(session, event)
        except SessionGone:
            return "not_yours"
        return ""
