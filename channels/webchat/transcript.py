"""One session as its citizen sees it, folded from its timeline. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from channels.contract import Badge
from channels.webchat.translate import (
    is_from,
    is_further,
    message_of,
    progress_frame,
    recalled,
    shown,
    standing,
    state_frame,
)
from realtime.citizen import Message, MessageNew, MessageState, Snapshot, Standing
from realtime.messages import Durable
from session import belonging as bl
from session import events as ev
from session.address import Address
from session.ids import LegId, SessionId
from session.machine import TABLE, advance, begin
from session.ports import Entry
from session.state import DialFailure, Leg, Medium, Party, Session

_MOST_MESSAGES = 200
_SHOWN_CHARACTERS = 100_000
_NOTED = frozenset(
    {
        *(ev.OfferAccepted, ev.CallBegun, ev.RatingGiven, ev.SessionTransferred),
        *(ev.CallRequested, ev.DialStarted, ev.DialFailed),
    }
)
"""What the page is shown of besides what the session itself knows."""


class Transcript:
    """`hear` takes the next entry and gives what is to be shown. Older messages than `_MOST_MESSAGES` are let go."""

    __slots__ = (
        "_address",
        "_answered",
        "_badge",
        "_call_failed",
        "_dialled",
        "_handed_on",
        "_joined",
        "_rated",
        "_standing",
        "came_at",
        "leg",
        "messages",
        "offset",
        "session",
        "session_id",
        "version",
    )

    def __init__(
        self,
        session_id: SessionId,
        address: Address,
        badge: Badge,
        earlier: Transcript | None = None,
        joined: SessionId | None = None,
    ) -> None:
        self.session_id = session_id
        self.version = 0
        self.offset: int = earlier.offset + earlier.version if earlier is not None else 0
        """Added to a version it gives a place among all messages, those of earlier sessions too."""
        self.session: Session | None = None
        self.leg: Leg | None = None
        """The citizen's chat at this address that has not ended; a call from the same page is none."""
        self.came_at = 0.0
        """When their last leg at this address was opened; 0 before any."""
        self._address = address
        self.messages: dict[str, MessageNew] = {}
        """By id, oldest first; those of the citizen's `earlier` session stay above."""
        if earlier is not None:
            self.messages.update(earlier.messages)
        self._joined = joined
        """Nothing is shown before this session came to it; None where all is."""
        self._badge = badge
        self._rated = self._answered = self._handed_on = False
        self._call_failed: DialFailure | None = None
        self._dialled: LegId | None = None
        self._standing = standing(None, badge, rated=False, answered=False, handed_on=False)

    @property
    def standing(self) -> Standing:
        """Where the matter stands."""
        return self._standing

    @property
    def awaits(self) -> tuple[SessionId, int]:
        """Which entry `hear` takes next: its session and version."""
        return self.session_id, self.version + 1

    @property
    def was_answered(self) -> bool:
        """Whether anybody has taken the matter up."""
        return self._answered

    def has(self, message: str) -> bool:
        """Whether a message stands in this session's timeline, and not only above it."""
        known = self.messages.get(message)
        return known is not None and known.rev > self.offset

    def has_file(self, file: str) -> bool:
        """Whether a file was sent in this conversation."""
        return any(message.file is not None and message.file.id == file for message in self.messages.values())

    def snapshot(self) -> Snapshot:
        """All that the page shows: the newest messages that fit."""
        newest: list[Message] = []
        left = _SHOWN_CHARACTERS
        for message in reversed(list(self.messages.values())):
            left -= len(message.text or "")
            if left < 0:
                break
            newest.append(shown(message))
        return Snapshot(state=self._standing, messages=tuple(reversed(newest)))

    def hear(self, entry: Entry) -> list[Durable]:
        """Take the entry at `version + 1`; gives the frames that show it."""
        event = entry.event
        self.version = entry.version
        if type(event) is ev.LegOpened:
            self.came_at = max(self.came_at, came_at(entry, self._address))
        elif type(event) is bl.SessionsJoined and event.other == self._joined:
            self._joined = None
            self.came_at = event.at
        frames = self._messages(event) if self._joined is None else []
        kind = type(event)
        if kind in _NOTED:
            self._note(event)
        if self.session is None:
            if not isinstance(event, ev.SessionOpened):
                raise ValueError("a session's log begins with its opening")
            self.session = begin(entry.session, event)
        if (self.session.phase, kind) in TABLE:
            self.session, _ = advance(self.session, event)
            frames.extend(self._restated())
        elif kind is ev.RatingGiven or kind is ev.DialStarted:
            frames.extend(self._restated())
        return frames

    def _note(self, event: ev.Event) -> None:
        match event:
            case ev.OfferAccepted() | ev.CallBegun():
                self._answered, self._handed_on = True, False
            case ev.RatingGiven():
                self._rated = True
            case ev.SessionTransferred():
                self._handed_on = True
            case ev.CallRequested():
                self._call_failed = None
            case ev.DialStarted():
                self._dialled = event.leg
            case ev.DialFailed():
                self._call_failed = event.reason

    def _restated(self) -> list[Durable]:
        session = self.session
        legs = session.live_legs(Party.CITIZEN) if session is not None else ()
        written = (leg for leg in reversed(legs) if leg.medium is not Medium.VOICE)
        self.leg = next((leg for leg in written if leg.address == self._address), None)
        now = standing(
            session,
            self._badge,
            rated=self._rated,
            answered=self._answered,
            handed_on=self._handed_on,
            call_failed=self._call_failed,
            page=self._address,
            dialled=self._dialled,
        )
        if now == self._standing:
            return []
        self._standing = now
        return [state_frame(now)]

    def _messages(self, event: ev.Event) -> list[Durable]:
        if type(event) is ev.MessageDelivered:
            return self._progress([event.message], "delivered", event.to)
        if type(event) is ev.MessageRead:
            return self._progress(self._up_to(event.message), "read", event.by)
        if type(event) is ev.MessageRecalled and event.message in self.messages:
            self.messages[event.message] = recalled(self.messages[event.message])
            return [self.messages[event.message]]
        message = message_of(event, self._badge, self.offset + self.version)
        if message is None or message.id in self.messages:
            return []
        self.messages[message.id] = message
        if len(self.messages) > _MOST_MESSAGES:
            del self.messages[next(iter(self.messages))]
        return [message]

    def _up_to(self, message: str) -> list[str]:
        ids = list(self.messages)
        return ids[: ids.index(message) + 1] if message in self.messages else []

    def _progress(self, ids: list[str], state: MessageState, reader: Party) -> list[Durable]:
        """What `reader` was sent has come further. One frame tells it, since "read" speaks for all earlier ones."""
        risen: MessageNew | None = None
        for one in ids:
            message = self.messages.get(one)
            if message is not None and not is_from(message, reader) and is_further(state, message.state):
                risen = self.messages[one] = replace(message, state=state)
        return [progress_frame(risen)] if risen is not None else []


def came_at(entry: Entry, address: Address) -> float:
    """When an entry brings a citizen's leg at that address; 0 for one that brings none."""
    event = entry.event
    return event.at if isinstance(event, ev.LegOpened) and event.leg.address == address else 0.0
