"""What the operator decides about pages' calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """The gateway fills it from the section `browser`."""

    number: str = "12345"
    """The public number that the page stands for."""
    in_hours: bool = True
    """Whether calls are taken only in the hours in which people answer."""
    calls: int = 200
    """How many may run at once; 0 takes none."""
