"""A call that we make to a citizen: the agent is on the line first, hears it ring, and is never left with a riddle.

The citizen's number is dialled at most once a leg. The attempt is in the log before the INVITE is on the wire, so a
process that dies in between leaves an attempt of unknown outcome, and nobody tries again in its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack, suppress
from typing import TypeVar

from channels.phone.bridge import RINGBACK, Bridge
from channels.phone.call import EndCause, Ended
from channels.phone.guest import Guest
from channels.phone.hunt import Hunt
from channels.phone.ladder import Ladder
from channels.phone.outgoing import OutgoingCall
from channels.phone.parting import who_ended
from channels.phone.ports import BridgePorts
from channels.phone.ringing import Ringing
from session.audio import Announcement, AudioSession, Slot
from session.errors import YihaoError
from session.events import DialFailed, DialStarted, LegOpened
from session.ports import Contact
from session.state import DialFailure, Leg, LegEnd, Medium, Party

log = logging.getLogger(__name__)

End = TypeVar("End")

NOTICE = (Announcement("recording_notice"),)
_NOTICE_S = 10.0
"""No notice is longer."""
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
        *,
        is_taken: bool,
        ladder: Ladder | None = None,
    ) -> None:
        """`is_taken`: an agent has the session already, and no offer runs out when they do not pick up."""
        super().__init__(ports, contact, audio, ladder=ladder)
        self._hunt = Hunt(ports, audio, self._audio_turn, Slot.CITIZEN, contact, self.ladder)
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
        call = self.call or self._hunt.call
        if call is not None:
            call.hang_up()
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
        return await self._reach(ring_s)

    async def _reach(self, ring_s: float) -> DialFailure | None:
        """As `_call_citizen`, once the attempt is in the log."""
        with ExitStack() as carried:
            try:
                async with asyncio.timeout(ring_s):
                    end = await self._hunt.reach(self.contact.address, carried, self._progressed)
            except TimeoutError:
                return DialFailure.NO_ANSWER
            if isinstance(end, Ended):
                return why_refused(end)
            self.call, answered = end
            call = self.call
            return await self._talk(call, answered.body)

    async def _progressed(self, has_sound: bool) -> None:
        """Let the agent hear how it goes."""
        if not has_sound:
            await self._let_agent_hear(RINGBACK)
            return
        async with self._audio_turn:
            await self._audio.join()

    async def _talk(self, call: OutgoingCall, answer: bytes) -> DialFailure | None:
        """They have picked up: the core joins the two."""
        try:
            async with self._audio_turn:
                await self._audio.part()
            await self._hunt.agree(answer)
        except YihaoError:
            call.hang_up()
            return DialFailure.UNREACHABLE
        ended = await self._greeted(self._hear_watched(call, self.contact.leg))
        if not self._is_up:
            return DialFailure.UNREACHABLE if ended.cause is EndCause.LOST else DialFailure.DECLINED
        if ended.cause is EndCause.LOST:
            self._end = LegEnd.LOST
        self.ladder.note("over", who_ended(ended, "the citizen", self._end))
        return None

    async def _greeted(self, lasting: Coroutine[None, None, End]) -> End:
        """Their end, while they are greeted and as long as it lasts."""
        await self._let_agent_hear(())
        greeting = asyncio.create_task(self._greet())
        try:
            return await lasting
        finally:
            greeting.cancel()
            await asyncio.gather(greeting, return_exceptions=True)

    async def _greet(self) -> None:
        """Before a word is recorded both hear that it will be; only then is the citizen there for the core."""
        if self._ports.recording_path is not None:
            with suppress(TimeoutError, YihaoError):
                await super().play(NOTICE, music=False)
                await self._let_agent_hear(NOTICE, loop=False)
                async with asyncio.timeout(_NOTICE_S):
                    await self._played.wait()
        is_gone = self.is_over or (self.call is not None and self.call.is_over)
        if is_gone or self.session is None:
            return
        self._is_up = True
        contact, node = self.contact, self._ports.node
        leg = Leg(contact.leg, contact.channel, Medium.VOICE, Party.CITIZEN, node, contact.address, contact.asserted)
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


def why_refused(ended: Ended) -> DialFailure:
    """A refusal in the core's words (RFC 3261, section 21)."""
    if ended.cause is not EndCause.REFUSED:
        return DialFailure.UNREACHABLE
    if ended.status in _BUSY:
        return DialFailure.BUSY
    if ended.status in _DECLINED:
        return DialFailure.DECLINED
    return DialFailure.NO_ANSWER if ended.status in _NO_ANSWER else DialFailure.UNREACHABLE
