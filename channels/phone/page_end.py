"""A page's end of a call: there is no dialog to it, so its sound alone says whether it is there.

A socket of the page's may be cut meanwhile, and be there again. Falls the sound silent, the page may be loading anew:
whoever talks to it hears music until it comes back.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from channels.phone.guest import Host
from channels.phone.measuring import received
from session.audio import AudioSession, Secrecy, Slot
from session.events import LegAway, LegBack
from session.ids import LegId, NodeId
from session.state import Mark

COMES_S = 10.0
"""For a page's first sound: checks, a handshake, and people's own networks."""
_LOOK_S = 0.25
_COMES_LOOK_S = 0.05
_SILENT_S = 1.0
"""Fifty packets' worth. A page that is muted sends its silence."""
GRACE_S = 20.0
"""For a page that is silent to be heard again."""


class PageEnd:
    """Of the call that `leg` is, whose `over` is set once it has ended. `turn` is the lock of its audio session."""

    def __init__(
        self, host: Host, audio: AudioSession, turn: asyncio.Lock, over: asyncio.Event, *, leg: LegId, node: NodeId
    ) -> None:
        self._host, self._audio, self._turn, self._over = host, audio, turn, over
        self._leg, self._node = leg, node
        self.is_away = True
        """Nothing of the page is heard, or not yet."""

    async def answer(self, offer: bytes) -> bytes:
        """Our description for the page's, the first one or another. Raises what the engine says of it."""
        async with self._turn:
            return await self._audio.answer(Slot.CITIZEN, offer, Secrecy.PAGE)

    async def comes(self) -> bool:
        """Whether the page is heard in time."""
        for _ in range(round(COMES_S / _COMES_LOOK_S)):
            if await self._received() or self._over.is_set():
                break
            await asyncio.sleep(_COMES_LOOK_S)
        self.is_away = not await self._received()
        return not self.is_away and not self._over.is_set()

    async def stays(self) -> bool:
        """Until the call is over; False where the page has been silent for too long, and is lost."""
        loop = asyncio.get_running_loop()
        count, heard_at = await self._received(), loop.time()
        while not self._over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._over.wait()
            if (now_count := await self._received()) != count:
                count, heard_at = now_count, loop.time()
                await self._go_away(away=False)
            elif loop.time() - heard_at >= GRACE_S:
                return False
            elif loop.time() - heard_at >= _SILENT_S:
                await self._go_away(away=True)
        return True

    async def _received(self) -> int:
        return await received(self._audio, Slot.CITIZEN)

    async def _go_away(self, *, away: bool) -> None:
        """Let whoever talks to the page hear music meanwhile, and the recording and the timeline say so."""
        if away is self.is_away or self._over.is_set():
            return
        self.is_away = away
        async with self._turn:
            await self._audio.hold(Slot.CITIZEN, held=away)
        self._host.tell(LegAway(leg=self._leg) if away else LegBack(leg=self._leg, owner=self._node))
        self._host.mark(Mark.HELD if away else Mark.RESUMED)
