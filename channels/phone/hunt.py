"""Calling a number outside: one way after the other (trunk hunting), until one answers or speaks of the number."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import ExitStack

from channels.phone.call import Answered, EndCause, Ended
from channels.phone.call import Ringing as Progress
from channels.phone.ladder import Ladder
from channels.phone.outgoing import OutgoingCall
from channels.phone.ports import BridgePorts
from channels.phone.sip.address import NameAddress
from channels.phone.trunk import TrunkUnreachable, Way
from session.address import Address
from session.audio import AudioSession, Slot
from session.errors import YihaoError
from session.ports import Contact

log = logging.getLogger(__name__)

_OVERLOADED = 503
_ELSEWHERE = {500, 502, _OVERLOADED, 504}
_UNHEARD_S = 4.0
"""Without as much as a 100 (RFC 3261 repeats the INVITE for 32 s): another way is tried."""

Progressed = Callable[[bool], Awaitable[None]]
"""Told that the far end rings; whether its own sound is there to be heard already (early media)."""


class Hunt:
    """One number, for one slot of the call that `contact` is of."""

    def __init__(
        self,
        ports: BridgePorts,
        audio: AudioSession,
        turn: asyncio.Lock,
        slot: Slot,
        contact: Contact,
        ladder: Ladder,
    ) -> None:
        self.call: OutgoingCall | None = None
        """The attempt that runs, or the last one."""
        self._ports, self._audio, self._turn, self._slot = ports, audio, turn, slot
        self._contact, self._ladder = contact, ladder
        self._has_progressed = False

    async def reach(
        self, address: Address, carried: ExitStack, progressed: Progressed
    ) -> Ended | tuple[OutgoingCall, Answered]:
        """Try one way after the other; `carried` holds the room in the trunk of the one that carries the call."""
        ways = await self._ways(address)
        end = Ended(EndCause.LOST)
        for turn, way in enumerate(ways, 1):
            carried.close()
            if way.carrier is not None:
                carried.enter_context(way.carrier.carrying())
            call = self.call = await self._invite(way)
            decided = await self._try(call, way, progressed)
            if isinstance(decided, Answered):
                return call, decided
            end = decided
            if turn == len(ways) or not self._goes_elsewhere(end):
                break
            self._ladder.note("another way is tried", f"after {end.status}")
        return end

    async def agree(self, answer: bytes) -> None:
        """Take what a far end that picked up says of sound. Raises `YihaoError`."""
        if answer:
            async with self._turn:
                # Where early media was agreed on, this answer takes its place.
                await self._audio.offer(self._slot)
                await self._audio.accept(self._slot, answer)

    async def _ways(self, address: Address) -> list[Way]:
        """None where there is none."""
        try:
            return await self._ports.trunk.ways_to(address, self._ports.endpoint.now)
        except TrunkUnreachable as trouble:
            log.warning("no way to a number", extra={"leg": self._contact.leg, "why": str(trouble)})
            return []

    async def _try(self, call: OutgoingCall, way: Way, progressed: Progressed) -> Answered | Ended:
        """By one way, until it is decided."""
        patience = asyncio.get_running_loop().call_later(_UNHEARD_S, call.give_up_unheard)
        end: Answered | Ended | None = None
        try:
            end = await self._follow(call, progressed)
        finally:
            patience.cancel()
            if not isinstance(end, Answered):
                call.hang_up()
        if way.carrier is not None and isinstance(end, Ended):
            if end.cause is EndCause.LOST:
                self._ports.carriers.unheard(way.carrier, way.flow)
            elif end.status == _OVERLOADED:
                self._ports.carriers.refused(way.carrier, way.flow)
        return end

    def _goes_elsewhere(self, end: Ended) -> bool:
        """RFC 3263, section 4.3: no answer, or one that speaks of the trunk and not of the number."""
        if self._has_progressed:
            return False
        return end.cause is EndCause.LOST or end.status in _ELSEWHERE

    async def _invite(self, way: Way) -> OutgoingCall:
        async with self._turn:
            offer = await self._audio.offer(self._slot, self._ports.secrecies.offering(way.flow))
        ports = self._ports
        caller = ports.trunk.caller(self._contact.number, ports.endpoint.bound, way)
        there = way.carrier.settings if way.carrier is not None else None
        return ports.endpoint.call(
            way.flow,
            way.target,
            caller=caller,
            callee=NameAddress(way.target.bare()),
            body=offer,
            extra=(("P-Asserted-Identity", str(caller)),),
            ladder=self._ladder,
            peer=self._slot.value,
            login=there.login if there is not None else None,
            codecs=there.codecs if there is not None else (),
        )

    async def _follow(self, call: OutgoingCall, progressed: Progressed) -> Answered | Ended:
        """How it goes, until it is decided (RFC 3261, section 13.2.2; RFC 3960)."""
        has_sound = False
        async for event in call:
            match event:
                case Progress(body=body):
                    self._has_progressed = True
                    has_sound = has_sound or await self._early(body)
                    await progressed(has_sound)
                case Answered() | Ended():
                    return event
                case _:
                    pass
        return Ended(EndCause.LOST)

    async def _early(self, body: bytes) -> bool:
        """The network's own tones and words (183): they say more than ours would. Whether there are any."""
        if not body:
            return False
        try:
            async with self._turn:
                await self._audio.accept(self._slot, body)
        except YihaoError:
            return False
        return True
