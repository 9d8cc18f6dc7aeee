"""Who hears whom on a citizen's call, by who is on it. Pure: what an audio engine is told in one statement."""

from __future__ import annotations

from session.audio import Hearing, Slot
from session.state import Conference, Supervision

AS_IT_IS = 0.0
BEHIND_A_WHISPER = -8.0
"""How far the others step back for an agent who is whispered to: still understood, while the words beside are too."""
_TALKING = {
    None: (Slot.CITIZEN, Slot.AGENT),
    Conference.CONSULT: (Slot.AGENT, Slot.THIRD),
    Conference.CITIZEN: (Slot.CITIZEN, Slot.AGENT),
    Conference.TOGETHER: (Slot.CITIZEN, Slot.AGENT, Slot.THIRD),
    Conference.COMPLETE: (Slot.CITIZEN, Slot.THIRD),
}
_WAITING = {Conference.CONSULT: Slot.CITIZEN, Conference.CITIZEN: Slot.THIRD}


def talking(conference: Conference | None) -> tuple[Slot, ...]:
    """Those who hear each other on a call that is joined."""
    return _TALKING.get(conference, _TALKING[None])


def waiting(conference: Conference | None) -> Slot | None:
    """Who is there and hears music."""
    return None if conference is None else _WAITING.get(conference)


def hearing(*, joined: bool, conference: Conference | None = None, supervision: Supervision | None = None) -> Hearing:
    """Those who talk hear each other, and a supervisor hears them all."""
    there = talking(conference) if joined else ()
    heard: dict[Slot, dict[Slot, float]] = {ear: _all_but(ear, there) for ear in there}
    if supervision in (None, Supervision.LEAVE) or not there:
        return heard
    heard[Slot.SUPERVISOR] = _all_but(Slot.SUPERVISOR, there)
    if supervision is Supervision.WHISPER and Slot.AGENT in heard:
        heard[Slot.AGENT] = {**dict.fromkeys(heard[Slot.AGENT], BEHIND_A_WHISPER), Slot.SUPERVISOR: AS_IT_IS}
    elif supervision is Supervision.BARGE:
        for ear in there:
            heard[ear][Slot.SUPERVISOR] = AS_IT_IS
    return heard


def _all_but(ear: Slot, there: tuple[Slot, ...]) -> dict[Slot, float]:
    return {mouth: AS_IT_IS for mouth in there if mouth is not ear}
