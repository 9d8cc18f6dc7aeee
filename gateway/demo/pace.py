"""How fast the demonstration's people live: all pauses in one place, so that a test may hurry them."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Means, in seconds. `haste` divides every pause."""

    haste: float = 1.0
    between_chats_s: float = 6.0
    between_calls_s: float = 9.0
    reading_s: float = 2.5
    patience_s: float = 45.0
    """How long a citizen waits for an agent before they give up."""
    ringing_s: float = 2.0
    talking_s: float = 15.0
    writing_up_s: float = 4.0
    working_s: float = 150.0
    """Between an agent's breaks."""
    break_s: float = 15.0

    def arrival(self, mean_s: float) -> float:
        """Until the next one comes: they know nothing of each other (an exponential law)."""
        return random.expovariate(1.0 / mean_s) / self.haste

    def about(self, mean_s: float) -> float:
        """A pause of a person: half as long again, or half as short."""
        return random.uniform(0.5, 1.5) * mean_s / self.haste
