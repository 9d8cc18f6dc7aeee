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

from session.address import Address
from session.audio import Announcement
from session.errors import YihaoError
from session.events import MessageFailed
from session.ids import AssigneeId, LegId, MessageId, RecordingId, SessionId
from session.notice import Notice
from session.ports import Entry
from session.state import Conference, Failure, LegEnd, Medium, Supervision
from session.ways import Obstacle


class ChannelError(YihaoError):
    """A channel could not do what it was asked."""

    failure: Failure = Failure.REFUSED
    """What it means for a message that was to be sent."""
    code: str | int = ""
    """The carrier's own word for it, where it gave one."""


class LegUnknown(ChannelError):
    """The leg is not, or no longer, held by this channel on this node."""

    failure = Failure.NO_WAY

    def __init__(self, leg: LegId) -> None:
        self.leg = leg
        super().__init__(f"leg {leg} is not held here")


def failed(channel: str, message: MessageId, reason: Failure, code: str | int = "") -> tuple[MessageFailed, str]:
    """The event of a message that will not come by a channel, and what names it once for all who may tell of it."""
    event = MessageFailed(message=message, channel=channel, reason=reason, code=str(code or ""))
    return event, f"failed:{channel}:{message}:{reason}"


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
    recalls: bool = False
    """What was shown to the citizen can be taken back (撤回)."""


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


@dataclass(frozen=True, slots=True)
class Absence:
    """Nobody takes what a citizen would write now."""

    why: Obstacle
    until: float | None
    """When people answer again, where anybody can say."""
    is_reached: bool
    """They have proven a number of theirs."""


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
class Notifies(Protocol):
    """A channel that can tell a citizen something at an address, with no leg there."""

    async def may_notify(self, to: Address, template: str) -> bool:
        """Whether it has a way to that address now for a notice of that template. Raises `StoreUnavailable`."""
        ...

    async def notify(self, to: Address, notice: Notice) -> None:
        """Send a notice; one of the same `id` is sent once. What becomes of it is told in `notice.session`.

        Returns when the carrier has it, or has been given it to try for longer. Raises `ChannelError`: with
        `retryable` nothing was sent, and the same may be asked again (quiet hours, a bound); else its `failure` says
        why it will not come by this way. Raises `StoreUnavailable`.
        """
        ...


@runtime_checkable
class ShowsCodes(Protocol):
    """A channel with QR codes of its own: a scan of one is told by `channels.door.Ports.scanned`."""

    capabilities: Capabilities

    async def show_code(self, scene: str, ttl_s: int) -> str:
        """The content of a temporary code that tells its `scene` when it is scanned. Raises `ChannelError`."""
        ...


@dataclass(frozen=True, slots=True)
class LinkVisit:
    """A browser that came by a link of ours: the leg that it has, and what it proves itself by from now on."""

    leg: LegId
    address: Address
    proof: str


@runtime_checkable
class JoinsByLink(Protocol):
    """A channel whose legs a browser opens: a citizen may go on there with a session of theirs."""

    async def join_by_link(self, session: SessionId, visit: str) -> LinkVisit:
        """Open a leg in a running session. The same `visit` is the same leg, and the same browser for ever.

        Raises `SessionGone`, `StoreUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a citizen may still be told before they write again (下发额度)."""

    left: int
    until: float | None
    """When what is left lapses, about; None where nothing is left to lapse."""


@runtime_checkable
class Rations(Protocol):
    """A channel on which a citizen's own act allows only so many messages, for only so long."""

    async def allowance(self, leg: LegId) -> Allowance:
        """What may be sent to a leg now. Raises `LegUnknown`, `StoreUnavailable`."""
        ...


@runtime_checkable
class FollowsTimeline(Protocol):
    """A channel whose far end shows the session's timeline itself (a socket of ours)."""

    async def follow(self, entry: Entry) -> None:
        """One more event of a session that this channel may have legs of. Called in the order of the log."""
        ...


@runtime_checkable
class Dials(Protocol):
    """A channel that carries audio and calls citizens by itself: the agent's end comes first, then theirs."""

    @property
    def calls_out(self) -> bool:
        """Whether it has a way to anybody, as it is configured."""
        ...

    async def reserve(self, session: SessionId, leg: LegId, contact: Address, number: str, *, is_taken: bool) -> None:
        """Make ready for a call to `contact`, from our `number`: devices can be rung for it by `CarriesAudio.ring`.

        `is_taken`: an agent has the session already. Where they do not pick up it posts `DialFailed`, since no offer
        runs out. Idempotent; where no device is picked up, all is as if it had never been.
        """
        ...

    async def dial(self, leg: LegId, ring_s: float) -> None:
        """Call them, at most once: posts `DialStarted` before, and then `LegOpened` or `DialFailed`. Returns at once.

        Raises `LegUnknown` where no device of an agent is up for it here.
        """
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
class ShowsOut(Protocol):
    """A channel on whose calls a citizen can be sent on their way without a human: by a word, or with a message."""

    async def let_go(self, leg: LegId, items: Sequence[Announcement]) -> None:
        """Let a citizen hear announcements to the end, then hang up. Returns at once; not where it is joined."""
        ...

    async def take_message(self, leg: LegId, recording: RecordingId, longest_s: float) -> None:
        """Ask a citizen for a voice message and record it; the same `recording` is asked for once. Returns at once.

        It ends by silence, a key, its bound or their hanging up; posts what became of the recording, and then
        `VoiceMessageLeft`, which stands before the end of the leg.
        """
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

    async def supervise(self, leg: LegId, by: AssigneeId, what: Supervision, turn: int) -> None:
        """Call a supervisor to the call, or let the one who is there do this. `turn` is as in `press`.

        Posts `LegOpened` for the supervisor's leg, then `SupervisionChanged`, `SessionTakenOver`, `SupervisionEnded`.
        """
        ...

    async def call_third(
        self, leg: LegId, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, turn: int
    ) -> None:
        """Call colleagues, one after the other, or a number outside, while the citizen waits. `turn` is as in `press`.

        Posts `LegOpened` for the third's leg, then `ConferChanged`, `CallPassedOn`, `ThirdEnded`.
        """
        ...

    async def confer(self, leg: LegId, what: Conference, turn: int) -> None:
        """Let others of the call talk with each other than do. `turn` is as in `press`."""
        ...
