"""A call to somebody outside that an agent has dialled at their telephone: they are on the line before it is made."""

from __future__ import annotations

import asyncio
import logging
import secrets

from channels.phone.call import Call
from channels.phone.errors import CallOver
from channels.phone.guest import Guest
from channels.phone.incoming import IncomingCall
from channels.phone.load import Seat
from channels.phone.outgoing_bridge import OutgoingBridge
from channels.phone.ports import BridgePorts
from session.audio import AudioSession, Slot
from session.events import LegOpened
from session.ids import AssigneeId, LegId
from session.ports import Begun
from session.state import DialFailure, Leg, Medium, Party

log = logging.getLogger(__name__)


class BegunBridge(OutgoingBridge):
    """As an outgoing call, but nobody is rung for it: who dialled is its agent."""

    def __init__(
        self, ports: BridgePorts, begun: Begun, audio: AudioSession, telephone: IncomingCall, seat: Seat
    ) -> None:
        super().__init__(ports, begun.contact, audio, is_taken=True, ladder=telephone.ladder)
        self.session = begun.session
        self._telephone, self._seat = telephone, seat

    def connect(self, by: AssigneeId, described: bytes) -> None:
        """Answer the agent's telephone, and tell the core that they are there: it has the other end called."""
        agent = Guest(by, LegId(f"agent-{secrets.token_hex(12)}"), self._telephone, Slot.AGENT)
        try:
            self._telephone.answer(described)
        except CallOver:  # they thought better of it, while the core was asked
            self._fail(DialFailure.NO_AGENT)
            self._over.set()
            return
        self._agent = agent
        leg = Leg(agent.leg, self._ports.channel, Medium.VOICE, Party.ASSIGNEE, self._ports.node)
        self.tell(LegOpened(leg=leg), f"leg:{agent.leg}")
        task = asyncio.create_task(self._attend(agent))
        self._ring_tasks.add(task)
        task.add_done_callback(self._ring_tasks.discard)

    def _acknowledged(self, call: Call) -> None:
        if call is self._telephone:
            self._seat.confirm()

    async def _attend(self, agent: Guest) -> None:
        try:
            await self._see_agent_through(agent)
        except Exception:  # the task's top: the session's own deadline brings it on
            log.exception("an agent's own call could not be followed")
        finally:
            agent.call.hang_up()
