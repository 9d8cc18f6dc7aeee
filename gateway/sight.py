"""Which agents may see a session (最小必要): who had it, and whose role sees all; for others it is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from accounts.agent import Agent
from rulebook.roles import Permission
from session import machine
from session.events import (
    CallBegun,
    CallPassedOn,
    Event,
    NoteAdded,
    OfferAccepted,
    OfferMade,
    SessionTakenOver,
)
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from session.state import Session

Timeline = Callable[[SessionId], Awaitable[list[Entry]]]
May = Callable[[Agent, Permission], bool]


class Sight:
    """Asked of every route that shows something of a session."""

    def __init__(self, timeline: Timeline, may: May) -> None:
        self._timeline, self._may = timeline, may

    async def may_see(self, agent: Agent, session: SessionId, entries: Sequence[Entry] | None = None) -> bool:
        """Whether they have, or had, the session, or may see all."""
        if self._may(agent, Permission.SEE_ALL):
            return True
        if entries is None:
            entries = await self._timeline(session)
        return any(came_to(one.event) == agent.login for one in entries)

    async def may_read(self, agent: Agent, session: SessionId, entries: Sequence[Entry]) -> bool:
        """What is written of a session is also for those whom a note of whoever had it names; its sound is not."""
        named = (one.event.mentions for one in entries if isinstance(one.event, NoteAdded))
        return any(agent.login in names for names in named) or await self.may_see(agent, session, entries)

    async def timeline(self, session: SessionId) -> list[Entry]:
        """A session's whole timeline, live or from history; for whoever has been asked about already."""
        return await self._timeline(session)

    async def seen(self, agent: Agent, session: SessionId) -> tuple[Session, list[Entry]] | None:
        """The session and its timeline; None where there is none that this agent may see."""
        entries = await self._timeline(session)
        if not entries or not await self.may_see(agent, session, entries):
            return None
        return machine.replay(session, (entry.event for entry in entries)), entries


def came_to(event: Event) -> AssigneeId | None:
    """Whose a session is from that event on: they took it, began it, or it was left to them."""
    match event:
        case OfferAccepted():
            return event.assignee
        case CallBegun():
            return event.by
        case CallPassedOn():
            return event.to
    return None


def comes_to(event: Event) -> AssigneeId | None:
    """Whom an event lets a session come to, who did not have it."""
    match event:
        case OfferMade():
            return event.assignee
        case SessionTakenOver() | CallBegun():
            return event.by
        case CallPassedOn():
            return event.to
    return None
