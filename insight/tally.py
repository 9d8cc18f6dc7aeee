"""What one session adds to the figures. Pure; every figure is made of sums of these."""

from __future__ import annotations

from dataclasses import dataclass

from session.state import CloseReason, Phase
from storage.record import SessionRecord

PROMPT_S = 15.0
"""An answer within this time is prompt (GB/T 33358-2016: 15 s)."""
PLEASED = 4
"""A rating of this or more, of five, is one of a satisfied citizen."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over sessions; one session's are ones and zeros."""

    came: int = 0
    answered: int = 0
    """By a human."""
    prompt: int = 0
    """Answered by a human within `PROMPT_S` of coming."""
    lost: int = 0
    """Over, or owed a call back, without a human's answer, though no bot resolved it."""
    by_bot: int = 0
    waited_s: float = 0.0
    """From coming to a human's answer, of those that were answered."""
    rated: int = 0
    pleased: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.came + other.came,
            self.answered + other.answered,
            self.prompt + other.prompt,
            self.lost + other.lost,
            self.by_bot + other.by_bot,
            self.waited_s + other.waited_s,
            self.rated + other.rated,
            self.pleased + other.pleased,
        )

    def __neg__(self) -> Tally:
        return Tally(
            -self.came,
            -self.answered,
            -self.prompt,
            -self.lost,
            -self.by_bot,
            -self.waited_s,
            -self.rated,
            -self.pleased,
        )


NONE = Tally()


def tally_of(record: SessionRecord) -> Tally:
    """One session's, as it stands. One that still waits has only come: it is in no rate yet."""
    session = record.session
    rated, pleased = int(record.rating is not None), int((record.rating or 0) >= PLEASED)
    if record.answered_at is not None:
        waited_s = max(0.0, record.answered_at - session.opened_at)
        return Tally(1, 1, int(waited_s <= PROMPT_S), 0, 0, waited_s, rated, pleased)
    if session.close_reason is CloseReason.RESOLVED_BY_BOT:
        return Tally(came=1, by_bot=1, rated=rated, pleased=pleased)
    is_lost = session.phase in (Phase.CLOSED, Phase.CALLBACK_PENDING)
    return Tally(came=1, lost=int(is_lost), rated=rated, pleased=pleased)
