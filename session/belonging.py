"""Events that say whose a thing is: which citizen's an address is, and in which session a matter goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from session.address import Address
from session.event import Event
from session.identity import Proof
from session.ids import AssigneeId, LegId, LinkId, SessionId
from session.state import Leg


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsJoined(Event):
    """Another session of the same citizen goes on in this one (并案), on the agent's word: these legs come along."""

    by: AssigneeId
    other: SessionId
    legs: tuple[Leg, ...]
    waited_s: float
    """What the other had waited in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedInto(Event):
    """This session goes on in another one."""

    by: AssigneeId
    kept: SessionId
    vital: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsSplit(Event):
    """What another session had brought goes back to it (拆分): two matters, or two citizens, after all."""

    by: AssigneeId
    other: SessionId
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFrom(Event):
    """This session goes on by itself again, with these legs."""

    by: AssigneeId
    kept: SessionId
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationAsked(Event):
    """A proof is awaited that an address is the citizen's: a code was sent there, or a QR code is shown."""

    proof: Proof
    by: AssigneeId | None = None
    """The agent who asked for it; None for the citizen's own wish."""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressVerified(Event):
    """Two addresses are one citizen's (`session.identity.AddressesLinked`): this session is about both."""

    link: LinkId
    key: Address
    holder: Address
    proof: Proof
    by: AssigneeId | None = None
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressParted(Event):
    """That link was taken back: the addresses are two citizens' after all."""

    link: LinkId
    by: AssigneeId
    why: str = ""
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRevealed(Event):
    """An agent has looked at the citizen's addresses in full; the reason is for the audit."""

    by: AssigneeId
    why: str
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class NameClaimed(Event):
    """Whoever is on that leg calls themselves so (自称). It proves nothing, binds nothing and is searched by nobody."""

    leg: LegId
    name: str
    """As `session.naming.self_given` leaves it; the citizen's text all the same, and not to be trusted."""
