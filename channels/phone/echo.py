"""A telephone that calls to hear itself (回声测试): whether sound comes from it, and back to it. No session begins."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress

from channels.phone.call import Confirmed, Ended, Reoffered
from channels.phone.incoming import IncomingCall
from channels.phone.secrecy import Secrecies
from session.audio import Audio, AudioSession, Slot
from session.errors import YihaoError

_LONGEST_S = 60.0
_AT_ONCE = 64
_BUSY = (("Retry-After", "5"),)


class Echoes:
    """All that run at once: telephones try themselves, they do not stay."""

    def __init__(self, audio: Audio, secrecies: Secrecies) -> None:
        self._audio, self._secrecies = audio, secrecies
        self._running = 0

    async def answer(self, call: IncomingCall) -> None:
        """Let it hear itself until it hangs up, or for a minute."""
        if self._running >= _AT_ONCE:
            call.refuse(503, _BUSY)
            return
        self._running += 1
        try:
            await self._answer(call)
        finally:
            self._running -= 1
            call.hang_up()

    async def _answer(self, call: IncomingCall) -> None:
        try:
            audio = await self._audio.open(f"echo-{secrets.token_hex(12)}")
        except YihaoError:
            call.refuse(503, _BUSY)
            return
        try:
            call.answer(await self._described(call, audio, call.offer))
            await audio.mix({Slot.CITIZEN: {Slot.CITIZEN: 0.0}})
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_S):
                    await self._follow(call, audio)
        except YihaoError:
            if not call.is_answered:
                call.refuse(488)
        finally:
            await audio.close()

    async def _follow(self, call: IncomingCall, audio: AudioSession) -> None:
        async for event in call:
            match event:
                case Reoffered(offer=offer):
                    call.accept_reoffer(await self._described(call, audio, offer))
                case Confirmed(body=body) if body:
                    await audio.accept(Slot.CITIZEN, body)
                case Ended():
                    return

    async def _described(self, call: IncomingCall, audio: AudioSession, offer: bytes | None) -> bytes:
        if offer is None:
            return await audio.offer(Slot.CITIZEN, self._secrecies.offering(call.flow))
        return await audio.answer(Slot.CITIZEN, offer, self._secrecies.answering(call.flow))
