"""A REFER (RFC 3515): an agent's telephone wants the contact to go to somebody else."""

from __future__ import annotations

from collections.abc import Sequence

from channels.phone.errors import MalformedMessage
from channels.phone.sip.refer import Reference, read_replaces
from session.ids import AssigneeId, SessionId
from session.ports import Handover, StoreUnavailable

FORBIDDEN = 403
_ANSWERS = {"": 202, "not_yours": FORBIDDEN, "agent_away": 480, "no_place": 486}
"""What names nobody is not found."""


def refusal_of(replaces: Sequence[str]) -> int:
    """The answer to an INVITE that is to take a dialog's place (RFC 3891, section 3): none of ours is given away so.

    Who is on a call is changed by its agent's REFER and from the desk. Which dialogs there are is for nobody to find
    out: one that is there is refused as one that is not.
    """
    try:
        (one,) = replaces
        read_replaces(one)
    except (ValueError, MalformedMessage):
        return 400
    return 481


async def answer_to(
    reference: Reference, handover: Handover | None, session: SessionId, agent: AssigneeId
) -> tuple[int, str]:
    """The status of the answer and a word on what was done: handed on to whom the desk would let them.

    A call of theirs to be joined with this one (Replaces) is not ours to give: consultation is the desk's.
    """
    if handover is None or reference.replaces is not None:
        return FORBIDDEN, "not ours to give"
    try:
        why_not = await handover.hand_on(session, agent, reference.target.number or "")
    except StoreUnavailable:
        return 503, "the store is away"
    return _ANSWERS.get(why_not, 404), why_not or "handed on"
