"""Calls that came while the store was away: kept at this node in arrival order, posted when it is back (law 12)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from channels.phone.debts import Debt, Debts, Fate
from session.events import LegClosed
from session.ids import LegId, SessionId
from session.ports import Contact, Inbox, SessionGone, StoreUnavailable
from session.state import LegEnd, Medium

log = logging.getLogger(__name__)

_RETRY_S = 0.5
_ADOPT_S = 60.0


@dataclass(eq=False)
class Kept:
    """One kept call. `admitted` becomes its session; None where it was let go first."""

    contact: Contact
    admitted: asyncio.Future[SessionId | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def debt(self, fate: Fate) -> Debt:
        """What is noted of it on disk."""
        contact = self.contact
        return Debt(
            leg=contact.leg,
            address=contact.address,
            number=contact.number,
            asserted=contact.asserted,
            arrived_at=contact.arrived_at or 0.0,
            fate=fate,
            channel=contact.channel,
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

    async def enter(self, contact: Contact) -> Kept:
        """Take the next place in line; noted on disk when this returns, so that a node that dies then owes a call back.

        A disk that does not take it in time holds up nobody.
        """
        kept = Kept(contact)
        self._line.append(kept)
        noted = asyncio.ensure_future(self._debts.note(kept.debt(Fate.KEPT)))
        self._came.set()
        await asyncio.wait((noted,), timeout=self._patience_s)
        return kept

    async def wait(self, kept: Kept) -> SessionId | None:
        """Until the store is back. None: kept too long, and owed a call back; or the call ended meanwhile."""
        try:
            async with asyncio.timeout(self._kept_s):
                return await asyncio.shield(kept.admitted)
        except TimeoutError:
            if kept.admitted.done():
                return kept.admitted.result()
            await self._let_go(kept, Fate.OWED)
            return None

    async def leave(self, leg: LegId, *, owed: bool) -> None:
        """The call is over: the caller leaves the line, and `wait` returns. `owed`: it was we who ended it."""
        for kept in [one for one in self._line if one.contact.leg == leg]:
            kept.admitted.set_result(None)
            await self._let_go(kept, Fate.OWED if owed else Fate.GONE)

    async def run(self) -> None:
        """Serve the line, and bring to the core who could not wait, until cancelled."""
        while True:
            await self._debts.adopt()
            while self._line or self._debts.due():
                if not await self._serve():
                    await asyncio.sleep(_RETRY_S)
            self._came.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_ADOPT_S):
                    await self._came.wait()

    async def _serve(self) -> bool:
        """One step, for those first who still wait. False where it led nowhere."""
        try:
            return await (self._admit_first() if self._line else self._settle(self._debts.due()))
        except Exception:  # the task's top: whoever waits is let go after the bound, and owed
            log.exception("kept calls could not be brought to the core")
            return False

    async def _let_go(self, kept: Kept, fate: Fate) -> None:
        """Out of the line, and on disk before anything else is done."""
        self._line.remove(kept)
        log.warning("a call ended while the store was away", extra={"leg": kept.contact.leg, "fate": fate})
        await self._debts.note(kept.debt(fate))
        self._came.set()

    async def _admit_first(self) -> bool:
        kept = self._line[0]
        session = await self._open(kept.contact)
        if session is None:
            return False
        # One who left while the store made up its mind is due now, and settled as such.
        if self._line and self._line[0] is kept:
            self._line.popleft()
            self._debts.strike(kept.contact.leg)
            kept.admitted.set_result(session)
        return True

    async def _open(self, contact: Contact) -> SessionId | None:
        try:
            async with asyncio.timeout(self._patience_s):
                return (await self._inbox.open(contact)).session
        except (StoreUnavailable, TimeoutError):
            return None

    async def _settle(self, due: Sequence[Debt]) -> bool:
        """Tell the core of them, but not while somebody waits. False where the store does not take them."""
        for debt in due:
            if self._line:
                return True
            if not await self._tell(debt):
                return False
            await self._debts.strike(debt.leg)
        return True

    async def _tell(self, debt: Debt) -> bool:
        """Begin the session and end its call in one step, so that nobody is rung for a caller who is not there."""
        # Of the reasons why a leg ends, the one that says it was our fault: the machine then owes a call back.
        reason = LegEnd.HANGUP if debt.fate is Fate.GONE else LegEnd.NODE_LOST
        closed, dedupe = LegClosed(leg=debt.leg, reason=reason), f"closed:{debt.leg}"
        contact = Contact(
            leg=debt.leg,
            channel=debt.channel or self._channel,
            medium=Medium.VOICE,
            address=debt.address,
            number=debt.number,
            asserted=debt.asserted,
            first=closed,
            first_dedupe=dedupe,
            arrived_at=debt.arrived_at,
        )
        session = await self._open(contact)
        if session is None:
            return False
        try:
            # Where an answer of the store was lost, the session was there before, and this is its first word.
            await self._inbox.post(session, closed, dedupe=dedupe)
        except StoreUnavailable:
            return False
        except SessionGone:
            pass
        return True
