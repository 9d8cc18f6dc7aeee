"""The Protocols that more than one folder needs: how a channel reaches the core, and state that nodes share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from session.address import Address
from session.errors import YihaoError
from session.events import Event
from session.ids import AssigneeId, FileId, LegId, SessionId
from session.state import Medium


class StoreUnavailable(YihaoError):
    """The store cannot be reached, or did not confirm: nothing may be called accepted (law 12).

    Whether the write happened is unknown; the same event with the same `dedupe` is safe to post again.
    """

    retryable = True
    retry_after_s = 1.0

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the store did not confirm: {what}")


class SessionGone(YihaoError):
    """The session is closed, or was never there; the citizen's next word opens another."""

    def __init__(self, session: SessionId) -> None:
        self.session = session
        super().__init__(f"session {session} takes no more events")


class ThreadMoved(YihaoError):
    """The thread is not what it was taken for: another node was faster, or its leg has ended. Nothing was written."""

    def __init__(self, held: bytes) -> None:
        self.held = held
        """What it leads to now; empty for nothing."""
        super().__init__("the thread has moved on")


@dataclass(frozen=True, slots=True)
class Note:
    """A value of the shared state that is kept in the same commit as what it comes with, or not at all."""

    key: str
    value: bytes
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Thread:
    """Which leg of which session a citizen's words belong to, where no connection tells it: the same on every node.

    A contact moves it on to its own leg, and an event is written for it, only while it is what it was taken for.
    """

    key: str
    """Where the shared state keeps it."""
    held: bytes
    """What it was taken for; empty for none."""
    ttl_s: float

    @staticmethod
    def record(leg: LegId, session: SessionId) -> bytes:
        """What is kept."""
        return f"{leg}\n{session}".encode()

    def leads_to(self) -> tuple[LegId, SessionId] | None:
        """The leg and the session of what is held."""
        leg, found, session = self.held.decode().partition("\n")
        return (LegId(leg), SessionId(session)) if found else None


@dataclass(frozen=True, slots=True)
class Contact:
    """A citizen who has come to a channel: what the core needs to begin or go on with a session."""

    leg: LegId
    channel: str
    medium: Medium
    address: Address
    number: str
    """The public number or account that they reached."""
    asserted: bool = False
    """The network vouches for the address."""
    language: str = "zh"
    first: Event | None = None
    """The citizen's first word, kept in the same commit as the opening (its `leg` is this leg)."""
    first_dedupe: str | None = None
    name: str = ""
    """What they call themselves (自称), as their channel brings it: a claim, noted once they are there."""
    arrived_at: float | None = None
    """When they truly came, where the store could not be reached then (law 12)."""
    thread: Thread | None = None
    """The citizen's, which is this leg's from now on."""
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """The session that a contact belongs to. `fresh` is False where an open one is gone on with."""

    session: SessionId
    leg: LegId
    fresh: bool


class Verdict(StrEnum):
    """What became of an accept (law 3)."""

    ACCEPTED = "accepted"
    ALREADY_YOURS = "already_yours"
    EXPIRED = "expired"
    """The offer's lease has run out, or another token is current."""
    TAKEN = "taken"
    CITIZEN_GONE = "citizen_gone"
    NOT_OFFERED = "not_offered"

    @property
    def granted(self) -> bool:
        """Only then may media be joined."""
        return self in (Verdict.ACCEPTED, Verdict.ALREADY_YOURS)


class ProofRefused(YihaoError):
    """A proof of an address is not to be had, or is not good. `code` is for the page's dictionary."""

    def __init__(self, code: str, retry_after_s: float | None = None) -> None:
        self.code, self.retry_after_s = code, retry_after_s
        super().__init__(f"no proof: {code}")


class Proves(Protocol):
    """How a citizen proves that another address is theirs. All raise `ProofRefused`, `StoreUnavailable`."""

    async def send_code(
        self, holder: Address, number: str, *, session: SessionId | None = None, origin: str = ""
    ) -> None:
        """Send a code to a number, as they wrote it; whether the number is known shows in nothing.

        `origin` is where the wish came from (an IP address).
        """
        ...

    async def prove(self, holder: Address, digits: str, *, session: SessionId | None = None) -> None:
        """Take the code that they typed in."""
        ...

    async def signed(self, holder: Address, user: Address, *, session: SessionId | None = None) -> None:
        """A site that the operator trusts has signed that they are this user of its. Again it changes nothing."""
        ...

    async def show_code(self, holder: Address, *, session: SessionId | None = None) -> str:
        """The content of a QR code; whoever scans it is this citizen too. Refused where no channel has any."""
        ...


class Attests(Protocol):
    """Told what a channel's far end says of a citizen besides the address that they come by."""

    async def attest(self, holder: Address, number: str, *, vouched: bool) -> None:
        """A telephone number is theirs: a site that we trust has verified it (`vouched`), or they only say so.

        Durable when it returns; a number that is none, or a link that must not be made, is passed over. Raises
        `YihaoError` where it could not be kept.
        """
        ...


class Inbox(Protocol):
    """How a channel tells the core. Every method returns only once what it was given is durable.

    All raise `StoreUnavailable`; a webhook is then answered 503, a socket told "not accepted yet".
    """

    async def open(self, contact: Contact) -> Admission:
        """Begin a session, or go on with the citizen's open one. Idempotent by `contact.leg`.

        Raises `ThreadMoved`.
        """
        ...

    async def post(
        self,
        session: SessionId,
        event: Event,
        *,
        dedupe: str | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> int:
        """Append an event; gives its version. The same `dedupe` within 24 h is one event (law 8), same version.

        Raises `SessionGone` for a closed session, unless the event is `late`; `ThreadMoved`.
        """
        ...

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        """The assignee takes the offer (picked up, clicked). Join media only if `granted`."""
        ...

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        """The assignee or their device refuses. False where that offer is no longer pending."""
        ...


class Entry(NamedTuple):
    """One event in its place: what a timeline is made of."""

    session: SessionId
    version: int
    event: Event


@dataclass(frozen=True, slots=True)
class Binding:
    """Where an agent's telephone is reached: one contact of a registrar (RFC 3261, section 10)."""

    aor: str
    contact: str
    flow: str
    """Transport, addresses and node of the flow that it came by; requests go back the same way."""
    node: str
    call_id: str
    cseq: int
    q: float
    expires_at: float
    user_agent: str = ""
    instance: str = ""
    """The telephone's own name and the number of this flow of it (RFC 5626), where it gave them."""
    path: tuple[str, ...] = ()
    """The proxies on the way to it (RFC 3327)."""


class SharedState(Protocol):
    """Small state that all nodes share. Keys are ours and hold no personal data. Times are by the store's clock."""

    async def now(self) -> float:
        """The store's clock, seconds since 1970."""
        ...

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        """Keep a value for `ttl_s`."""
        ...

    async def put_new(self, key: str, value: bytes, *, ttl_s: float) -> bool:
        """Keep a value unless there is one; False if there was."""
        ...

    async def put_if(self, key: str, was: bytes | None, value: bytes, *, ttl_s: float) -> bool:
        """Keep a value where what is kept is still `was` (None: nothing); False where it is not."""
        ...

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        ...

    async def delete(self, key: str) -> None:
        """Forget the value."""
        ...

    async def delete_if(self, key: str, value: bytes) -> None:
        """Forget the value if it is still this one."""
        ...

    async def put_field(self, key: str, name: str, value: bytes, *, ttl_s: float) -> None:
        """Keep one field of a map; the map lives at least `ttl_s` more. Bounded at 64 fields: the 65th is refused."""
        ...

    async def fields(self, key: str) -> Mapping[str, bytes]:
        """All fields of a map."""
        ...

    async def delete_field(self, key: str, name: str) -> None:
        """Forget one field."""
        ...

    async def take(self, bucket: str, *, rate_per_s: float, burst: int) -> bool:
        """One token of a token bucket; False when it is empty."""
        ...

    async def lease(self, name: str, holder: str, *, ttl_s: float) -> int | None:
        """Hold, or go on holding, a named lease; its fencing number, or None where another holds it."""
        ...


class NodeMail(Protocol):
    """Letters from node to node, in the order in which each node sent them. Nothing is kept for a dead node."""

    async def send(self, node: str, letter: bytes) -> bool:
        """Pass a letter on; False where that node is dead. One whose outcome is unknown may arrive all the same."""
        ...

    async def receive(self, node: str, after: str, *, block_s: float = 5.0) -> tuple[str, list[bytes]]:
        """Letters to this node after a cursor (`"0"` at the start), and the next; after `block_s` there may be none."""
        ...

    async def lives(self, node: str) -> bool:
        """Whether a letter to that node would be taken."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a citizen or an agent sent."""

    id: FileId
    content_type: str
    size_bytes: int


class Files(Protocol):
    """Keeps files that people send; type checked by content, size bounded."""

    async def keep(self, chunks: AsyncIterator[bytes], claimed_type: str) -> StoredFile:
        """Store a file. Raises a typed refusal for one that is too large or is not what it says."""
        ...

    async def read(self, file: FileId) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """A kept file."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A waiting session's place (排队位置). `estimate_s` is None while too little has been measured."""

    position: int
    waiting: int
    estimate_s: float | None


class Lines(Protocol):
    """What a channel may ask about the line."""

    async def place(self, session: SessionId) -> Place | None:
        """The place of a session; None where it does not wait."""
        ...


@dataclass(frozen=True, slots=True)
class Credential:
    """What an agent's telephone proves itself by: HA1 values by algorithm (RFC 7616, section 3.4.2)."""

    login: AssigneeId
    extension: str
    realm: str
    ha1: Mapping[str, str] = field(default_factory=dict)


class Telephones(Protocol):
    """Which extensions there are."""

    async def credential(self, extension: str) -> Credential | None:
        """The secret of an extension. None for one that does not exist; the caller hides which."""
        ...

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        """The extension of an agent."""
        ...


class Reachability(Protocol):
    """Told when an agent's device comes or goes, so that only what can reach them is offered."""

    async def registered(self, assignee: AssigneeId, *, first: bool) -> None:
        """A telephone is registered; `first` after an absence, never for a refresh."""
        ...

    async def unregistered(self, assignee: AssigneeId) -> None:
        """The last telephone is gone."""
        ...


class Choices(Protocol):
    """What agents choose by their telephones."""

    async def choose(self, assignee: AssigneeId, what: str) -> bool:
        """`ready`, or the reason for which they are not; False where nobody of that name works here.

        Raises `StoreUnavailable`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that an agent has begun by calling somebody, and the call that is to be made."""

    session: SessionId
    contact: Contact


@dataclass(frozen=True, slots=True)
class Aside:
    """Whom an agent's telephone calls beside any session: colleagues, one after the other, or a number outside."""

    agents: tuple[AssigneeId, ...] = ()
    number: Address | None = None


class Beginnings(Protocol):
    """How an agent calls somebody of their own accord (主动外呼). Both raise `StoreUnavailable`."""

    async def begin(self, by: AssigneeId, typed: str, *, is_up: bool, dedupe: str) -> Begun | str:
        """The session that begins so, or the code of why they may not. `is_up`: they are on the line here already."""
        ...

    async def aside(self, by: AssigneeId, typed: str) -> Aside | str | None:
        """A colleague's extension, the name of a line, or a number to consult about the call that they have.

        Or the code of why they may not; None for a number that a session begins with.
        """
        ...


class Handover(Protocol):
    """How an agent hands a contact on by their telephone (转接)."""

    async def hand_on(self, session: SessionId, by: AssigneeId, target: str) -> str:
        """To an extension or a line of that name; empty once it is durable, else the code of why it may not be.

        Raises `StoreUnavailable`.
        """
        ...
