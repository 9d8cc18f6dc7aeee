"""A page of a session's events, the same for who fetches them and for who is called."""

from __future__ import annotations

from channels.govapi.matter import Matter
from channels.govapi.messages import Events


def page(matter: Matter, after: int, limit: int) -> Events:
    """The events after a cursor, with the cursor to ask with next."""
    events = tuple(matter.after(after, limit))
    more = bool(events) and bool(matter.after(events[-1].cursor, 1))
    cursor = events[-1].cursor if more else max(after, matter.version)
    return Events(matter.session_id, matter.user, events, cursor, more)
