"""A supervisor on one citizen's call: rung, heard by whom they choose, and gone when they or the call are."""

from __future__ import annotations

import asyncio
import logging

from channels.phone.guest import Guest, Host
from channels.phone.invitations import Invitations
from session.audio import Slot
from session.events import SessionTakenOver, SupervisionChanged, SupervisionEnded
from session.ids import AssigneeId, LegId
from session.state import Mark, Party, Supervision

log = logging.getLogger(__name__)

_MARKS = {
    Supervision.LISTEN: Mark.LISTENING,
    Supervision.WHISPER: Mark.WHISPERING,
    Supervision.BARGE: Mark.BARGED_IN,
}


class Supervisor:
    """At most one at a time."""

    def __init__(self, host: Host, guests: Invitations) -> None:
        self.what: Supervision | None = None
        """What the one who is there does; None while nobody is."""
        self._host, self._guests = host, guests
        self._by: AssigneeId | None = None
        self._wanted = Supervision.LISTEN
        self._guest: Guest | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = 0

    async def ask(self, by: AssigneeId, what: Supervision, turn: int) -> None:
        """Do what a supervisor asks for; a `turn` that is not higher than the last was done before."""
        if turn <= self._turn:
            return
        self._turn = turn
        if self._by not in (None, by):
            self._host.tell(SupervisionEnded(by=by, reason="occupied"), f"supervision:{self._host.contact.leg}:{turn}")
        elif what is Supervision.LEAVE:
            self.let_go()
        elif self._by is None:
            self._by, self._wanted = by, what
            self._task = asyncio.create_task(self._supervise(by, turn))
        else:
            self._wanted = what
            if self._guest is not None:
                await self._do(by, self._guest)

    def has(self, leg: LegId) -> bool:
        """Whether that leg is the supervisor's."""
        return self._guest is not None and self._guest.leg == leg

    def let_go(self) -> None:
        """The supervisor is to leave; one who is being rung is rung no more."""
        if self._guest is not None:
            self._guest.call.hang_up()
        elif self._by is not None and self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """The call is over: come back when all about the supervisor has been told."""
        self.let_go()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _supervise(self, by: AssigneeId, turn: int) -> None:
        """From the first ring to the end, also where they have come to be the agent meanwhile."""
        reason = "left"
        try:
            guest = await self._guests.call_in(by, Slot.SUPERVISOR, Party.SUPERVISOR)
            if not isinstance(guest, Guest):
                reason = "no_answer" if guest is None else guest.value
                return
            self._guest = guest
            self._host.introduce(guest, Party.SUPERVISOR)
            try:
                await self._do(by, guest)
                ended = await self._host.attend(guest)
            finally:
                guest.call.hang_up()
            if guest.slot is Slot.AGENT:
                await self._host.agent_left(guest, ended)
            else:
                self._guest = self.what = None
                self._host.mark(Mark.SUPERVISOR_LEFT)
                await self._host.see_off(guest, ended)
        except Exception:  # the task's top: the two on the call talk on
            log.exception("a call could not be supervised")
        finally:
            if self._by == by:
                self._by = self._guest = self.what = None
                self._host.tell(SupervisionEnded(by=by, reason=reason), f"supervision:{self._host.contact.leg}:{turn}")

    async def _do(self, by: AssigneeId, guest: Guest) -> None:
        """What is wanted now."""
        if self._wanted is Supervision.TAKE_OVER:
            self._by = self._guest = self.what = None
            await self._host.put_in_charge(guest)
            self._host.tell(SessionTakenOver(by=by, leg=guest.leg), f"taken:{guest.leg}")
            self._host.mark(Mark.TAKEN_OVER)
        elif self._wanted is not self.what:
            self.what = self._wanted
            await self._host.sound()
            self._host.tell(SupervisionChanged(by=by, what=self.what))
            self._host.mark(_MARKS[self.what])
