"""What a call has to tell the core, in order, told again until the store has it."""

from __future__ import annotations

import asyncio

from channels.phone.tidings import Tidings
from session.events import Event
from session.ids import SessionId
from session.ports import Inbox, SessionGone, StoreUnavailable


class Outbox:
    """One call's events on their way. A call lasts through an outage of the store; what it tells waits here."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._waiting: Tidings[tuple[SessionId, Event, str | None]] = Tidings()
        self._untold = 0
        self._all_told = asyncio.Event()
        self._all_told.set()

    def put(self, session: SessionId, event: Event, dedupe: str | None = None) -> None:
        """Tell in turn; `dedupe` makes a repetition harmless."""
        self._untold += 1
        self._all_told.clear()
        self._waiting.put((session, event, dedupe))

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            session, event, dedupe = await self._waiting.get()
            await self._tell(session, event, dedupe)
            self._untold -= 1
            if not self._untold:
                self._all_told.set()

    async def drained(self) -> None:
        """Wait until all has been told."""
        await self._all_told.wait()

    async def _tell(self, session: SessionId, event: Event, dedupe: str | None) -> None:
        while True:
            try:
                await self._inbox.post(session, event, dedupe=dedupe)
            except StoreUnavailable as trouble:
                await asyncio.sleep(trouble.retry_after_s or 1.0)
            except SessionGone:
                return
            else:
                return
