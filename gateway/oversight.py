"""What a supervisor may do with calls that are others': see which run now, and be called to one of them (班长席)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway import desk_view
from gateway.chronicle import chronicle
from gateway.staff import Staff
from queueing.contract import Store
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from rulebook.roles import Permission
from session.events import Event, SessionTakenOver, SupervisionChanged, SupervisionEnded, SupervisionRequested
from session.ids import AssigneeId, SessionId
from session.ports import Inbox
from session.state import AssigneeKind, Medium, Party, Phase, Session, Supervision

MOST_CALLS = 500


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call on which an agent and a citizen talk. `supervisor` does `what` with it; empty where nobody does."""

    session: SessionId
    agent: AssigneeId
    queue: str
    citizen: str
    since: float
    supervisor: str = ""
    what: str = ""


class Oversight:
    """Over all nodes: what runs is read from the store, what is asked goes through the session's log."""

    def __init__(self, store: Store, inbox: Inbox, staff: Staff) -> None:
        self._store, self._inbox, self._staff = store, inbox, staff

    async def calls(self) -> list[LiveCall]:
        """Every call that runs, the longest first; at most `MOST_CALLS`."""
        talking = [
            charge.session
            for view in await self._store.queue.roster()
            if view.profile.kind is AssigneeKind.AGENT
            for charge in view.charges
            if charge.medium is Medium.VOICE and charge.state == "engaged"
        ]
        found = await asyncio.gather(*(self._call(session) for session in talking[:MOST_CALLS]))
        return sorted((call for call in found if call is not None), key=lambda call: call.since)

    async def ask(
        self, by: AssigneeId, session_id: SessionId, what: Supervision, *, dedupe: str | None = None
    ) -> int | Refusal:
        """Note that a supervisor wants this of a call; gives the event's version. The call itself then answers."""
        if not await self._staff.may(by, Permission.SUPERVISE):
            return Refusal("forbidden")
        session = await self._store.log.open_session_of(session_id)
        if session is None or not _talks(session) or session.assignee == by:
            return Refusal("no_call")
        if what is not Supervision.LEAVE and not await self._has_telephone(by):
            return Refusal("no_phone")
        return await self._inbox.post(session_id, SupervisionRequested(by=by, what=what), dedupe=dedupe)

    async def _has_telephone(self, by: AssigneeId) -> bool:
        try:
            return Medium.VOICE in (await self._store.queue.view(by)).reachable
        except UnknownAssignee:
            return False

    async def _call(self, session_id: SessionId) -> LiveCall | None:
        session = await self._store.log.open_session_of(session_id)
        if session is None or session.assignee is None or not _talks(session):
            return None
        supervised = ("", "")
        if session.live_legs(Party.SUPERVISOR):
            entries = await chronicle(self._store.log, session_id)
            supervised = supervision([entry.event for entry in entries])
        return LiveCall(
            session=session.id,
            agent=session.assignee,
            queue=session.demand.queue,
            citizen=desk_view.masked(session.citizen),
            since=session.opened_at,
            supervisor=supervised[0],
            what=supervised[1],
        )


def supervision(events: Sequence[Event]) -> tuple[str, str]:
    """Who supervises after these events, and how; empty where nobody does."""
    for event in reversed(events):
        match event:
            case SupervisionChanged():
                return event.by, event.what.value
            case SupervisionEnded() | SessionTakenOver():
                return "", ""
    return "", ""


def _talks(session: Session) -> bool:
    called = session.voice_leg(Party.CITIZEN) is not None and session.voice_leg(Party.ASSIGNEE) is not None
    return session.phase is Phase.ACTIVE and called
