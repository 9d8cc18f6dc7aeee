"""The names of the deadlines that the machine sets. Each is a promise to the store, which keeps them."""

from __future__ import annotations

ANNOUNCE = "announce"
ASSIGNEE = "assignee"
CALLBACK = "callback"
CHOICE = "choice"
CONTACT = "contact"
DIAL = "dial"
DROPPED = "dropped"
IDLE = "idle"
MEDIA = "media"
PARK = "park"
PATIENCE = "patience"
RETRY = "retry"
SLOT = "slot"
WRAP = "wrap"


def grace(leg: str) -> str:
    """The name of the timer that a leg which is away runs under."""
    return f"grace:{leg}"
