"""Who is who (同一人): which addresses are one citizen's, by which proofs, and how that is undone. Pure.

The truth is a log that only grows. An address is met and gets a person of its own; a link says that two addresses are
one citizen's; an undoing takes exactly one link back. Nothing else is stored of a merge: no leg, event or session is
ever moved, so who is whose is read from the links that stand, and undoing a link leaves nothing of it behind. Links
are a set, not a sequence: two that are made, or undone, at the same time by two nodes give the same in either order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from session.address import Address
from session.errors import YihaoError
from session.ids import AssigneeId, LinkId, PersonId

SUREST = 0.9
"""The least confidence of a proof by which somebody may be called, or written to with what is for their eyes."""
MOST_ADDRESSES = 16
"""Of one person. Nobody has more; who goes on linking would gather strangers (a merge bomb)."""
MOST_SIGNED = 8
"""Addresses at which a site says that one user is; the oldest gives way to the next."""
CHANGED_HANDS_S = 90 * 24 * 3600.0
"""A number that was given up rests for at least 90 days before another gets it (电信服务规范). So two proofs of one
number within this time are its one holder's; an older proof may have been a former holder's, and gives way."""


class Proof(StrEnum):
    """What a link rests on. Never a name, never what somebody wrote."""

    SMS_CODE = "sms_code"
    """A code that was sent to the number was typed in at the other address."""
    QR_SCAN = "qr_scan"
    """A QR code that was shown at one address was scanned by the other."""
    SIGNED_WEB = "signed_web"
    """A site that both sides trust has signed who its visitor is."""
    SWITCH_LINK = "switch_link"
    """A link that was sent to one address was opened at the other."""
    AGENT_WORD = "agent_word"
    """An agent has convinced themselves."""
    ASSERTED_CALL = "asserted_call"
    """The network vouches for a caller's number. It says which number called, not who: it binds nothing."""

    @property
    def confidence(self) -> float:
        """How sure it makes one, from 0 to 1. Shown to agents, and never added up."""
        return _CONFIDENCE[self]

    @property
    def binds(self) -> bool:
        """Whether it may make two addresses one citizen's."""
        return self is not Proof.ASSERTED_CALL


_CONFIDENCE: Mapping[Proof, float] = {
    Proof.SMS_CODE: 0.95,
    Proof.QR_SCAN: 0.95,
    Proof.SIGNED_WEB: 0.95,
    Proof.SWITCH_LINK: 0.9,
    Proof.AGENT_WORD: 0.7,
    Proof.ASSERTED_CALL: 0.5,
}


class IdentityRefused(YihaoError):
    """A link that must not be made. `code` is for a page's dictionary."""

    code = "refused"


class ProofTooWeak(IdentityRefused):
    """The proof is of something else than that two addresses are one citizen's."""

    code = "too_weak"

    def __init__(self, proof: Proof) -> None:
        self.proof = proof
        super().__init__(f"{proof} binds no two addresses")


class AlreadyOne(IdentityRefused):
    """An address is itself; nothing is to be linked."""

    code = "already_one"

    def __init__(self) -> None:
        super().__init__("both are one address")


class PersonFull(IdentityRefused):
    """The two together would have more addresses than anybody has."""

    code = "too_many_addresses"

    def __init__(self, many: int) -> None:
        self.many, self.most = many, MOST_ADDRESSES
        super().__init__(f"{many} addresses for one person; {MOST_ADDRESSES} at the most")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressMet:
    """An address is known from now on, as that of a person of its own."""

    address: Address
    person: PersonId
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressesLinked:
    """Two addresses are one citizen's (合并). `key` is what was proven; `holder` is where the proof came from."""

    link: LinkId
    key: Address
    holder: Address
    proof: Proof
    at: float
    by: AssigneeId | None = None
    """The agent whose word or act it was; None where the citizen did it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUndone:
    """That link never held, or holds no longer (撤销合并)."""

    link: LinkId
    at: float
    by: AssigneeId | None = None
    """None where a newer proof has put it to rest."""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressClaimed:
    """Whoever is behind `holder` says that `claimed` is theirs too. Shown as a claim (自称), and binds nothing."""

    holder: Address
    claimed: Address
    at: float


IdentityEvent = AddressMet | AddressesLinked | LinkUndone | AddressClaimed


@dataclass(frozen=True, slots=True)
class Person:
    """One citizen as they are known: addresses in their order, the links that stand, and what is only claimed."""

    id: PersonId
    addresses: tuple[Address, ...]
    links: tuple[AddressesLinked, ...] = ()
    claims: tuple[AddressClaimed, ...] = ()

    @property
    def proven(self) -> tuple[Address, ...]:
        """What was proven to be theirs, surely enough to call or to write to: by no agent's word, and by no claim."""
        sure = (one for one in self.links if one.proof.confidence >= SUREST and one.proof is not Proof.AGENT_WORD)
        return tuple(dict.fromkeys(one.key for one in sure))

    def links_of(self, address: Address) -> tuple[AddressesLinked, ...]:
        """What holds one address to the others, the newest first."""
        held = (link for link in self.links if address in (link.key, link.holder))
        return tuple(sorted(held, key=lambda link: (-link.at, link.link)))


@dataclass(frozen=True, slots=True)
class Identities:
    """What a log of identity makes, or the part of one that touches some people."""

    persons: Mapping[Address, PersonId] = field(default_factory=dict)
    """Whose each address is when nothing links it."""
    made: Mapping[LinkId, AddressesLinked] = field(default_factory=dict)
    undone: frozenset[LinkId] = frozenset()
    """Also those whose making is not known here: an undoing holds, whatever arrives first."""
    claimed: Mapping[tuple[Address, Address], AddressClaimed] = field(default_factory=dict)

    @property
    def standing(self) -> tuple[AddressesLinked, ...]:
        """The links that hold."""
        return tuple(link for name, link in sorted(self.made.items()) if name not in self.undone)

    def after(self, event: IdentityEvent) -> Identities:
        """With one more event. The same event again changes nothing."""
        match event:
            case AddressMet():
                first = min(event.person, self.persons.get(event.address, event.person))
                return replace(self, persons={**self.persons, event.address: first})
            case AddressesLinked():
                return replace(self, made={**self.made, event.link: event})
            case LinkUndone():
                return replace(self, undone=self.undone | {event.link})
            case AddressClaimed():
                pair = (event.holder, event.claimed)
                known = self.claimed.get(pair)
                newest = event if known is None or event.at > known.at else known
                return replace(self, claimed={**self.claimed, pair: newest})

    def together(self, address: Address) -> frozenset[Address]:
        """All addresses that the standing links hold to this one; itself at least."""
        found, edge = {address}, [address]
        neighbours: dict[Address, set[Address]] = {}
        for link in self.standing:
            neighbours.setdefault(link.key, set()).add(link.holder)
            neighbours.setdefault(link.holder, set()).add(link.key)
        while edge:
            fresh = neighbours.get(edge.pop(), set()) - found
            found |= fresh
            edge += fresh
        return frozenset(found)

    def person(self, address: Address) -> Person | None:
        """Whose that address is: the person who was met first of all that are linked. None for one never met."""
        addresses = self.together(address)
        known = [self.persons[one] for one in addresses if one in self.persons]
        if not known:
            return None
        return Person(
            id=min(known),
            addresses=tuple(sorted(addresses)),
            links=tuple(link for link in self.standing if link.key in addresses),
            claims=tuple(
                claim
                for (holder, claimed), claim in sorted(self.claimed.items())
                if holder in addresses and claimed not in addresses
            ),
        )

    def check(self, link: AddressesLinked) -> None:
        """Raises `IdentityRefused` for one that must not be made."""
        if not link.proof.binds:
            raise ProofTooWeak(link.proof)
        if link.key == link.holder:
            raise AlreadyOne
        together = self.together(link.key) | self.together(link.holder)
        if len(together) > MOST_ADDRESSES:
            raise PersonFull(len(together))

    def outlived(self, fresh: AddressesLinked) -> tuple[AddressesLinked, ...]:
        """The links that a fresh proof of the same number puts to rest: it may have changed hands since they were made.

        Only a code proves that a number is in somebody's hand today. What was proven anew within
        `CHANGED_HANDS_S` stays, whoever proved it: a citizen has a computer and a telephone. And of what a site has
        signed only the newest stand: browsers forget who they are, and would fill a person up.
        """
        if fresh.proof is Proof.SIGNED_WEB:
            signed = (one for one in self.standing if (one.key, one.proof) == (fresh.key, fresh.proof))
            others = sorted((one for one in signed if one.holder != fresh.holder), key=lambda one: (-one.at, one.link))
            return tuple(others[MOST_SIGNED - 1 :])
        if fresh.proof is not Proof.SMS_CODE:
            return ()
        newest: dict[Address, float] = {}
        held = [link for link in self.standing if fresh.key in (link.key, link.holder)]
        for link in held:
            other = link.holder if link.key == fresh.key else link.key
            newest[other] = max(link.at, newest.get(other, link.at))
        stale = {other for other, at in newest.items() if at < fresh.at - CHANGED_HANDS_S and other != fresh.holder}
        return tuple(link for link in held if stale & {link.key, link.holder})


def fold(events: Iterable[IdentityEvent]) -> Identities:
    """What a log makes."""
    state = Identities()
    for event in events:
        state = state.after(event)
    return state
