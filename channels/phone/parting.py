"""Who ended a call, for the ladder and in the core's words."""

from __future__ import annotations

from channels.phone.call import EndCause, Ended
from session.state import LegEnd


def who_ended(ended: Ended, whom: str, reason: LegEnd) -> str:
    """In words for the ladder."""
    match ended.cause:
        case EndCause.FAR_END:
            return f"{whom} hung up"
        case EndCause.OURS:
            return f"we hung up: {reason}"
        case EndCause.REFUSED:
            return f"refused with {ended.status}"
        case EndCause.LOST:
            return f"{whom} was lost: what must be answered was not"


def leg_end(cause: EndCause) -> LegEnd:
    """Why the agent's leg ended, in the core's words."""
    return {EndCause.FAR_END: LegEnd.HANGUP, EndCause.OURS: LegEnd.CLOSED}.get(cause, LegEnd.LOST)
