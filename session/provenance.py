"""By which address each thing came: what makes undoing a merge give every leg and event back. Pure.

A leg, and all that names it, is its address's. What names none (an agent's words, an offer, a note) belongs to every
address that had part in the session then: it went to all of them, or was about all of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from session import events as ev
from session.address import Address
from session.ids import LegId
from session.ports import Entry
from session.state import Party


def came_by(entries: Sequence[Entry], addresses: Container[Address]) -> list[Entry]:
    """The entries of one session's whole timeline that belong to any of these addresses."""
    return [entry for entry, whose in traced(entries) if any(one in addresses for one in whose)]


def traced(entries: Iterable[Entry]) -> Iterator[tuple[Entry, frozenset[Address]]]:
    """Each entry of one session's timeline, and the addresses that it belongs to: at least one."""
    legs: dict[LegId, Address] = {}
    opener: Address | None = None
    here: dict[Address, int] = {}
    """Addresses with open legs, and how many."""
    for entry in entries:
        event = entry.event
        if isinstance(event, ev.SessionOpened):
            opener = event.citizen
        leg = _leg_of(event)
        if isinstance(event, ev.LegOpened) and event.leg.party is Party.CITIZEN and event.leg.id not in legs:
            legs[event.leg.id] = address = event.leg.address or opener or Address("unknown", event.leg.id)
            here[address] = here.get(address, 0) + 1
        mine = legs.get(leg) if leg is not None else None
        if mine is not None:
            yield entry, frozenset((mine,))
        else:
            present = frozenset(address for address, many in here.items() if many > 0)
            known = frozenset(legs.values()) | ({opener} if opener is not None and not legs else frozenset())
            yield entry, present or known or frozenset((Address("unknown", entry.session),))
        if isinstance(event, ev.LegClosed) and mine is not None:
            here[mine] = max(0, here[mine] - 1)


def _leg_of(event: ev.Event) -> LegId | None:
    """The leg that an event names first."""
    match event:
        case ev.LegOpened():
            return event.leg.id
        case ev.LegsJoined():
            return event.citizen_leg
    return getattr(event, "leg", None)
