"""The times that the machine goes by. What an operator or a supervisor may change, handed in as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """All in seconds."""

    chat_grace_s: float = 120.0
    """A citizen's chat that is cut may come back within this time; the place in line is kept."""
    call_grace_s: float = 60.0
    """A call that dropped, or was hung up in line, may be dialled again within this time: at its place in line, or with
    its agent first."""
    agent_kept_s: float = 15.0
    """The agent of a call that dropped is kept for it so long; then they write it up, and are free."""
    kept_place_s: float = 1800.0
    """A place that the citizen asked to keep waits so long for them without a leg; then a call back is owed."""
    reconnect_s: float = 20.0
    """The agent of a call that dropped is rung so long when it is dialled again; then another is asked. So is an agent
    for a call that they begin themselves."""
    link_s: float = 1800.0
    """A link to go on elsewhere can be opened for so long."""
    assignee_grace_s: float = 60.0
    """An agent whose desk is gone keeps their running chats for this long."""
    media_up_s: float = 10.0
    """After a call is accepted, both ends must be joined within this time."""
    wrap_s: float = 30.0
    """Wrap-up, unless the agent ends it sooner."""
    park_s: float = 48 * 3600.0
    """The longest that a session may stay parked."""
    call_park_s: float = 120.0
    """A call that is parked comes back to whoever parked it after this time."""
    callback_s: float = 24 * 3600.0
    """A debt to a citizen is to be paid within this time."""
    missed_after_s: float = 15.0
    """A caller who waited longer than this and left is owed a call back (漏接回拨)."""
    callback_pauses_s: tuple[float, ...] = (10.0, 3600.0, 4 * 3600.0, 12 * 3600.0)
    """Pauses before a citizen who is owed a call is called: as many attempts as pauses. None where we cannot call."""
    callback_from_s: float = 8 * 3600.0
    callback_until_s: float = 21 * 3600.0
    """Attempts but the first are made between these times of the day, in seconds after the hotline's midnight."""
    callback_claims: bool = False
    """Whether a number is called back for which only the caller's own telephone vouched."""
    contact_after_s: float = 15.0
    """A call back is contact once both have been on the line so long, unless the agent says so, or denies it, sooner:
    an answering machine picks up too."""
    dial_ring_s: float = 45.0
    """How long a citizen's telephone may ring."""
    slot_wait_s: float = 120.0
    """How long a call waits for the agent who has the session, before it goes to another."""
    slot_retry_s: float = 2.0
    """The pause between two looks whether they have room."""
    announce_s: tuple[float, ...] = (12.0, 30.0, 45.0, 60.0)
    """Pauses before the place in line is said again; the last one repeats."""
    choice_s: float = 45.0
    """A caller who is offered ways on hears them again after this time, and goodbye after it once more."""
    message_s: float = 120.0
    """The longest voice message."""
    chat_idle_s: float = 24 * 3600.0
    """The longest that a session may stay with an assignee without one event."""
