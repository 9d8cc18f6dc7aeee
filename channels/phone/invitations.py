"""Calling others to a citizen's call: colleagues, and numbers outside, until they are guests with sound."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import ExitStack

from channels.phone.call import Ended
from channels.phone.guest import Guest
from channels.phone.hunt import Hunt, Progressed
from channels.phone.ladder import Ladder
from channels.phone.outgoing import OutgoingCall
from channels.phone.ports import BridgePorts
from channels.phone.ringing import NoAnswer, PickedUp, Ringing, no_answer
from channels.phone.summons import Summons
from session.address import Address
from session.audio import AudioSession, Slot
from session.errors import YihaoError
from session.ids import AssigneeId, LegId
from session.ports import Contact, StoreUnavailable
from session.state import Party

_RINGS_S = 30.0


class Invitations:
    """To one call. `turn` is the lock under which its audio session is spoken to."""

    def __init__(
        self, ports: BridgePorts, audio: AudioSession, turn: asyncio.Lock, contact: Contact, ladder: Ladder
    ) -> None:
        self._ports, self._audio, self._turn, self._contact, self._ladder = ports, audio, turn, contact, ladder
        self._summons = Summons(ports, audio, turn, contact.address)

    async def call_in(self, assignee: AssigneeId, slot: Slot, party: Party) -> Guest | NoAnswer | None:
        """Call somebody's telephones; None when nobody picked up in time."""
        try:
            until = await self._ports.shared.now() + _RINGS_S
        except StoreUnavailable:
            return None
        guest: Guest | None = None
        ringing = Ringing(
            self._ports.endpoint,
            self._ports.node,
            assignee,
            0,
            self._ladder,
            peer=party.value,
            is_inside=party is Party.THIRD,
        )
        try:
            outcome = await self._summons.ring(ringing, slot, until)
            if not isinstance(outcome, PickedUp):
                return outcome
            guest = await self._come_in(assignee, outcome.call, slot, party, outcome.answer)
            return guest or NoAnswer.REJECTED
        finally:
            if guest is None:
                await self._vacate(slot)

    async def call_out(
        self, number: Address, slot: Slot, party: Party, progressed: Progressed
    ) -> Guest | NoAnswer | None:
        """Call a number outside; None when nobody picked up in time."""
        hunt = Hunt(self._ports, self._audio, self._turn, slot, self._contact, self._ladder)
        guest: Guest | None = None
        carried = ExitStack()
        try:
            async with asyncio.timeout(_RINGS_S):
                end = await hunt.reach(number, carried, progressed)
            if isinstance(end, Ended):
                return no_answer([end.status])
            call, answered = end
            await hunt.agree(answered.body)
            guest = await self._come_in(None, call, slot, party, b"")
            if guest is not None:
                guest.carried = carried
            return guest or NoAnswer.REJECTED
        except TimeoutError:
            return None
        except YihaoError:
            return NoAnswer.UNREACHABLE
        finally:
            if guest is None:
                carried.close()
                if hunt.call is not None:
                    hunt.call.hang_up()
                await self._vacate(slot)

    async def _come_in(
        self, assignee: AssigneeId | None, call: OutgoingCall, slot: Slot, party: Party, answer: bytes
    ) -> Guest | None:
        """Somebody has picked up; None where no sound can be agreed on with them."""
        try:
            if answer:
                async with self._turn:
                    await self._audio.accept(slot, answer)
        except YihaoError:
            call.hang_up()
            return None
        return Guest(assignee, LegId(f"{party.value}-{secrets.token_hex(12)}"), call, slot)

    async def _vacate(self, slot: Slot) -> None:
        async with self._turn:
            await self._audio.drop(slot)
