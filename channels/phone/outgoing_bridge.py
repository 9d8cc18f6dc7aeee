"""A call that we make to a citizen: the agent is on the line first, hears it ring, and is never left with a riddle.

The citizen's number is dialled at most once a leg. The attempt is in the log before the INVITE is on the wire, so a
process that dies in between leaves an attempt of unknown outcome, and nobody tries again in its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from channels.phone.bridge import Bridge
from channels.phone.call import Answered, EndCause, Ended
from channels.phone.call import Ringing as Progress
from channels.phone.carriers import Carriers
from channels.phone.guest import Guest
from channels.phone.outgoing import OutgoingCall
from channels.phone.parting import who_ended
from channels.phone.ports import BridgePorts
from channels.phone.ringing import Ringing
from channels.phone.sip.address import NameAddress
from channels.phone.trunk import Trunk, TrunkUnreachable, Way
from session.audio import Announcement, AudioSession, Slot
from session.errors import YihaoError
from session.events import DialFailed, DialStarted, LegOpened
from session.ports import Contact
from session.state import DialFailure, Leg, LegEnd, Medium, Party

log = logging.getLogger(__name__)

RINGBACK = (Announcement("ringback"),)
NOTICE = (Announcement("recording_notice"),)
_NOTICE_S = 10.0
"""No notice is longer."""
_OVERLOADED = 503
_ELSEWHERE = {500, 502, _OVERLOADED, 504}
_UNHEARD_S = 4.0
"""Without as much as a 100 (RFC 3261 repeats the INVITE for 32 s): another way is tried."""
_BUSY = {486, 600}
_DECLINED = {403, 603}
_NO_ANSWER = {408, 480, 487}
"""480 is what a telephone that is switched off gives as well: the agent hears the network say which (early media)."""


class OutgoingBridge(Bridge):
    """`serve` lasts from the first ring at the agent's until everybody is gone and everything has been told."""

    def __init__(
        self,
        ports: BridgePorts,
        contact: Contact,
        audio: AudioSession,
        trunks: tuple[Trunk, Carriers],
        *,
        is_taken: bool,
    ) -> None:
        """`is_taken`: an agent has the session already, and no offer runs out when they do not pick up."""
        super().__init__(ports, contact, audio)
        self._trunk, self._carriers = trunks
        self._has_progressed = False
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
        ways = await self._ways()
        with ExitStack() as carried:
            try:
                async with asyncio.timeout(ring_s):
                    end = await self._reach(ways, carried)
            except TimeoutError:
                return DialFailure.NO_ANSWER
            if isinstance(end, Ended):
                return _why(end)
            call, answered = end
            return await self._talk(call, answered.body)

    async def _reach(self, ways: Sequence[Way], carried: ExitStack) -> Ended | tuple[OutgoingCall, Answered]:
        """Try one way after the other; the one that carries the call holds its room in the trunk."""
        end = Ended(EndCause.LOST)
        for turn, way in enumerate(ways, 1):
            carried.close()
            if way.carrier is not None:
                carried.enter_context(way.carrier.carrying())
            decided, call = await self._try(way)
            if isinstance(decided, Answered):
                return call, decided
            end = decided
            if turn == len(ways) or not self._goes_elsewhere(end):
                break
            self.ladder.note("another way is tried", f"after {end.status}")
        return end

    async def _ways(self) -> list[Way]:
        """The ways to try, none where there is none."""
        try:
            return await self._trunk.ways_to(self.contact.address, self._ports.endpoint.now)
        except TrunkUnreachable as trouble:
            log.warning("no way to a citizen", extra={"leg": self.contact.leg, "why": str(trouble)})
            return []

    async def _try(self, way: Way) -> tuple[Answered | Ended, OutgoingCall]:
        """INVITE them by one way, until it is decided."""
        call = self.call = await self._invite(way)
        patience = asyncio.get_running_loop().call_later(_UNHEARD_S, call.give_up_unheard)
        try:
            end = await self._follow(call)
        finally:
            patience.cancel()
            if not call.is_answered:
                call.hang_up()
        if way.carrier is not None and isinstance(end, Ended):
            if end.cause is EndCause.LOST:
                self._carriers.unheard(way.carrier, way.flow)
            elif end.status == _OVERLOADED:
                self._carriers.refused(way.carrier, way.flow)
        return end, call

    def _goes_elsewhere(self, end: Ended) -> bool:
        """RFC 3263, section 4.3: no answer, or one that speaks of the trunk and not of the citizen."""
        if self._has_progressed:
            return False
        return end.cause is EndCause.LOST or end.status in _ELSEWHERE

    async def _invite(self, way: Way) -> OutgoingCall:
        async with self._audio_turn:
            offer = await self._audio.offer(Slot.CITIZEN)
        caller = self._trunk.caller(self.contact.number, self._ports.endpoint.bound, way)
        there = way.carrier.settings if way.carrier is not None else None
        return self._ports.endpoint.call(
            way.flow,
            way.target,
            caller=caller,
            callee=NameAddress(way.target.bare()),
            body=offer,
            extra=(("P-Asserted-Identity", str(caller)),),
            ladder=self.ladder,
            peer="citizen",
            login=there.login if there is not None else None,
            codecs=there.codecs if there is not None else (),
        )

    async def _follow(self, call: OutgoingCall) -> Answered | Ended:
        """Let the agent hear how it goes until it is decided (RFC 3261, section 13.2.2; RFC 3960)."""
        has_sound = False
        async for event in call:
            match event:
                case Progress(body=body):
                    self._has_progressed = True
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
        greeting = asyncio.create_task(self._greet(call))
        try:
            ended = await self._hear_watched(call, self.contact.leg)
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)
        if not self._is_up:
            return DialFailure.UNREACHABLE if ended.cause is EndCause.LOST else DialFailure.DECLINED
        if ended.cause is EndCause.LOST:
            self._end = LegEnd.LOST
        self.ladder.note("over", who_ended(ended, "the citizen", self._end))
        return None

    async def _greet(self, call: OutgoingCall) -> None:
        """Before a word is recorded both hear that it will be; only then is the citizen there for the core."""
        if self._ports.recording_path is not None:
            with suppress(TimeoutError, YihaoError):
                await super().play(NOTICE, music=False)
                await self._let_agent_hear(NOTICE, loop=False)
                async with asyncio.timeout(_NOTICE_S):
                    await self._played.wait()
        if call.is_over or self.session is None:
            return
        self._is_up = True
        contact, ports = self.contact, self._ports
        leg = Leg(
            contact.leg, ports.channel, Medium.VOICE, Party.CITIZEN, ports.node, contact.address, contact.asserted
        )
        self.tell(LegOpened(leg=leg), f"leg:{contact.leg}")

    async def _let_agent_hear(self, items: tuple[Announcement, ...], *, loop: bool = True) -> None:
        async with self._audio_turn:
            if items:
                await self._audio.play(Slot.AGENT, items, loop=loop)
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

    async def _agent_gone(self, agent: Guest, reason: LegEnd) -> None:
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
