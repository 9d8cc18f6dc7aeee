"""An agent calls somebody of their own accord (主动外呼): by a number typed at the desk, or dialled at their telephone.

Who may be called is `outgoing`'s; here the call becomes a session, which its agent has from the first moment.
"""

from __future__ import annotations

from gateway.inbox import StoreInbox
from gateway.outgoing import CallRefused, Outgoing
from queueing.contract import NoRoom
from session.ids import AssigneeId
from session.ports import Begun


class Beginning:
    """Of one node: the `session.ports.Beginnings` of the telephone, and the desk's."""

    def __init__(self, outgoing: Outgoing, inbox: StoreInbox, number: str) -> None:
        """`number` is ours that is shown to who is called, and by which the rules of routing go."""
        self._outgoing, self._inbox, self._number = outgoing, inbox, number

    async def begin(self, by: AssigneeId, typed: str, *, is_up: bool, dedupe: str) -> Begun | str:
        """See the port."""
        try:
            contact = await self._outgoing.own(typed, by, number=self._number)
        except CallRefused as refused:
            return refused.why.value
        session = await self._inbox.begin(contact, by, is_up=is_up, dedupe=dedupe)
        return session.value if isinstance(session, NoRoom) else Begun(session, contact)
