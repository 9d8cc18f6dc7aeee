"""What the two ends of a call agree on of sound while it runs: re-offers of theirs, refreshes of ours (RFC 3264)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from channels.phone.call import Call
from session.audio import AudioSession, Slot
from session.errors import YihaoError


class Agreeing:
    """`turn` is the lock under which the audio session is spoken to."""

    def __init__(self, audio: AudioSession, turn: asyncio.Lock) -> None:
        self._audio, self._turn = audio, turn

    async def answer(self, call: Call, slot: Slot, offer: bytes | None) -> bool:
        """Answer a re-INVITE or UPDATE; what cannot be agreed leaves the session as it was, and gives False."""
        try:
            async with self._turn:
                body = await (self._audio.answer(slot, offer) if offer else self._audio.offer(slot))
            call.accept_reoffer(body)
        except YihaoError:
            call.refuse_reoffer(488)
            return False
        return True

    async def refresh(self, call: Call, slot_now: Callable[[], Slot]) -> None:
        """Offer anew what there is. What is refused leaves the session its time, which its timer watches."""

        async def offer() -> bytes:
            async with self._turn:
                return await self._audio.offer(slot_now())

        with suppress(YihaoError):
            answer = await call.reinvite(offer)
            async with self._turn:
                await self._audio.accept(slot_now(), answer)

    async def take(self, call: Call, slot: Slot, answer: bytes) -> None:
        """The ACK brought the answer to an offer of ours; without one that fits there is no call."""
        try:
            async with self._turn:
                await self._audio.accept(slot, answer)
        except YihaoError:
            call.hang_up()
