"""What every channel is to the gateway. A Protocol, not a base class; what a channel can do is data.

A channel is given its settings, an `Inbox` and the ports that it asks for, and nothing else. It is opened by an async
context manager (`channels.door`). A new channel is one folder, its section in the configuration, and its mirrored
tests: docs/add-a-channel.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from aiohttp import web

from session.audio import Announcement
from session.errors import YihaoError
from session.ids import AssigneeId, LegId, MessageId, RecordingId, SessionId
from session.ports import Entry
from session.state import LegEnd, Medium


class ChannelError(YihaoError):
    """A channel could not do what it was asked."""


class LegUnknown(ChannelError):
    """The leg is not, or no longer, held by this channel on this node."""

    def __init__(self, leg: LegId) -> None:
        self.leg = leg
        super().__init__(f"leg {leg} is not held here")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can do."""

    schemes: tuple[str, ...]
    """Of the addresses that are its own."""
    medium: Medium
    survives_node: bool
    """A leg goes on when the node that holds it dies: its citizen connects again elsewhere."""
    follows_timeline: bool
    """It is fed the session's timeline (`FollowsTimeline`) and needs no `send`."""
    longest_text: int

    @property
    def is_letters(self) -> bool:
        """No connection could be cut: a leg is no node's own, and every node sends to it."""
        return self.medium is Medium.MESSAGE


@dataclass(frozen=True, slots=True)
class Text:
    """A text to a citizen."""

    message: MessageId
    text: str


@dataclass(frozen=True, slots=True)
class FileLink:
    """A file to a citizen."""

    message: MessageId
    file: str
    name: str
    content_type: str
    size_bytes: int


Content = Text | FileLink

Timeline = Callable[[SessionId], Awaitable[Sequence[Entry]]]
"""Reads a session's whole timeline, live and archived, in order and without a gap. Raises `StoreUnavailable`."""

Badge = Callable[[AssigneeId], str]
"""How an assignee is called before citizens: an agent's number (工号), a bot's name."""


class Channel(Protocol):
    """One way in."""

    name: str
    capabilities: Capabilities

    def routes(self) -> Sequence[web.RouteDef]:
        """Its webhooks, sockets and pages."""
        ...

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Bring content to a leg. Raises `ChannelError`; `retryable` says whether to try again."""
        ...

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:
        """End a leg. Idempotent; one that is not here is no error."""
        ...

    async def drain(self, within_s: float) -> None:
        """Take nothing new; return when what runs has ended, or after `within_s`."""
        ...


@runtime_checkable
class FollowsTimeline(Protocol):
    """A channel whose far end shows the session's timeline itself (a socket of ours)."""

    async def follow(self, entry: Entry) -> None:
        """One more event of a session that this channel may have legs of. Called in the order of the log."""
        ...


@runtime_checkable
class CarriesAudio(Protocol):
    """A channel whose legs are calls."""

    async def play(self, leg: LegId, items: Sequence[Announcement], *, music: bool) -> None:
        """Let a leg hear announcements, then music without end where `music`. Ignored once it is joined."""
        ...

    async def ring(
        self, session: SessionId, citizen_leg: LegId, assignee: AssigneeId, token: int, lease_until: float
    ) -> None:
        """Call the assignee's devices; picking up asks `Inbox.accept`, refusing `Inbox.decline`.

        Returns at once. After a granted accept it posts `LegOpened` for the assignee's leg.
        """
        ...

    async def stop_ringing(self, citizen_leg: LegId, assignee: AssigneeId, token: int) -> None:
        """The offer is over without them. Idempotent."""
        ...

    async def join(self, session: SessionId, citizen_leg: LegId, assignee_leg: LegId, recording: RecordingId) -> None:
        """Let both hear each other and record them; posts `LegsJoined` and what became of the recording."""
        ...


@runtime_checkable
class HandlesCalls(Protocol):
    """A channel on whose calls an assignee may act from elsewhere than their telephone. `leg` is the citizen's."""

    async def hold(self, leg: LegId, *, held: bool) -> None:
        """Let the citizen hear music and the assignee nothing, or both each other again; posts `LegHeld`."""
        ...

    async def mute(self, leg: LegId, *, muted: bool) -> None:
        """Let the assignee not be heard, or be heard again; posts `LegMuted`."""
        ...

    async def press(self, leg: LegId, digits: str, turn: int) -> None:
        """Send digits to the far end; a `turn` that is not higher than the last was sent before."""
        ...
