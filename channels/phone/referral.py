"""A REFER (RFC 3515): an agent's telephone wants the contact to go to somebody else."""

from __future__ import annotations

from channels.phone.sip.refer import Reference
from session.ids import AssigneeId, SessionId
from session.ports import Handover, StoreUnavailable

FORBIDDEN = 403
NOT_HERE = "no call of yours by that name at this node: transfer from the desk"
"""To a Replaces; the same whether there is such a call or not."""
_ANSWERS = {"": 202, "not_yours": FORBIDDEN, "agent_away": 480, "no_place": 486}
"""What names nobody is not found."""


async def answer_to(
    reference: Reference, handover: Handover | None, session: SessionId, agent: AssigneeId
) -> tuple[int, str]:
    """The status of the answer and a word on what was done: handed on to whom the desk would let them."""
    if handover is None or reference.replaces is not None:
        return FORBIDDEN, "not ours to give"
    try:
        why_not = await handover.hand_on(session, agent, reference.target.number or "")
    except StoreUnavailable:
        return 503, "the store is away"
    return _ANSWERS.get(why_not, 404), why_not or "handed on"
