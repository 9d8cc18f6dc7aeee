"""Calls that came while the store was away: kept at this node in arrival order, posted when it is back (law 12)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from channels.phone.debts import Debt, Debts
from session.events import LegClosed
from session.ids import LegId, SessionId
from session.ports import Contact, Inbox, SessionGone, StoreUnavailable
from session.state import LegEnd, Medium

log = logging.getLogger(__name__)

_RETRY_S = 0.5


@dataclass(eq=False)
class Kept:
    """One kept call. `admitted` becomes its session; None where it was let go first."""

    contact: Contact
    admitted: asyncio.Future[SessionId | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class WaitingRoom:
    """Asks the store again and again, for the first in line only; the others follow it in their order."""

    def __init__(self, inbox: Inbox, debts: Debts, *, channel: str, kept_s: float, patience_s: float) -> None:
        self._inbox = inbox
        self._debts = debts
        self._channel = channel
        self._kept_s = kept_s
        self._patience_s = patience_s
        self._line: deque[Kept] = deque()
        self._came = asyncio.Event()

    async def admit(self, contact: Contact) -> SessionId | None:
        """The session of a caller, directly; None where the store is away, or others wait for it already."""
        return None if self._line else await self._open(contact)

    def enter(self, contact: Contact) -> Kept:
        """Take the next place in line."""
        kept = Kept(contact)
        self._line.append(kept)
        self._came.set()
        return kept

    async def wait(self, kept: Kept) -> SessionId | None:
        """Until the store is back. None: kept too long, and noted as a debt; or the call ended meanwhile."""
        try:
            async with asyncio.timeout(self._kept_s):
                return await asyncio.shield(kept.admitted)
        except TimeoutError:
            if kept.admitted.done():
                return kept.admitted.result()
            self._line.remove(kept)
            await self._owe(kept.contact)
            return None

    async def leave(self, leg: LegId, *, owed: bool) -> None:
        """The call is over: the caller leaves the line, and `wait` returns. `owed`: it was we who ended it."""
        for kept in [one for one in self._line if one.contact.leg == leg]:
            self._line.remove(kept)
            if owed:
                await self._owe(kept.contact)
            kept.admitted.set_result(None)

    async def run(self) -> None:
        """Serve the line, and bring old debts to the core, until cancelled."""
        await self._settle()
        while True:
            await self._came.wait()
            while self._line:
                if not await self._admit_first():
                    await asyncio.sleep(_RETRY_S)
            self._came.clear()
            await self._settle()

    async def _admit_first(self) -> bool:
        kept = self._line[0]
        session = await self._open(kept.contact)
        if session is None:
            return False
        if self._line and self._line[0] is kept:
            self._line.popleft()
            kept.admitted.set_result(session)
        elif kept.admitted.done():
            # They left while the store made up its mind. One who was let go then is a debt, and settled as such.
            await self._close(session, kept.contact.leg, LegEnd.HANGUP)
        return True

    async def _open(self, contact: Contact) -> SessionId | None:
        try:
            async with asyncio.timeout(self._patience_s):
                return (await self._inbox.open(contact)).session
        except (StoreUnavailable, TimeoutError):
            return None

    async def _owe(self, contact: Contact) -> None:
        await self._debts.note(
            Debt(contact.leg, contact.address, contact.number, contact.asserted, contact.arrived_at or 0.0)
        )
        log.warning("a call was let go: the store is away", extra={"leg": contact.leg})
        self._came.set()

    async def _settle(self) -> None:
        """Make each debt a session that is owed a call back; one that cannot be told now stays on disk."""
        for debt in await self._debts.all():
            contact = Contact(
                leg=debt.leg,
                channel=self._channel,
                medium=Medium.VOICE,
                address=debt.address,
                number=debt.number,
                asserted=debt.asserted,
                arrived_at=debt.arrived_at,
            )
            session = await self._open(contact)
            if session is None:
                await asyncio.sleep(_RETRY_S)
                self._came.set()
                return
            # Of the reasons why a leg ends, the one that says it was our fault: the machine then owes a call back.
            if await self._close(session, debt.leg, LegEnd.NODE_LOST):
                await self._debts.settled(debt.leg)

    async def _close(self, session: SessionId, leg: LegId, reason: LegEnd) -> bool:
        try:
            await self._inbox.post(session, LegClosed(leg=leg, reason=reason), dedupe=f"closed:{leg}")
        except StoreUnavailable:
            return False
        except SessionGone:
            return True
        return True
