"""What the history says of a session in one row: a fold over its events, so that a replay gives the same row. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from session import events as ev
from session.ids import SessionId
from session.machine import BrokenLaw, advance, begin
from session.rules import Rules
from session.state import AssigneeKind, Session


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as it stands after the last event that was archived, and what the machine itself need not know."""

    session: Session
    answered_at: float | None = None
    """When a human first had it."""
    offers: int = 0
    """How often it was put before somebody."""
    contact_kind: str | None = None
    """诉求类型, as the assignee wrote it up."""
    rating: int | None = None
    solved: bool | None = None
    """Whether the citizen says that the matter is; None where they have not said."""

    @classmethod
    def begin(cls, session: SessionId, opened: ev.SessionOpened, rules: Rules) -> SessionRecord:
        """The record of a session that has just been opened."""
        return cls(begin(session, opened)).after(opened, rules)

    def after(self, event: ev.Event, rules: Rules) -> SessionRecord:
        """The record after one more event, by the rules that the session lives by: by others it would end elsewhere."""
        try:
            session, _ = advance(self.session, event, rules)
        except BrokenLaw:
            # A defect of the machine. History keeps every event all the same: it must be there to find the defect by.
            session = replace(self.session, version=self.session.version + 1)
        return replace(self._noted(event), session=session)

    def _noted(self, event: ev.Event) -> SessionRecord:
        match event:
            case ev.OfferMade():
                return replace(self, offers=self.offers + 1)
            case ev.OfferAccepted(kind=AssigneeKind.AGENT) if self.answered_at is None:
                return replace(self, answered_at=event.at)
            case ev.WrapFinished(kind=kind) if kind:
                return replace(self, contact_kind=kind)
            case ev.RatingGiven(score=score, solved=solved):
                return replace(self, rating=score, solved=solved)
        return self
