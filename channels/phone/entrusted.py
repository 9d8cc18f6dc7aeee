"""A page's call that another channel signals.

The core hears of it once the page is heard: a page that offers and never comes costs a port for a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from weakref import proxy

from channels.calls import Caller
from channels.phone.incoming_bridge import ComingBridge
from channels.phone.load import Seat
from channels.phone.page_end import PageEnd
from channels.phone.ports import BridgePorts
from channels.phone.waiting import WaitingRoom
from session.audio import Announcement, AudioSession
from session.ports import Contact
from session.state import LegEnd

_NOTICE = Announcement("recording_notice")


class EntrustedBridge(ComingBridge):
    """`serve` lasts as long as the call, and until everything about it has been told."""

    def __init__(
        self,
        ports: BridgePorts,
        contact: Contact,
        audio: AudioSession,
        caller: Caller,
        seat: Seat,
    ) -> None:
        super().__init__(ports, contact, audio)
        self._caller, self._seat = caller, seat
        self._over = asyncio.Event()
        self.page = PageEnd(proxy(self), audio, self._audio_turn, self._over, leg=contact.leg, node=ports.node)
        self._owes_notice = ports.recording_path is not None

    @property
    def is_over(self) -> bool:
        """The page's end is gone."""
        return self._over.is_set()

    def hang_up(self, reason: LegEnd) -> None:
        """End it, from either side."""
        if not self.is_over:
            self._end = reason
            self._over.set()

    async def play(self, items: Sequence[Announcement], *, music: bool) -> None:
        """As for any call; whoever comes to it from a chat, which has no welcome, hears first that it is recorded."""
        if self._owes_notice:
            self._owes_notice = False
            items = tuple(items) if _NOTICE in items else (_NOTICE, *items)
        await super().play(items, music=music)

    async def serve(self, room: WaitingRoom) -> None:
        """Wait for the page, bring it to the core, and see it through."""
        async with self._living() as background:
            if not await self.page.comes():
                self.hang_up(LegEnd.LOST)
                return
            self._seat.confirm()
            self.session = await room.admit(self.contact)
            self.ladder.note("session", self.session or "kept: the store is away")
            keeping: asyncio.Task[None] | None = None
            if self.session is None:
                keeping = asyncio.create_task(self._be_kept(room, await self._enter(room)))
                keeping.add_done_callback(lambda _: self._tell_admitted())
                background.append(keeping)
            self._tell_admitted()
            if not await self.page.stays():
                self.ladder.note("over", "the page did not come back")
                self.hang_up(LegEnd.LOST)
            self._played.set()
            await room.leave(self.contact.leg, owed=self._end is LegEnd.NODE_LOST)
            if keeping is not None:
                await keeping

    def _tell_admitted(self) -> None:
        if self.session is not None:
            self._caller.admitted(self.session)

    async def _leave(self) -> None:
        self._caller.over(self.contact.leg, self._end)
        await super()._leave()
