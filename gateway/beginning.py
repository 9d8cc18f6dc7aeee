"""An agent calls somebody of their own accord (主动外呼): by a number typed at the desk, or dialled at their telephone.

Who may be called is `outgoing`'s; here the call becomes a session, which its agent has from the first moment.
"""

from __future__ import annotations

from gateway.conferring import Conferring
from gateway.inbox import StoreInbox
from gateway.outgoing import CallRefused, Outgoing
from queueing.contract import NoRoom, Queue
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from session.ids import AssigneeId
from session.ports import Aside, Begun, Telephones
from session.state import Medium


class Beginning:
    """Of one node: the `session.ports.Beginnings` of the telephone, and the desk's."""

    def __init__(
        self, outgoing: Outgoing, queue: Queue, telephones: Telephones, inbox: StoreInbox, number: str
    ) -> None:
        """`number` is ours that is shown to who is called, and by which the rules of routing go."""
        self._outgoing, self._queue, self._telephones = outgoing, queue, telephones
        self._inbox, self._number = inbox, number
        self._conferring = Conferring(queue, outgoing)

    async def begin(self, by: AssigneeId, typed: str, *, is_up: bool, dedupe: str) -> Begun | str:
        """See the port."""
        try:
            contact = await self._outgoing.own(typed, by, number=self._number)
        except CallRefused as refused:
            return refused.why.value
        session = await self._inbox.begin(contact, by, is_up=is_up, dedupe=dedupe)
        return session.value if isinstance(session, NoRoom) else Begun(session, contact)

    async def aside(self, by: AssigneeId, typed: str) -> Aside | str | None:
        """See the port. A colleague's telephone rings whether they are on duty or not."""
        colleague = await self._telephones.credential(typed)
        if colleague is not None and colleague.extension == typed:
            return Aside(agents=(colleague.login,)) if colleague.login != by else "unknown_agent"
        is_number = typed.lstrip("+").isdigit()
        if is_number and not await self._talks(by):
            return None
        third = await self._conferring.third(
            by, to="", queue="" if is_number else typed, number=typed if is_number else ""
        )
        return third.code if isinstance(third, Refusal) else Aside(third.agents, third.number)

    async def _talks(self, agent: AssigneeId) -> bool:
        """Whether they have a call, of which they may consult others; one that is written up is over."""
        try:
            view = await self._queue.view(agent)
        except UnknownAssignee:
            return False
        return any(charge.medium is Medium.VOICE and charge.state == "engaged" for charge in view.charges)
