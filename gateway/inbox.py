"""How channels reach the core: every method returns only once what it was given is durable."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.ulid import new_ulid
from queueing.contract import NoRoom, Store
from rulebook.routing import Route
from session.belonging import NameClaimed
from session.events import CallBegun, Event, LegOpened, SessionOpened
from session.ids import AssigneeId, NodeId, SessionId
from session.naming import self_given
from session.ports import Admission, Contact, Note, SessionGone, Thread, Verdict
from session.state import HELD_NOWHERE, Leg, Party
from session.ways import Detour, Patience

Judge = Callable[[Contact, Route, float], tuple[Detour | None, Patience | None]]
"""What keeps a contact from a human when it comes, and how long it is to stand in line."""


def _nothing_in_the_way(_: Contact, __: Route, ___: float) -> tuple[Detour | None, Patience | None]:
    return None, None


class StoreInbox:
    """The `session.ports.Inbox` of one node."""

    def __init__(
        self,
        store: Store,
        node: NodeId,
        route: Callable[[Contact, float], Route],
        wake: Callable[[SessionId], None],
    ) -> None:
        self._store, self._node, self._route, self._wake = store, node, route, wake
        self.judge: Judge = _nothing_in_the_way
        """Set once: what stands in a caller's way."""

    async def open(self, contact: Contact) -> Admission:
        """See the port. The routing rules decide where a fresh session stands."""
        at = contact.arrived_at or time.time()
        route = self._route(contact, at)
        detour, patience = self.judge(contact, route, at)
        opened = SessionOpened(
            citizen=contact.address,
            number=contact.number,
            demand=route.demand,
            bot_queue=route.bot_queue,
            language=contact.language,
        )
        leg = Leg(
            id=contact.leg,
            channel=contact.channel,
            medium=contact.medium,
            party=Party.CITIZEN,
            owner=self._node,
            address=contact.address,
            asserted=contact.asserted,
        )
        name, called = self_given(contact.name), f"name:{contact.leg}"
        named = NameClaimed(leg=contact.leg, name=name) if name else None
        first, word = contact.first, contact.first_dedupe
        if first is None and named is not None:
            first, word = named, called
        session, fresh = await self._store.log.open(
            SessionId(new_ulid()),
            self._node,
            opened,
            LegOpened(leg=leg, detour=detour, patience=patience),
            first,
            dedupe=f"leg:{contact.leg}",
            word_dedupe=word,
            at=contact.arrived_at,
            thread=contact.thread,
            notes=contact.notes,
        )
        self._wake(session)
        if named is not None and first is not named:
            with suppress(SessionGone):
                await self.post(session, named, dedupe=called)
        return Admission(session, contact.leg, fresh)

    async def begin(self, contact: Contact, by: AssigneeId, *, is_up: bool, dedupe: str) -> SessionId | NoRoom:
        """Begin a session with a call that an agent makes of their own accord. `is_up`: their telephone is here."""
        route = self._route(contact, time.time())
        opened = SessionOpened(
            citizen=contact.address, number=contact.number, demand=route.demand, language=contact.language, by=by
        )
        begun = CallBegun(
            by=by,
            leg=contact.leg,
            channel=contact.channel,
            address=contact.address,
            token=1,
            node=self._node if is_up else HELD_NOWHERE,
        )
        session = await self._store.log.begin(SessionId(new_ulid()), self._node, opened, begun, dedupe=dedupe)
        if not isinstance(session, NoRoom):
            self._wake(session)
        return session

    async def post(
        self,
        session: SessionId,
        event: Event,
        *,
        dedupe: str | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> int:
        """See the port."""
        version = await self._store.log.append(session, event, dedupe=dedupe, thread=thread, notes=notes)
        self._wake(session)
        return version

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        """See the port."""
        verdict = await self._store.queue.accept(session, assignee, token)
        self._wake(session)
        return verdict

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        """See the port."""
        declined = await self._store.queue.decline(session, assignee, token, reason)
        self._wake(session)
        return declined
