"""A third on one citizen's call: called while they wait, spoken with, taken in, left to it (咨询、三方、转接)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

from channels.phone.guest import Guest, Host
from channels.phone.invitations import Invitations
from session.address import Address
from session.audio import Slot
from session.events import CallPassedOn, ConferChanged, ThirdEnded
from session.ids import AssigneeId, LegId
from session.state import Conference, Handing, LegEnd, Mark, Party

log = logging.getLogger(__name__)

_MARKS = {
    Conference.CONSULT: Mark.CONSULTING,
    Conference.CITIZEN: Mark.THIRD_WAITS,
    Conference.TOGETHER: Mark.THIRD_JOINED,
    Conference.COMPLETE: Mark.AGENT_LEFT,
}
_TALKS = (Conference.CONSULT, Conference.CITIZEN, Conference.TOGETHER)


class Third:
    """At most one at a time."""

    def __init__(self, host: Host, guests: Invitations) -> None:
        self.what: Conference | None = None
        """Who talks with whom; None while no third is called."""
        self._host, self._guests = host, guests
        self._by: AssigneeId | None = None
        self._guest: Guest | None = None
        self._task: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        """Of those too who have come to be the agent."""
        self._turn = 0
        self._was_cancelled = False

    async def call(self, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, turn: int) -> None:
        """Call somebody, while the citizen waits; a `turn` that is not higher than the last was done before."""
        if turn <= self._turn or self.what is not None:
            return
        self._turn, self._by, self._was_cancelled = turn, by, False
        self.what = Conference.CONSULT
        self._task = self._begin(self._see_through(by, agents, number, f"third:{self._host.contact.leg}:{turn}"))

    async def take_in(self, by: AssigneeId, guest: Guest, why: Handing) -> None:
        """Somebody has come whom the agent leaves the citizen to, at once. To be asked while no third is there."""
        self.what, self._by, self._guest, self._was_cancelled = Conference.CONSULT, by, guest, False
        self._host.introduce(guest, Party.THIRD)
        self._task = self._begin(self._see_brought(by, guest))
        await self.complete(why)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ask(self, what: Conference, turn: int) -> None:
        """Let others talk than do; before the third has picked up they can only be called no more."""
        if turn <= self._turn or self.what is None:
            return
        self._turn = turn
        if what is Conference.CANCEL:
            self._was_cancelled = True
            self.let_go()
        elif what is Conference.COMPLETE:
            await self.complete()
        elif what is not self.what and self._guest is not None:
            await self._talk(self._guest, what)

    async def complete(self, why: Handing = Handing.DESK) -> bool:
        """The agent leaves the other two to it. False where there is nobody to leave the citizen with."""
        guest, by = self._guest, self._by
        if guest is None or by is None or self.what not in _TALKS:
            return False
        if guest.assignee is not None:
            self.what = self._guest = self._by = None
            await self._host.put_in_charge(guest)
        else:
            self.what = Conference.COMPLETE
            await self._host.let_agent_go()
        self._host.mark(Mark.AGENT_LEFT)
        self._host.tell(CallPassedOn(by=by, leg=guest.leg, to=guest.assignee, why=why), f"passed:{guest.leg}")
        return True

    @property
    def leg(self) -> LegId | None:
        """The third's, once they have picked up."""
        return self._guest.leg if self._guest is not None else None

    def let_go(self) -> None:
        """The third is to leave; one who is being called is called no more."""
        if self._guest is not None:
            self._guest.call.hang_up()
        elif self.what is not None and self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """The call is over: come back when all about the third has been told."""
        self.let_go()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _see_through(
        self, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, key: str
    ) -> None:
        """From the first ring to the end, also where they have come to be the agent meanwhile."""
        reason = "cancelled"
        try:
            self._host.mark(Mark.CONSULTING)
            await self._host.sound()
            await self._host.ring_back()
            guest = await self._reach(agents, number)
            if not isinstance(guest, Guest):
                reason = guest
                return
            self._guest = guest
            self._host.introduce(guest, Party.THIRD)
            try:
                await self._host.sound()
                self._host.tell(ConferChanged(by=by, what=Conference.CONSULT))
                reason = await self._stay(guest)
            finally:
                guest.call.hang_up()
        except Exception:  # the task's top: the agent and the citizen talk on
            log.exception("a third could not be called")
            reason = "unreachable"
        finally:
            await self._over(by, reason, key)

    async def _see_brought(self, by: AssigneeId, guest: Guest) -> None:
        """Likewise, of who has come already."""
        reason = "left"
        try:
            reason = await self._stay(guest)
        except Exception:  # the task's top: the others talk on
            log.exception("who was brought to a call could not be followed")
        finally:
            guest.call.hang_up()
            await self._over(by, reason, f"third:{guest.leg}")

    async def _stay(self, guest: Guest) -> str:
        """Until their call is over; why."""
        ended = await self._host.attend(guest)
        reason = "cancelled" if self._was_cancelled else "left"
        await self._part(guest, ended)
        return reason

    async def _over(self, by: AssigneeId, reason: str, key: str) -> None:
        """Tell of it, unless they have come to be the agent."""
        if self._by == by:
            self.what = self._guest = self._by = None
            self._host.mark(Mark.THIRD_LEFT)
            self._host.tell(ThirdEnded(reason=reason), key)
            await self._host.sound()

    async def _reach(self, agents: tuple[AssigneeId, ...], number: Address | None) -> Guest | str:
        """Whoever picks up first, or why nobody did."""
        if number is not None:
            outcome = await self._guests.call_out(number, Slot.THIRD, Party.THIRD, self._progressed)
            return outcome if isinstance(outcome, Guest) else outcome or "no_answer"
        reason = "unreachable"
        for agent in agents:
            outcome = await self._guests.call_in(agent, Slot.THIRD, Party.THIRD)
            if isinstance(outcome, Guest):
                return outcome
            reason = outcome or "no_answer"
        return reason

    async def _progressed(self, has_sound: bool) -> None:
        """What the network lets hear says more than our tone."""
        if has_sound:
            await self._host.sound()

    async def _talk(self, guest: Guest, what: Conference) -> None:
        self.what = what
        await self._host.sound()
        self._host.mark(_MARKS[what])
        if self._by is not None and guest is self._guest:
            self._host.tell(ConferChanged(by=self._by, what=what))

    async def _part(self, guest: Guest, ended: LegEnd) -> None:
        """Their call is over, whoever they had come to be."""
        if guest.slot is Slot.AGENT:
            await self._host.agent_left(guest, ended)
            return
        was_alone = self.what is Conference.COMPLETE
        self.what = self._guest = None
        await self._host.see_off(guest, ended)
        if was_alone:
            await self._host.hang_up_citizen()
