"""A page's call that another channel signals: there is no dialog to it, so its sound alone says whether it is there.

The core hears of it once the page is heard: a page that offers and never comes costs a port for a few seconds. A socket
of the page's may be cut meanwhile, and be there again. Falls the sound silent, the page may be loading anew: whoever
talks to it hears music until it comes back, and after its grace the call is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from channels.calls import Caller
from channels.phone.incoming_bridge import ComingBridge
from channels.phone.load import Seat
from channels.phone.ports import BridgePorts
from channels.phone.waiting import WaitingRoom
from session.audio import Announcement, AudioSession, Secrecy, Slot
from session.events import LegAway, LegBack
from session.ports import Contact
from session.state import LegEnd, Mark

COMES_S = 10.0
"""For a page's first sound: checks, a handshake, and people's own networks."""
_LOOK_S = 0.25
_COMES_LOOK_S = 0.05
_SILENT_S = 1.0
"""Fifty packets' worth. A page that is muted sends its silence."""
GRACE_S = 20.0
"""For a page that is silent to be heard again."""
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
        self.is_away = True
        """Nothing of the page is heard, or not yet."""
        self._owes_notice = ports.recording_path is not None

    @property
    def is_over(self) -> bool:
        """The page's end is gone."""
        return self._over.is_set()

    async def answer(self, offer: bytes) -> bytes:
        """Our description for the page's, the first one or another. Raises what the engine says of it."""
        async with self._audio_turn:
            return await self._audio.answer(Slot.CITIZEN, offer, Secrecy.PAGE)

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
            if not await self._comes():
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
            await self._watch()
            self._played.set()
            await room.leave(self.contact.leg, owed=self._end is LegEnd.NODE_LOST)
            if keeping is not None:
                await keeping

    def _tell_admitted(self) -> None:
        if self.session is not None:
            self._caller.admitted(self.session)

    async def _comes(self) -> bool:
        """Whether the page is heard in time."""
        for _ in range(round(COMES_S / _COMES_LOOK_S)):
            if await self.received() or self.is_over:
                break
            await asyncio.sleep(_COMES_LOOK_S)
        self.is_away = not await self.received()
        return not self.is_away and not self.is_over

    async def _watch(self) -> None:
        """Until it is over."""
        loop = asyncio.get_running_loop()
        count, heard_at = await self.received(), loop.time()
        while not self.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._over.wait()
            if (now_count := await self.received()) != count:
                count, heard_at = now_count, loop.time()
                await self._go_away(away=False)
            elif loop.time() - heard_at >= GRACE_S:
                self.ladder.note("over", "the page did not come back")
                self.hang_up(LegEnd.LOST)
            elif loop.time() - heard_at >= _SILENT_S:
                await self._go_away(away=True)

    async def _go_away(self, *, away: bool) -> None:
        """Let whoever talks to the page hear music meanwhile, and the recording and the timeline say so."""
        if away is self.is_away or self.is_over:
            return
        self.is_away = away
        async with self._audio_turn:
            await self._audio.hold(Slot.CITIZEN, held=away)
        leg = self.contact.leg
        self.tell(LegAway(leg=leg) if away else LegBack(leg=leg, owner=self._ports.node))
        self.mark(Mark.HELD if away else Mark.RESUMED)

    async def _leave(self) -> None:
        self._caller.over(self.contact.leg, self._end)
        await super()._leave()
