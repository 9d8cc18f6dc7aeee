"""A call that we make to a citizen: the agent is on the line first, hears it ring, and is never left with a riddle.

The citizen's number is dialled at most once a leg. The attempt is in the log before the INVITE is on the wire, so a
process that dies in between leaves an attempt of unknown outcome, and nobody tries again in its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from channels.phone.bridge import AgentEnd, Bridge, BridgePorts, who_ended
from channels.phone.call import Answered, EndCause, Ended
from channels.phone.call import Ringing as Progress
from channels.phone.outgoing import OutgoingCall
from channels.phone.ringing import Ringing
from channels.phone.sip.address import NameAddress
from channels.phone.trunk import Trunk, TrunkUnreachable
from session.audio import Announcement, AudioSession, Slot
from session.errors import YihaoError
from session.events import DialFailed, DialStarted, LegOpened
from session.ports import Contact
from session.state import DialFailure, Leg, LegEnd, Medium, Party

log = logging.getLogger(__name__)

RINGBACK = (Announcement("ringback"),)
_BUSY = {486, 600}
_DECLINED = {403, 603}
_NO_ANSWER = {408, 480, 487}
"""480 is what a telephone that is switched off gives as well: the agent hears the network say which (early media)."""


class OutgoingBridge(Bridge):
    """`serve` lasts from the first ring at the agent's until everybody is gone and everything has been told."""

    def __init__(
        self, ports: BridgePorts, contact: Contact, audio: AudioSession, trunk: Trunk, *, is_taken: bool
    ) -> None:
        """`is_taken`: an agent has the session already, and no offer runs out when they do not pick up."""
        super().__init__(ports, contact, audio)
        self._trunk = trunk
        self._is_taken = is_taken
        self._is_up = False
        self._has_failed = False
        self._dialling: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Nobody is called any more, or the call has ended."""
        return self._over.is_set()

    async def serve(self) -> None:
        """See it through."""
        async with self._living():
            await self._over.wait()

    def hang_up(self, reason: LegEnd) -> None:
        """End it from our side, however far it has come. The core knows why, unless its node goes down."""
        if self.is_over:
            return
        self._end = reason
        if reason is LegEnd.NODE_LOST:
            self._fail(DialFailure.UNKNOWN)
        self._has_failed = True
        if self.call is not None:
            self.call.hang_up()
        self._over.set()

    def dial(self, ring_s: float) -> None:
        """Call the citizen; asked again, it is the same call."""
        if self._dialling is None and not self.is_over:
            self._dialling = asyncio.create_task(self._dial(ring_s))
            self._ring_tasks.add(self._dialling)
            self._dialling.add_done_callback(self._ring_tasks.discard)

    async def _dial(self, ring_s: float) -> None:
        try:
            failure = await self._call_citizen(ring_s)
            if failure is not None:
                self._fail(failure)
        except Exception:  # the task's top: the agent and the citizen are told that it came to nothing
            log.exception("a citizen could not be called")
            self._fail(DialFailure.UNREACHABLE)
        finally:
            self._over.set()

    async def _call_citizen(self, ring_s: float) -> DialFailure | None:
        """Why they were not reached; None once they have been, and have hung up."""
        if self.session is None:
            return DialFailure.UNKNOWN
        self._outbox.put(self.session, DialStarted(leg=self.contact.leg), f"dial:{self.contact.leg}")
        await self._outbox.drained()
        call = await self._invite()
        if call is None:
            return DialFailure.UNREACHABLE
        self.call = call
        try:
            async with asyncio.timeout(ring_s):
                end = await self._follow(call)
        except TimeoutError:
            call.hang_up()
            return DialFailure.NO_ANSWER
        finally:
            if not call.is_answered:
                call.hang_up()
        if isinstance(end, Ended):
            return _why(end)
        return await self._talk(call, end.body)

    async def _invite(self) -> OutgoingCall | None:
        """INVITE them over the trunk; None where there is no way there."""
        try:
            way = await self._trunk.way_to(self.contact.address)
        except TrunkUnreachable as trouble:
            log.warning("no way to a citizen", extra={"leg": self.contact.leg, "why": str(trouble)})
            return None
        async with self._audio_turn:
            offer = await self._audio.offer(Slot.CITIZEN)
        caller = self._trunk.caller(self.contact.number, self._ports.endpoint.bound)
        return self._ports.endpoint.call(
            way.flow,
            way.target,
            caller=caller,
            callee=NameAddress(way.target.bare()),
            body=offer,
            extra=(("P-Asserted-Identity", str(caller)),),
            ladder=self.ladder,
            peer="citizen",
        )

    async def _follow(self, call: OutgoingCall) -> Answered | Ended:
        """Let the agent hear how it goes until it is decided (RFC 3261, section 13.2.2; RFC 3960)."""
        has_sound = False
        async for event in call:
            match event:
                case Progress(body=body):
                    has_sound = has_sound or await self._early(body)
                    if not has_sound:
                        await self._let_agent_hear(RINGBACK)
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
            async with self._audio_turn:
                await self._audio.accept(Slot.CITIZEN, body)
                await self._audio.join()
        except YihaoError:
            return False
        return True

    async def _talk(self, call: OutgoingCall, answer: bytes) -> DialFailure | None:
        """They have picked up: the core joins the two."""
        try:
            async with self._audio_turn:
                await self._audio.part()
                if answer:
                    # Where early media was agreed on, this answer takes its place.
                    await self._audio.offer(Slot.CITIZEN)
                    await self._audio.accept(Slot.CITIZEN, answer)
        except YihaoError:
            call.hang_up()
            return DialFailure.UNREACHABLE
        await self._let_agent_hear(())
        self._is_up = True
        contact, ports = self.contact, self._ports
        leg = Leg(
            contact.leg, ports.channel, Medium.VOICE, Party.CITIZEN, ports.node, contact.address, contact.asserted
        )
        if self.session is not None:
            self._outbox.put(self.session, LegOpened(leg=leg), f"leg:{contact.leg}")
        ended = await self._hear_watched(call, Slot.CITIZEN, contact.leg)
        if ended.cause is EndCause.LOST:
            self._end = LegEnd.LOST
        self.ladder.note("over", who_ended(ended, "the citizen", self._end))
        return None

    async def _let_agent_hear(self, items: tuple[Announcement, ...]) -> None:
        async with self._audio_turn:
            if items:
                await self._audio.play(Slot.AGENT, items, loop=True)
            else:
                await self._audio.stop(Slot.AGENT)

    async def play(self, items: Sequence[Announcement], *, music: bool) -> None:
        """As for any call, once there is somebody to hear it."""
        if self._is_up:
            await super().play(items, music=music)

    async def _ring(self, ringing: Ringing, lease_until: float) -> None:
        await super()._ring(ringing, lease_until)
        if ringing is self._ringing and self._agent is None and not self._is_up:
            if self._is_taken:
                self._fail(DialFailure.NO_AGENT)
            self._over.set()

    async def _agent_gone(self, agent: AgentEnd, reason: LegEnd) -> None:
        if self._agent is agent and not self._is_up:
            self._fail(DialFailure.NO_AGENT)
            self._over.set()
        await super()._agent_gone(agent, reason)

    def _fail(self, reason: DialFailure) -> None:
        """Told once, and of a call that is wanted by somebody only."""
        is_awaited = self._dialling is not None or self._is_taken
        if self.session is not None and is_awaited and not self._has_failed and not self._is_up:
            self._has_failed = True
            self.ladder.note("over", f"the citizen was not reached: {reason}")
            self._outbox.put(
                self.session, DialFailed(leg=self.contact.leg, reason=reason), f"dialled:{self.contact.leg}"
            )

    def _tell_end(self) -> None:
        if self._is_up:
            super()._tell_end()


def _why(ended: Ended) -> DialFailure:
    """A refusal in the core's words (RFC 3261, section 21)."""
    if ended.cause is not EndCause.REFUSED:
        return DialFailure.UNREACHABLE
    if ended.status in _BUSY:
        return DialFailure.BUSY
    if ended.status in _DECLINED:
        return DialFailure.DECLINED
    return DialFailure.NO_ANSWER if ended.status in _NO_ANSWER else DialFailure.UNREACHABLE
