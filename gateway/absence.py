"""Whether nobody is there for a citizen who would write now: their page is told, and offers to leave word."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from channels.contract import Absence
from gateway.detours import Detours
from rulebook.book import Rulebook
from session.address import Address
from session.identity import Person
from session.number import SCHEME
from session.ports import Contact


class Absences:
    """By the rules in force, as for a call; `person` says whose an address is."""

    def __init__(self, book: Rulebook, detours: Detours, person: Callable[[Address], Awaitable[Person | None]]) -> None:
        self._book, self._detours, self._person = book, detours, person

    async def of(self, contact: Contact) -> Absence | None:
        """None where somebody answers. Raises `YihaoError` where the book of who is who is away."""
        at = time.time()
        route = self._book.routing.route(contact, at, closed=not self._book.hours.open_at(at))
        detour = self._detours.nobody_reads(route, at)
        if detour is None:
            return None
        person = await self._person(contact.address)
        is_reached = person is not None and any(one.scheme == SCHEME for one in person.proven)
        return Absence(detour.why, detour.opens_at, is_reached)
