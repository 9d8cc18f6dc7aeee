"""What all events have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything that has happened."""

    at: float = 0.0
    vital: ClassVar[bool] = False
    """It may take the session out of its line: no offer is made or accepted while it waits to be absorbed (law 10)."""
    late: ClassVar[bool] = False
    """Taken even after the session has closed."""
