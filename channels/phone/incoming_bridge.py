"""A call that a citizen has made: answered once the core has it, or kept while the store is away (law 12)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from weakref import proxy

from channels.phone.bridge import Bridge
from channels.phone.call import Call, EndCause
from channels.phone.incoming import IncomingCall
from channels.phone.load import Seat
from channels.phone.parting import who_ended
from channels.phone.ports import BridgePorts
from channels.phone.waiting import Kept, WaitingRoom
from channels.phone.way_out import WayOut
from session.audio import Announcement, AudioSession, Slot
from session.errors import YihaoError
from session.ids import LegId, RecordingId
from session.ports import Contact
from session.state import LegEnd

_APOLOGY_S = 15.0
_SAID_AGAIN_S = 20.0
"""Who is kept hears so again, and not music alone for minutes: they may have missed it, as on a bad line."""


class ComingBridge(Bridge):
    """A call that somebody makes to us."""

    def __init__(self, ports: BridgePorts, contact: Contact, audio: AudioSession, call: Call | None = None) -> None:
        super().__init__(ports, contact, audio, call)
        # Only where the store could not stamp the arrival is the node's own clock taken (law 11).
        self._arrived_at = time.time()
        self._way_out = WayOut(proxy(self), audio, self._audio_turn, self._taping, contact.leg, ports.recording_path)

    async def _enter(self, room: WaitingRoom) -> Kept:
        """The store is away: a place in the room, which is on disk when it is given."""
        return await room.enter(replace(self.contact, arrived_at=self._arrived_at))

    async def _be_kept(self, room: WaitingRoom, kept: Kept) -> None:
        """Say so, wait with the caller, and let them go with an apology if it stays away."""
        saying = asyncio.create_task(self._say_that_they_are_kept())
        try:
            self.session = await room.wait(kept)
        finally:
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)
        if self.session is None and not self.is_over:
            await self.play((Announcement("apology"),), music=False)
            with suppress(TimeoutError):
                async with asyncio.timeout(_APOLOGY_S):
                    await self._played.wait()
            self.hang_up(LegEnd.CLOSED)

    async def _say_that_they_are_kept(self) -> None:
        while True:
            await self.play((Announcement("store_down"),), music=True)
            await asyncio.sleep(_SAID_AGAIN_S)

    @property
    def is_talking(self) -> bool:
        """Somebody has come on the line."""
        return self.is_joined

    async def say(self, items: Sequence[Announcement]) -> None:
        """Let the caller hear announcements; returns at their end."""
        await self.play(items, music=False)
        await self._played.wait()

    def let_go(self, items: Sequence[Announcement]) -> None:
        """Say that, and hang up."""
        self._way_out.let_go(items)

    def take_message(self, recording: RecordingId, longest_s: float) -> None:
        """Ask for a voice message, and record it."""
        self._way_out.take_message(recording, longest_s)

    async def _leave(self) -> None:
        """As every call; a message that is being left stands in the log before the end of its call."""
        await self._way_out.close()
        await super()._leave()

    def _pressed(self, leg: LegId, digit: str, way: str) -> None:
        """As on every call; a key that ends a message chooses nothing."""
        if leg != self.contact.leg or not self._way_out.is_taking:
            super()._pressed(leg, digit, way)
        elif self._presses.is_new(digit, way):
            self._way_out.pressed()


class IncomingBridge(ComingBridge):
    """`serve` lasts as long as the call, and until everything about it has been told."""

    def __init__(
        self,
        ports: BridgePorts,
        call: IncomingCall,
        contact: Contact,
        audio: AudioSession,
        seat: Seat,
        bury: Callable[[], Awaitable[None]],
    ) -> None:
        """`bury` ends the calls from this number that nobody holds any more: the core must know before this one."""
        super().__init__(ports, contact, audio, call)
        self._incoming = call
        self._seat = seat
        self._bury = bury

    async def serve(self, room: WaitingRoom) -> None:
        """Answer the call once the core has it, or once it is known that the store is away; then see it through.

        The sound is prepared meanwhile. A call that has none after all is refused at once, and is to the core one that
        was over before it was answered.
        """
        keeping: asyncio.Task[None] | None = None
        async with self._living() as background:
            describing = asyncio.create_task(self._answer_offer())
            try:
                kept = await self._be_admitted(room)
            finally:
                body = await describing
            if body is not None and not self.is_over:
                self._incoming.answer(body)
            if kept is not None:
                keeping = asyncio.create_task(self._be_kept(room, kept))
                background.append(keeping)
            ended = await self._hear_watched(self._incoming, self.contact.leg)
            if ended.cause is EndCause.LOST:
                self._end = LegEnd.LOST
            self.ladder.note("over", who_ended(ended, "the caller", self._end))
            self._played.set()
            await room.leave(self.contact.leg, owed=self._end is LegEnd.NODE_LOST)
            if keeping is not None:
                await keeping

    async def _be_admitted(self, room: WaitingRoom) -> Kept | None:
        """Become a session; or, while the store is away, have a place in the room."""
        await self._bury()
        self.session = await room.admit(self.contact)
        self.ladder.note("session", self.session or "kept: the store is away")
        return await self._enter(room) if self.session is None else None

    async def _answer_offer(self) -> bytes | None:
        """Our SDP for the 200; None when nothing can be agreed on, which the caller is told."""
        secrecies, flow = self._ports.secrecies, self._incoming.flow
        try:
            async with self._audio_turn:
                if self._incoming.offer is None:
                    return await self._audio.offer(Slot.CITIZEN, secrecies.offering(flow))
                return await self._audio.answer(Slot.CITIZEN, self._incoming.offer, secrecies.answering(flow))
        except YihaoError as refused:
            if refused.retryable:
                self._incoming.refuse(503, (("Retry-After", str(int(refused.retry_after_s or 1))),))
            else:
                self._incoming.refuse(488, (("Warning", '305 yihao "Incompatible media format"'),))
            return None

    def _acknowledged(self, call: Call) -> None:
        if call is self.call:
            self._seat.confirm()
