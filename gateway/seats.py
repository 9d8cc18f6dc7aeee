"""Where each agent's desk is open: an agent has one, whichever node their browser comes to.

Between nodes it is a claim that its node renews while the page is there. Two that come at the same moment may both
find none; the later one has it then, and the earlier is told at its next renewal at the latest.
"""

from __future__ import annotations

from session.ids import AssigneeId, NodeId
from session.ports import NodeMail, SharedState

CLAIM_S = 10.0


class Seats:
    """Of one node. A desk is named by its link (`sid`)."""

    def __init__(self, shared: SharedState, mail: NodeMail, node: NodeId) -> None:
        self._shared, self._mail, self._node = shared, mail, node

    async def is_elsewhere(self, agent: str, sid: str) -> bool:
        """Whether another desk of the agent's is open at another node; a page that moved with its link is none."""
        node, _, held = (await self._shared.get(_key(agent)) or b"").decode().partition(" ")
        return bool(node) and node != self._node and held != sid and await self._mail.lives(node)

    async def take(self, agent: AssigneeId, sid: str) -> None:
        """The agent's desk is this one now."""
        await self._shared.put(_key(agent), self._claim(sid), ttl_s=CLAIM_S)

    async def keeps(self, agent: AssigneeId, sid: str) -> bool:
        """Renew the claim; False where the desk was opened at another node since."""
        held = await self._shared.get(_key(agent))
        if held is not None and not held.startswith(f"{self._node} ".encode()):
            return False
        await self.take(agent, sid)
        return True

    async def leave(self, agent: AssigneeId, sid: str) -> None:
        """That desk is gone, perhaps for a moment."""
        await self._shared.delete_if(_key(agent), self._claim(sid))

    def _claim(self, sid: str) -> bytes:
        return f"{self._node} {sid}".encode()


def _key(agent: str) -> str:
    return f"seat:{agent}"
