"""A call that we make to a citizen's page: another channel lets it ring, and it takes it by an offer of its own."""

from __future__ import annotations

import asyncio
from weakref import proxy

from channels.calls import Callee
from channels.contract import LegUnknown
from channels.phone.outgoing_bridge import OutgoingBridge
from channels.phone.page_end import PageEnd
from channels.phone.ports import BridgePorts
from session.audio import AudioSession
from session.ports import Contact
from session.state import DialFailure, LegEnd

BACK_WITHIN_S = 6.0
"""For a page that is loaded anew while it rings."""
_LOOK_S = 0.25


class PageCallingBridge(OutgoingBridge):
    """As a call to a number: the agent is on the line first, hears it ring, and learns why nobody came."""

    def __init__(
        self, ports: BridgePorts, contact: Contact, audio: AudioSession, callee: Callee, *, is_taken: bool
    ) -> None:
        super().__init__(ports, contact, audio, is_taken=is_taken)
        self._callee = callee
        self._decided: asyncio.Future[DialFailure | None] = asyncio.get_running_loop().create_future()
        """Why the page did not take it; None once it has."""
        self.page = PageEnd(proxy(self), audio, self._audio_turn, self._over, leg=contact.leg, node=ports.node)

    async def take_up(self, offer: bytes) -> bytes:
        """The page takes it; gives our description. Raises `LegUnknown` where it rings no more."""
        if self._decided.done() or self.is_over:
            raise LegUnknown(self.contact.leg)
        answer = await self.page.answer(offer)
        if self._decided.done() or self.is_over:
            raise LegUnknown(self.contact.leg)
        self._decided.set_result(None)
        return answer

    def refuse(self, why: DialFailure) -> None:
        """The page does not take it, or has taken it in vain."""
        if not self._decided.done():
            self._decided.set_result(why)
        self._fail(why)
        self._over.set()

    def hang_up(self, reason: LegEnd) -> None:
        """From either side; whoever hangs up before the core has them on the line has declined."""
        if reason is LegEnd.HANGUP:
            self._fail(DialFailure.DECLINED)
        super().hang_up(reason)

    async def _reach(self, ring_s: float) -> DialFailure | None:
        refused = self._callee.ring()
        if refused is not None:
            return refused
        await self._progressed(False)
        refused = await self._rings(ring_s)
        if refused is not None:
            return refused
        if not await self.page.comes():
            return DialFailure.UNREACHABLE
        if not await self._greeted(self.page.stays()):
            self.ladder.note("over", "the page did not come back")
            self._end = LegEnd.LOST
        return None if self._is_up else DialFailure.UNREACHABLE

    async def _rings(self, ring_s: float) -> DialFailure | None:
        """Until it is decided, nobody answers for so long, or no page is there any more."""
        loop = asyncio.get_running_loop()
        ends_at, there_at = loop.time() + ring_s, loop.time()
        while not self._decided.done():
            await asyncio.wait((self._decided,), timeout=_LOOK_S)
            now = loop.time()
            there_at = now if self._callee.is_there else there_at
            if not self._decided.done() and (now >= ends_at or now - there_at >= BACK_WITHIN_S):
                self._decided.set_result(DialFailure.NO_ANSWER if now >= ends_at else DialFailure.UNREACHABLE)
        return self._decided.result()

    async def _leave(self) -> None:
        self._callee.over(self._end)
        await super()._leave()
