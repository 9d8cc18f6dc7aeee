"""Calling somebody of ours to a citizen's call: their registered telephones, with a slot of its audio on offer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import quote

from channels.phone.number import ANONYMOUS, SCHEMES
from channels.phone.ports import BridgePorts
from channels.phone.ringing import NoAnswer, PickedUp, Ringing
from channels.phone.sip.address import NameAddress
from channels.phone.sip.uri import Uri
from session.address import Address
from session.audio import AudioSession, Secrecy, Slot
from session.ids import SessionId
from session.ports import Binding, StoreUnavailable, Verdict

_LEASE_GRACE_S = 1.0


class Summons:
    """`turn` is the lock under which the audio session is spoken to; `citizen` is who is shown as the caller."""

    def __init__(self, ports: BridgePorts, audio: AudioSession, turn: asyncio.Lock, citizen: Address) -> None:
        self._ports, self._audio, self._turn, self._citizen = ports, audio, turn, citizen

    async def ring(self, ringing: Ringing, slot: Slot, until: float) -> PickedUp | NoAnswer | None:
        """Ring until a time by the store's clock; None where nobody picked up by then, or the store is away."""
        try:
            extension = await self._ports.telephones.extension_of(ringing.assignee)
            bindings = await self._ports.registrar.bindings(extension) if extension else ()
            left_s = until - await self._ports.shared.now()
        except StoreUnavailable:
            return None
        bindings, secrecy = self._ports.secrecies.chosen(bindings)
        return await self._invite(ringing, slot, bindings, secrecy, max(0.0, left_s))

    async def call_back(
        self, ringing: Ringing, slot: Slot, page: Binding, within_s: float
    ) -> PickedUp | NoAnswer | None:
        """Call a page back into the call that it was in; None where it does not answer in time."""
        return await self._invite(ringing, slot, (page,), Secrecy.PAGE, within_s)

    async def _invite(
        self, ringing: Ringing, slot: Slot, bindings: tuple[Binding, ...], secrecy: Secrecy, within_s: float
    ) -> PickedUp | NoAnswer | None:
        async with self._turn:
            offer = await self._audio.offer(slot, secrecy)
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await ringing.run(bindings, self._shown_caller(), offer)
        return None

    async def accept(self, session: SessionId, ringing: Ringing, lease_until: float) -> Verdict:
        """The core's verdict on a telephone that was picked up; asked again while the store is away, as long as the
        offer can stand.
        """
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + _LEASE_GRACE_S
        with suppress(StoreUnavailable):
            gives_up += max(0.0, lease_until - await self._ports.shared.now())
        while True:
            try:
                return await self._ports.inbox.accept(session, ringing.assignee, ringing.token)
            except StoreUnavailable as trouble:
                pause_s = trouble.retry_after_s or 1.0
                if loop.time() + pause_s > gives_up:
                    return Verdict.EXPIRED
                await asyncio.sleep(pause_s)

    async def decline(self, session: SessionId, ringing: Ringing, why: NoAnswer) -> None:
        """The device refuses for its agent. Where the store is away the lease runs out instead."""
        with suppress(StoreUnavailable):
            await self._ports.inbox.decline(session, ringing.assignee, ringing.token, why)

    def _shown_caller(self) -> NameAddress:
        """The citizen's number as the agent's telephone shows it; hidden where the citizen hid it, or has none."""
        host, port = self._ports.endpoint.bound
        if self._citizen.scheme == ANONYMOUS:
            return NameAddress(Uri("sip", "anonymous.invalid", "anonymous"), "Anonymous")
        if self._citizen.scheme not in SCHEMES:  # another channel's name for them, which says nothing to people
            return NameAddress(Uri("sip", host, self._citizen.scheme, port=port))
        user = quote(self._citizen.identifier.partition("@")[0], safe="+")
        return NameAddress(Uri("sip", host, user, port=port))
