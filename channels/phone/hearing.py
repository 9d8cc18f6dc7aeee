"""Who hears whom on a citizen's call, by who is on it. Pure: what an audio engine is told in one statement."""

from __future__ import annotations

from session.audio import Hearing, Slot
from session.state import Supervision

AS_IT_IS = 0.0
BEHIND_A_WHISPER = -8.0
"""How far the citizen steps back for an agent who is whispered to: still understood, while the words beside are too."""


def hearing(*, joined: bool, supervision: Supervision | None = None) -> Hearing:
    """Citizen and agent hear each other where they are joined, and a supervisor hears both."""
    talking = (Slot.CITIZEN, Slot.AGENT) if joined else ()
    heard: dict[Slot, dict[Slot, float]] = {ear: _all_but(ear, talking) for ear in talking}
    if supervision in (None, Supervision.LEAVE) or not talking:
        return heard
    heard[Slot.SUPERVISOR] = _all_but(Slot.SUPERVISOR, talking)
    if supervision is Supervision.WHISPER:
        heard[Slot.AGENT] = {**dict.fromkeys(heard[Slot.AGENT], BEHIND_A_WHISPER), Slot.SUPERVISOR: AS_IT_IS}
    elif supervision is Supervision.BARGE:
        for ear in talking:
            heard[ear][Slot.SUPERVISOR] = AS_IT_IS
    return heard


def _all_but(ear: Slot, talking: tuple[Slot, ...]) -> dict[Slot, float]:
    return {mouth: AS_IT_IS for mouth in talking if mouth is not ear}
