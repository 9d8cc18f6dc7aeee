"""Calls that are set aside at numbered places of the hotline (驻留), and how any agent fetches one of them."""

from __future__ import annotations

from collections.abc import Mapping

from queueing.contract import Log, Presence, Queue, Routing
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from session.events import CallParked, SessionResumed
from session.handling import call_of
from session.ids import AssigneeId, SessionId
from session.ports import Inbox, SessionGone, SharedState
from session.rules import Rules
from session.state import Party, Phase

PLACES = tuple(str(number) for number in range(1, 61))
FETCH = "fetch "
"""What an agent chooses by dialling a place, with its number behind it."""
_KEY = "parked-calls"
_SLACK_S = 60.0


def codes(prefix: str) -> dict[str, str]:
    """What agents dial to fetch a call, `*507` from place 7, and what they choose by it; nothing where it is empty."""
    return {f"{prefix}{place:>02}": f"{FETCH}{place}" for place in PLACES} if prefix else {}


class Parking:
    """A place is taken in the state that all nodes share, and free again once its session is not parked any more."""

    def __init__(self, shared: SharedState, log: Log, queue: Queue, inbox: Inbox, rules: Rules) -> None:
        self._shared, self._log, self._queue, self._inbox, self._rules = shared, log, queue, inbox, rules

    async def park(
        self, session_id: SessionId, by: AssigneeId, *, place: str = "", dedupe: str | None = None
    ) -> str | Refusal:
        """Set a call aside, at that place or at any; gives the place. Raises `StoreUnavailable`."""
        session = await self._log.open_session_of(session_id)
        if session is None or session.assignee != by:
            return Refusal("not_yours")
        if call_of(session, by) is None:
            return Refusal("no_call")
        taken = await self._take(session_id, (place,) if place else PLACES)
        if taken is None:
            return Refusal("no_place")
        try:
            await self._inbox.post(session_id, CallParked(by=by, place=taken), dedupe=dedupe)
        except SessionGone:
            return Refusal("not_yours")
        return taken

    async def fetch(self, place: str, by: AssigneeId, *, dedupe: str | None = None) -> int | Refusal:
        """Have a call that is set aside offered to who asks for it; gives the event's version."""
        session_id = (await self.parked()).get(place)
        if session_id is None:
            return Refusal("nobody_parked")
        try:
            view = await self._queue.view(by)
        except UnknownAssignee:
            return Refusal("not_ready")
        if view.presence is not Presence.READY or view.routing is not Routing.READY:
            return Refusal("not_ready")
        try:
            return await self._inbox.post(session_id, SessionResumed(by=by), dedupe=dedupe or f"fetched:{session_id}")
        except SessionGone:
            return Refusal("nobody_parked")

    async def parked(self) -> Mapping[str, SessionId]:
        """Who is set aside, by place."""
        kept = {place: SessionId(name.decode()) for place, name in (await self._shared.fields(_KEY)).items()}
        return {place: session for place, session in sorted(kept.items()) if await self._is_parked(session)}

    async def _take(self, session: SessionId, places: tuple[str, ...]) -> str | None:
        """The first free one of these places."""
        held = await self.parked()
        for place in places:
            if place not in PLACES or place in held:
                continue
            ttl_s = self._rules.call_park_s + _SLACK_S
            if await self._shared.lease(f"park:{place}", session, ttl_s=_SLACK_S) is not None:
                await self._shared.put_field(_KEY, place, session.encode(), ttl_s=ttl_s)
                return place
        return None

    async def _is_parked(self, session_id: SessionId) -> bool:
        session = await self._log.open_session_of(session_id)
        return session is not None and session.phase is Phase.PARKED and session.voice_leg(Party.CITIZEN) is not None
