"""The times that the machine goes by. What an operator or a supervisor may change, handed in as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """All in seconds."""

    chat_grace_s: float = 120.0
    """A citizen's chat that is cut may come back within this time; the place in line is kept."""
    assignee_grace_s: float = 60.0
    """An agent whose desk is gone keeps their running chats for this long."""
    media_up_s: float = 10.0
    """After a call is accepted, both ends must be joined within this time."""
    wrap_s: float = 30.0
    """Wrap-up, unless the agent ends it sooner."""
    park_s: float = 48 * 3600.0
    """The longest that a session may stay parked."""
    callback_s: float = 24 * 3600.0
    """A debt to a citizen is to be paid within this time."""
    announce_s: tuple[float, ...] = (12.0, 30.0, 45.0, 60.0)
    """Pauses before the place in line is said again; the last one repeats."""
    chat_idle_s: float = 24 * 3600.0
    """The longest that a session may stay with an assignee without one event."""
