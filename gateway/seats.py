"""Where each agent's desk is open: an agent has one, whichever node their browser comes to.

A seat is a claim in the store, which the node renews while the page is there. Each change of it says what it replaces,
so of two desks that come at the same moment one has the seat, and the other is refused at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from session.ids import AssigneeId, NodeId
from session.ports import NodeMail, SharedState

CLAIM_S = 10.0


class Seats:
    """Of one node. A desk is named by its link (`sid`)."""

    def __init__(self, shared: SharedState, mail: NodeMail, node: NodeId) -> None:
        self._shared, self._mail, self._node = shared, mail, node

    async def take(self, agent: str, sid: str, former: str, *, from_another: bool) -> bool:
        """The agent's desk is this one now; False where they have another at another node, which is not to give way.

        A page that moved here with its link (`former`) is no other.
        """

        async def gives_way(held: str) -> bool:
            node, _, desk = held.partition(" ")
            is_ours = node in ("", self._node) or desk == former
            return is_ours or from_another or not await self._mail.lives(node)

        return await self._claim(agent, sid, gives_way)

    async def keeps(self, agent: AssigneeId, sid: str) -> bool:
        """Renew the claim; False where the desk was opened at another node since."""

        async def is_ours(held: str) -> bool:
            return held.partition(" ")[0] in ("", self._node)

        return await self._claim(agent, sid, is_ours)

    async def leave(self, agent: AssigneeId, sid: str) -> None:
        """That desk is gone, perhaps for a moment."""
        await self._shared.delete_if(_key(agent), self._name(sid))

    async def _claim(self, agent: str, sid: str, may_replace: Callable[[str], Awaitable[bool]]) -> bool:
        """Looked at anew where another has changed it meanwhile."""
        key, ours = _key(agent), self._name(sid)
        while await may_replace((held := await self._shared.get(key) or b"").decode()):
            if await self._shared.put_if(key, held or None, ours, ttl_s=CLAIM_S):
                return True
        return False

    def _name(self, sid: str) -> bytes:
        return f"{self._node} {sid}".encode()


def _key(agent: str) -> str:
    return f"seat:{agent}"
