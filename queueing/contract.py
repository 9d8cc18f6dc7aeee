"""What the gateway may ask of the store. One suite of tests walks every implementation.

Every method that changes anything is one atomic step: state, line, charges and log change together or not at all.
Times are the store's. All raise `session.ports.StoreUnavailable` where the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from session.address import Address
from session.effects import LegEffect, QueueChange
from session.events import CallBegun, Event, LegOpened, SessionOpened
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Entry, NodeMail, Note, Place, SharedState, Thread, Verdict
from session.state import AssigneeKind, Medium, Session, Skill


class Presence(StrEnum):
    """What a person chose. Anything but `ready` needs a reason."""

    READY = "ready"
    BREAK = "break"
    OFF = "off"


class Routing(StrEnum):
    """What the system makes of it (`queueing.policy.routing`).

    Of those that hold, the first in this order: engaged, wrapping, offered, unreachable, not_responding, off, ready.
    """

    UNREACHABLE = "unreachable"
    NOT_RESPONDING = "not_responding"
    OFF = "off"
    ENGAGED = "engaged"
    OFFERED = "offered"
    WRAPPING = "wrapping"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Profile:
    """What an assignee can take: the part of their account that the queue needs."""

    assignee: AssigneeId
    kind: AssigneeKind
    queues: tuple[str, ...]
    capacity: Mapping[Medium, int]
    """Sessions at once, by medium. While a call is charged nothing else is offered."""
    skills: tuple[Skill, ...] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """One session that an assignee has."""

    session: SessionId
    medium: Medium
    state: str
    """offered, engaged or wrapping."""


@dataclass(frozen=True, slots=True)
class AssigneeView:
    """An assignee at one instant."""

    profile: Profile
    presence: Presence
    reason: str
    routing: Routing
    since: float
    """When `routing` last changed."""
    reachable: frozenset[Medium]
    charges: tuple[Charge, ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue at one instant."""

    queue: str
    waiting: int
    longest_wait_s: float
    ready: int
    """Assignees who could take one now."""


@dataclass(frozen=True, slots=True)
class Promises:
    """Calls that are owed, and what became of those that were (漏接回拨)."""

    owed: int
    overdue: int
    next_due_at: float | None
    kept: int
    """By our call, in time."""
    returned: int
    """By the citizen's own return, in time."""
    late: int
    unreached: int

    @property
    def kept_rate(self) -> float | None:
        """Of the promises that have ended; None before the first has."""
        ended = self.kept + self.returned + self.late + self.unreached
        return (self.kept + self.returned) / ended if ended else None


@dataclass(frozen=True, slots=True)
class Commit:
    """What a mailbox writes at once: the session at `session.version`, and what must follow from getting there."""

    session: Session
    from_version: int
    """The version that the stored snapshot stood at."""
    fence: int
    changes: tuple[QueueChange, ...]
    effects: tuple[tuple[str, LegEffect], ...]
    """By name (`<version>.<index>`); kept as pending until `performed`."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A session as its node takes it over: snapshot, its fence, and the effects that were never marked performed."""

    session: Session
    fence: int
    log_version: int
    pending: tuple[tuple[str, LegEffect], ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did; zero all over means nothing was due."""

    expired: int = 0
    timers: int = 0
    vanished: int = 0
    matched: int = 0


class NoRoom(StrEnum):
    """Why an agent cannot begin a call now."""

    UNKNOWN = "unknown_agent"
    NO_PHONE = "no_phone"
    """Nothing would bring them a voice."""
    NO_SLOT = "no_slot"
    """They have a call, are offered one, or write one up (law 4)."""


class Log(Protocol):
    """The sessions' logs: the truth. Versions begin at 1 and have no gap (law 9)."""

    async def open(
        self,
        session: SessionId,
        node: NodeId,
        opened: SessionOpened,
        first_leg: LegOpened,
        first_word: Event | None = None,
        *,
        dedupe: str,
        word_dedupe: str | None = None,
        at: float | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> tuple[SessionId, bool]:
        """Begin a session, or find the one that this contact belongs to; `True` where it began.

        The citizen's open session is gone on with (the leg and the word are appended to it), whatever address of
        theirs began it (`Kin`) where the network vouches for this one; unless both it and the new leg are calls: then
        another person is calling from the same number. The same `dedupe` gives the same session. `at` in the past is
        the true time of arrival of a call that was kept while the store was away. A first word that is known already
        begins nothing: it gives the session that it stands in, closed or not, and leaves the thread as it is. Raises
        `ThreadMoved`.
        """
        ...

    async def begin(
        self, session: SessionId, node: NodeId, opened: SessionOpened, begun: CallBegun, *, dedupe: str
    ) -> SessionId | NoRoom:
        """Begin a session that `begun.by` has without an offer: written, theirs and charged as a call at once, or not
        at all. The same `dedupe` gives the same session.
        """
        ...

    async def append(
        self,
        session: SessionId,
        event: Event,
        *,
        dedupe: str | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> int:
        """Append; gives the version. Same `dedupe` in 24 h, same version. Raises `SessionGone`, `ThreadMoved`."""
        ...

    async def join(self, kept: Entry, other: Entry) -> bool:
        """Write both at these versions; from now on what is appended to `other`'s session goes to `kept`'s.

        False, and nothing written, where either log has moved on, or either session is over or joined already.
        """
        ...

    async def split(self, kept: Entry, other: Entry) -> bool:
        """Write both, `kept` at its version; `other`'s session has its own events again. False as with `join`."""
        ...

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """The events after a version, in order; empty for a session that is gone."""
        ...

    async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        """All sessions' events in the order in which they were committed, from a cursor; gives the next cursor.

        `"$"` is now, `"0"` the oldest kept. Returns after `block_s` with nothing where nothing happens.
        """
        ...

    async def trim(self, cursor: str) -> None:
        """Events up to the cursor are safe elsewhere: they may leave the feed when they have been there long enough for
        everybody to read (`feed_s`); sessions that closed long ago (`forget_s`) are forgotten.
        """
        ...

    async def open_session_of(self, session: SessionId) -> Session | None:
        """The stored snapshot of a session, closed or not; None once it is forgotten."""
        ...


class Kin(Protocol):
    """Which addresses are one citizen's. The truth is the log of identity; this is a copy that says how far it goes."""

    async def known(self) -> int:
        """How far the log of identity has been taken in; 0 at first."""
        ...

    async def relate(self, since: int, upto: int, persons: Sequence[Sequence[Address]]) -> bool:
        """Everybody whom the log has touched between two places in it, as they are now: each with all addresses.

        False, and nothing done, where another has moved on from `since`.
        """
        ...


class Mailboxes(Protocol):
    """One hand per live session turns its events into the next state."""

    async def claim(self, session: SessionId, node: NodeId) -> Mailbox | None:
        """Take (or go on with) a mailbox; None where a living node has it, or nothing is left to do for the session.

        A closed session is still to be had while effects of it are pending.
        """
        ...

    async def absorb(self, commit: Commit) -> int:
        """Commit. Gives the log's version afterwards (changes may have made the queue write events).

        `commit.session.version` must be the log's: what the queue wrote meanwhile may change what must follow. The
        same commit again changes nothing. Raises `StaleFence`, `VersionConflict`.
        """
        ...

    async def performed(self, session: SessionId, fence: int, names: Sequence[str]) -> None:
        """These effects are done."""
        ...

    async def beat(self, node: NodeId, *, ttl_s: float) -> bool:
        """This node lives. False, once, where it was taken for dead meanwhile: it must drop what it held.

        Where no node at all has beaten for a whole `ttl_s`, the store was away: those that lived then are forgiven.
        """
        ...

    async def leave(self, node: NodeId) -> None:
        """This node ends in good order."""
        ...

    async def orphans(self, limit: int = 100) -> list[tuple[SessionId, NodeId]]:
        """Sessions whose node is dead, with that node. Any living node may claim them."""
        ...

    async def unabsorbed(self, node: NodeId, limit: int = 100) -> list[SessionId]:
        """This node's sessions with events that no mailbox has absorbed: a wake-up was lost."""
        ...

    async def dead_nodes(self) -> frozenset[NodeId]:
        """Nodes whose lease ran out in the last day."""
        ...

    async def send(self, node: NodeId, effect: tuple[SessionId, str, LegEffect]) -> None:
        """Pass an effect to the node that owns its leg."""
        ...

    async def receive(
        self, node: NodeId, after: str, *, block_s: float = 5.0
    ) -> tuple[str, list[tuple[SessionId, str, LegEffect]]]:
        """Effects passed to this node, after a cursor (`"0"` at the start)."""
        ...


class Queue(Protocol):
    """Who takes what. Offers come out as events in the sessions' logs."""

    async def enlist(self, profile: Profile) -> None:
        """Add or change an assignee. Keeps their presence and charges."""
        ...

    async def discharge(self, assignee: AssigneeId) -> None:
        """Take an assignee out of the roster; what is offered to them is rescinded."""
        ...

    async def present(self, assignee: AssigneeId, presence: Presence, reason: str = "") -> AssigneeView:
        """Choose presence. Choosing `ready` ends `not_responding`; anything else rescinds pending offers."""
        ...

    async def reach(self, assignee: AssigneeId, via: str, media: frozenset[Medium], *, ttl_s: float) -> AssigneeView:
        """A device (`via`: one socket, one registration) can bring them these media for `ttl_s`.

        It must say so again before that time is over.
        An empty set takes the device away. Where the last device for an offered medium goes, the offer is rescinded
        (the caller waits its 3 s before it says so); where the last device of all goes they are unreachable.
        """
        ...

    async def roster(self) -> list[AssigneeView]:
        """All enlisted assignees."""
        ...

    async def view(self, assignee: AssigneeId) -> AssigneeView:
        """One assignee. Raises `UnknownAssignee`."""
        ...

    async def queues(self) -> list[QueueView]:
        """All queues that have been used."""
        ...

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        """See `session.ports.Inbox.accept`. Writes `OfferAccepted`."""
        ...

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        """Writes `OfferDeclined`, puts the session back with its wait, and remembers (law 13).

        The decliner is asked nothing for `Settings.decline_pause_s`.
        """
        ...

    async def place(self, session: SessionId) -> Place | None:
        """Place in line and estimated wait, O(log n)."""
        ...

    async def promises(self) -> Promises:
        """How it stands with the calls that are owed."""
        ...

    async def match(self, limit: int = 100) -> int:
        """Make every offer that can be made, at most `limit`; how many. Cheap when there is nothing to do."""
        ...

    async def sweep(self, limit: int = 100) -> Swept:
        """Expire leases, fire timers, drop devices whose time ran out, match what is left. Any node, every 250 ms."""
        ...


class Store(Protocol):
    """All of it, over one connection pool. Opened by an async context manager of the implementation."""

    @property
    def log(self) -> Log: ...
    @property
    def kin(self) -> Kin: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def queue(self) -> Queue: ...
    @property
    def shared(self) -> SharedState: ...
    @property
    def mail(self) -> NodeMail: ...

    def wakes(self) -> AsyncIterator[None]:
        """Whenever `match` could make an offer, as a hint that nobody trusts. (What grew is told by `Log.follow`.)"""
        ...

    async def say(self, word: bytes) -> None:
        """Tell all nodes, this one too, what nobody misses who does not hear it: it is kept nowhere."""
        ...

    def words(self) -> AsyncIterator[bytes]:
        """What is said, from the moment at which it is listened to."""
        ...

    async def ready(self) -> bool:
        """The store answers, and its durable settings stand."""
        ...
