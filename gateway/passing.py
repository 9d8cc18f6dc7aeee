"""What a desk is told in passing, and does not miss where it is lost: that a citizen writes, how a call sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from realtime import desk as frames
from realtime.link import Link
from session.ids import SessionId
from session.state import Party


class Passing:
    """Of one node's desks; `having` gives the pages of whoever has a session."""

    def __init__(self, having: Callable[[SessionId], Iterable[Link]]) -> None:
        self._having = having

    def typing(self, session: SessionId) -> None:
        """The citizen of a session writes."""
        for link in self._having(session):
            link.mention(frames.Typing(session=session))

    def sounded(self, session: SessionId, party: str, mos: float, loss: float, jitter_ms: float) -> None:
        """How one end of a session's call has sounded lately."""
        whose = frames.ContactSound(
            session=session,
            party="citizen" if party == Party.CITIZEN else "assignee",
            mos=mos,
            loss=loss,
            jitter_ms=jitter_ms,
        )
        for link in self._having(session):
            link.mention(whose)
