"""One session as one client sees it, folded from its timeline. Pure.

A client is shown what concerns its own user at its own door: the user's words that came by it, what assignees write
while its leg lives, and where the session stands. Words from other channels, notes and logins are never among it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

from channels.contract import Badge
from channels.govapi.messages import (
    Assignee,
    Event,
    File,
    Message,
    MessageEvent,
    Phase,
    ProgressEvent,
    Sender,
    StateEvent,
)
from session import events as ev
from session.ids import MessageId, SessionId
from session.machine import TABLE, advance, begin
from session.ports import Entry
from session.quoting import spoken
from session.state import AssigneeKind, Leg, LegState, Party, Session
from session.state import Phase as SessionPhase

PHASES: dict[SessionPhase, Phase] = {
    SessionPhase.NEW: "waiting",
    SessionPhase.BOT: "with_bot",
    SessionPhase.CHOOSING: "waiting",
    SessionPhase.QUEUED: "waiting",
    SessionPhase.OFFERED: "waiting",
    SessionPhase.ACTIVE: "talking",
    SessionPhase.PARKED: "parked",
    SessionPhase.WRAPPING: "ended",
    SessionPhase.CALLBACK_PENDING: "callback",
    SessionPhase.CLOSED: "ended",
}
_Word = ev.TextReceived | ev.FileReceived | ev.TextSent | ev.FileSent
_ENDED = (SessionPhase.WRAPPING, SessionPhase.CLOSED)


class Matter:
    """`hear` takes the entry at `version + 1`."""

    def __init__(self, session: SessionId, channel: str, client: str, badge: Badge) -> None:
        self.session_id, self.client = session, client
        self.version = 0
        self.session: Session | None = None
        self.events: list[Event] = []
        self._channel, self._badge = channel, badge
        self._legs: dict[str, str] = {}
        """This client's, with the user of each."""
        self._words: dict[str, int] = {}
        """Messages that the user's side wrote, with their versions."""
        self._answers: dict[str, int] = {}
        """Messages to the user."""
        self._files: set[str] = set()
        self._reached: set[str] = set()
        """Of those to the user: what the platform has."""
        self._seen = 0
        """The version of the newest message to the user that they have read."""
        self._answered = self._rated = False

    # --- what it is -------------------------------------------------------------------------------------------------

    @property
    def is_known(self) -> bool:
        """The client has, or had, a part in it."""
        return bool(self._legs)

    @property
    def user(self) -> str:
        """The client's name for its user."""
        return next(reversed(self._legs.values()), "")

    @property
    def legs(self) -> tuple[Leg, ...]:
        """This client's that live."""
        legs = self.session.live_legs(Party.CITIZEN) if self.session is not None else ()
        return tuple(leg for leg in legs if leg.id in self._legs and leg.state is not LegState.ENDED)

    @property
    def is_over(self) -> bool:
        """Nothing more will happen."""
        return self.session is not None and self.session.phase is SessionPhase.CLOSED

    @property
    def phase(self) -> Phase:
        """Where it stands for the user; ended too where it only goes on elsewhere."""
        if self.session is None:
            return "waiting"
        if not self.legs and self.session.phase is not SessionPhase.CALLBACK_PENDING:
            return "ended"
        return PHASES[self.session.phase]

    @property
    def assignee(self) -> Assignee | None:
        """Who has it, as they are called before citizens."""
        session = self.session
        if session is None or session.assignee is None or self.phase not in ("with_bot", "talking"):
            return None
        kind = session.assignee_kind
        return Assignee(self._badge(session.assignee), "bot" if kind is AssigneeKind.BOT else "agent")

    @property
    def may_be_rated(self) -> bool:
        """Somebody answered, and it is over. What is said again changes nothing: the first rating stands."""
        return self._answered and self.session is not None and self.session.phase in _ENDED

    @property
    def is_rated(self) -> bool:
        """The user has rated it."""
        return self._rated

    def version_of(self, message: str) -> int | None:
        """Where a message of the user's stands; None where it is not there."""
        return self._words.get(message)

    def answered_at(self, message: str) -> int | None:
        """Where a message to the user stands."""
        return self._answers.get(message)

    def has_read(self, version: int) -> bool:
        """Whether the user has read up to there already."""
        return self._seen >= version

    def has_file(self, file: str) -> bool:
        """Whether the client has seen the file in a message."""
        return file in self._files

    def after(self, cursor: int, limit: int) -> list[Event]:
        """The events after a cursor, about `limit` of them: those of one entry stay together."""
        first = bisect_right(self.events, cursor, key=lambda event: event.cursor)
        last = first + limit
        while 0 < last < len(self.events) and self.events[last].cursor == self.events[last - 1].cursor:
            last += 1
        return self.events[first:last]

    def unreached(self, cursor: int) -> list[MessageId]:
        """Messages to the user up to a cursor of which the timeline does not know yet that they have arrived."""
        return [MessageId(one) for one, at in self._answers.items() if at <= cursor and one not in self._reached]

    # --- what it becomes --------------------------------------------------------------------------------------------

    def hear(self, entry: Entry) -> None:
        """Take the next entry."""
        event = entry.event
        before, was_known = self._state(0.0), self.is_known
        self._note_leg(event)
        self._move(entry.session, event)
        self.version = entry.version
        if not self.is_known:
            return
        shown = self._shown(event)
        if shown is not None:
            self.events.append(shown)
        if isinstance(event, ev.MessageRead) and event.by is Party.CITIZEN:
            self._seen = max(self._seen, self._answers.get(event.message, 0))
        after = self._state(event.at)
        if not was_known or replace(after, at=before.at, cursor=before.cursor) != before:
            self.events.append(after)

    def _state(self, at: float) -> StateEvent:
        may_rate = self.may_be_rated and not self._rated
        return StateEvent(cursor=self.version, at=at, phase=self.phase, assignee=self.assignee, may_rate=may_rate)

    def _note_leg(self, event: ev.Event) -> None:
        if isinstance(event, ev.LegOpened) and event.leg.channel == self._channel and event.leg.address is not None:
            address = event.leg.address
            if address.account == self.client:
                self._legs[event.leg.id] = address.identifier

    def _move(self, session: SessionId, event: ev.Event) -> None:
        if self.session is None:
            if not isinstance(event, ev.SessionOpened):
                raise ValueError("a session's log begins with its opening")
            self.session = begin(session, event)
        self._answered = self._answered or isinstance(event, ev.OfferAccepted)
        self._rated = self._rated or isinstance(event, ev.RatingGiven)
        if (self.session.phase, type(event)) in TABLE:
            self.session, _ = advance(self.session, event)

    def _shown(self, event: ev.Event) -> Event | None:
        match event:
            case ev.TextReceived() | ev.FileReceived() if event.leg in self._legs:
                self._words[event.message] = self.version
                return MessageEvent(self.version, event.at, self._message(event, "citizen", ""))
            case ev.TextSent() | ev.FileSent() if self.legs:
                self._answers[event.message] = self.version
                sender: Sender = "bot" if event.kind is AssigneeKind.BOT else "agent"
                return MessageEvent(self.version, event.at, self._message(event, sender, self._badge(event.by)))
            case ev.MessageRead() if event.by is Party.ASSIGNEE and event.message in self._words:
                return ProgressEvent(self.version, event.at, event.message, "read")
            case ev.MessageDelivered() if event.to is Party.ASSIGNEE and event.message in self._words:
                return ProgressEvent(self.version, event.at, event.message, "delivered")
            case ev.MessageDelivered():
                self._reached.add(event.message)
        return None

    def _message(self, event: _Word, sender: Sender, name: str) -> Message:
        if isinstance(event, ev.TextReceived | ev.TextSent):
            text = spoken(event) if isinstance(event, ev.TextSent) else event.text
            return Message(event.message, sender, name, text, None)
        self._files.add(event.file)
        file = File(event.file, event.name, event.content_type, event.size_bytes)
        return Message(event.message, sender, name, None, file)
