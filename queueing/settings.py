"""What the queue goes by. Handed in as a value; the Lua library is made for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Times in seconds. Nodes that share a store must be given the same values."""

    lease_s: float = 20.0
    """How long an offer stands before it goes to the next assignee."""
    decline_pause_s: float = 5.0
    """Who declined is asked nothing for this long."""
    proficiency_s: float = 30.0
    """Each level above what is asked counts like this much more idling."""
    load_s: float = 600.0
    """Each session that an assignee already has counts like this much less idling."""
    dedupe_s: float = 24 * 3600.0
    """The same word from a provider within this time is one event (law 8)."""
    forget_s: float = 3600.0
    """A closed session stays readable in the store for at least this long."""
    feed_s: float = 60.0
    """What is safe elsewhere stays in the feed for so long: a node that is busy may not have read it yet."""
    settle_s: float = 1.0
    """How long an accept, or a caller who dials again, waits for the citizen's last act to be absorbed."""
    connections: int = 32
    accept_unsafe: bool = False
    """Serve on a store whose settings can lose what was acknowledged."""

    declined_kept: int = 32
    """A session remembers this many who declined it."""
    devices: int = 16
    """An assignee is reached through at most this many at once."""
    queues: int = 256
    """An assignee serves at most this many queues."""
    slots: int = 1000
    """The largest capacity for one medium."""
