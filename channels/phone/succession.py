"""An agent's place on a citizen's call is taken by their telephone's own doing: it has called somebody and joins the
two (REFER with Replaces), or another telephone comes instead of it (INVITE with Replaces).

Either is a third for a moment, to whom the agent leaves the citizen at once: so the session stays one, its recording
runs on, and the core is told what it is told of a consultation at the desk, but for why.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from channels.phone.call import Call
from channels.phone.guest import Guest
from channels.phone.handling import Handling
from channels.phone.incoming import IncomingCall
from channels.phone.ladder import Ladder
from channels.phone.ports import BridgePorts
from channels.phone.referral import FORBIDDEN, NOT_HERE
from channels.phone.sip.refer import Reference
from channels.phone.third import Third
from session.audio import AudioSession, Slot
from session.errors import YihaoError
from session.ids import AssigneeId, LegId
from session.state import Handing

if TYPE_CHECKING:
    from channels.phone.side_call import SideCall

_PENDING = 491


class Succession:
    """Of one citizen's call. `turn` is the lock under which its audio session is spoken to."""

    def __init__(
        self,
        ports: BridgePorts,
        audio: AudioSession,
        turn: asyncio.Lock,
        *,
        third: Third,
        handling: Handling,
        ladder: Ladder,
        talks: Callable[[], Guest | None],
    ) -> None:
        """`talks` gives the agent whom the citizen hears."""
        self._ports, self._audio, self._turn = ports, audio, turn
        self._third, self._handling, self._ladder, self._talks = third, handling, ladder, talks

    @property
    def agent(self) -> AssigneeId | None:
        """Whose place can be taken now: not while a third is called, or there."""
        agent = self._talks()
        return agent.assignee if agent is not None and self._third.what is None else None

    def is_of(self, call: Call) -> bool:
        """Whether the telephone of an agent who talks is on by it."""
        agent = self._talks()
        return agent is not None and agent.call is call

    async def referred(self, call: Call, reference: Reference) -> None:
        """The agent's telephone asks for the citizen to be joined with whom it has called itself."""
        side = self._ports.asides.side_of(reference.replaces) if reference.replaces is not None else None
        await self.join(call, side)

    async def join(self, call: Call, side: SideCall | None) -> None:
        """Answer the REFER that came by `call`, and do as it says where that may be."""
        brought = await self._bring(side) if side is not None else None
        if side is None:
            self._ladder.note("transfer", "the other call is none of theirs at this node", Slot.AGENT)
        if brought is None:
            call.decide_reference(FORBIDDEN, NOT_HERE if side is None else "")
        else:
            call.decide_reference(202)
            await self._leave_to(brought, Handing.REFERRED)

    async def be_taken_up(self, call: IncomingCall, by: AssigneeId) -> None:
        """Another telephone comes in the place of the agent's."""
        if self.agent is None:
            call.refuse(_PENDING)
            return
        secrecies = self._ports.secrecies
        try:
            async with self._turn:
                if call.offer is None:
                    described = await self._audio.offer(Slot.THIRD, secrecies.offering(call.flow))
                else:
                    described = await self._audio.answer(Slot.THIRD, call.offer, secrecies.answering(call.flow))
            call.answer(described)
        except YihaoError:
            call.refuse(488)
            return
        await self._leave_to(Guest(by, _new_leg(), call, Slot.THIRD), Handing.REPLACED)

    async def _bring(self, side: SideCall) -> Guest | None:
        """Whom the agent's telephone has called comes here, heard by nobody yet. None: they stay where they are."""
        far = side.far
        if far is None or self.agent != side.by:
            return None
        secrecy = self._ports.secrecies.offering(far.call.flow)

        async def offer() -> bytes:
            async with self._turn:
                return await self._audio.offer(Slot.THIRD, secrecy)

        try:
            answer = await side.give(offer)
            async with self._turn:
                await self._audio.accept(Slot.THIRD, answer)
        except YihaoError:
            async with self._turn:
                await self._audio.drop(Slot.THIRD)
            if side.far is None:
                far.call.hang_up()  # it is on neither call
            return None
        return Guest(far.assignee, _new_leg(), far.call, Slot.THIRD, far.carried)

    async def _leave_to(self, guest: Guest, why: Handing) -> None:
        """The agent leaves the citizen to who has come; what their telephone held is held no more."""
        before, agent = self._talks(), self.agent
        if before is None or agent is None:
            guest.call.hang_up()
            guest.carried.close()
            return
        self._handling.holds(Slot.AGENT, before.leg, "signalled", held=False)
        self._ladder.note("transfer", why, guest.slot)
        await self._third.take_in(agent, guest, why)


def _new_leg() -> LegId:
    return LegId(f"third-{secrets.token_hex(12)}")
