"""Whose a citizen's addresses are, for all that the house does with it: the store's copy, and what agents are shown."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from identity.errors import LinkUnknown
from identity.ledger import Ledger
from queueing.contract import Kin
from session.address import Address
from session.belonging import AddressParted, AddressVerified
from session.errors import YihaoError
from session.events import Event
from session.identity import AddressesLinked, IdentityRefused, Person, Proof
from session.ids import AssigneeId, LinkId, SessionId
from session.ports import Inbox, SessionGone

log = logging.getLogger(__name__)

LOOK_S = 2.0


class Persons:
    """Writes the log of identity, and sees to it that the store knows what it says."""

    def __init__(self, ledger: Ledger, kin: Kin, inbox: Inbox, now: Callable[[], Awaitable[float]]) -> None:
        """`now` is the store's clock."""
        self._ledger, self._kin, self._inbox, self._now = ledger, kin, inbox, now

    async def person(self, address: Address) -> Person | None:
        """Whose an address is; None for one that nothing was ever said of."""
        return await self._ledger.person(address)

    async def bind(
        self,
        key: Address,
        holder: Address,
        proof: Proof,
        *,
        session: SessionId | None = None,
        by: AssigneeId | None = None,
    ) -> AddressesLinked:
        """Two addresses are one citizen's from now on; it stands in the session. Raises `IdentityRefused`.

        Once this returns, the citizen's next contact by either goes on with their open session.
        """
        link = await self._ledger.bind(key, holder, proof, at=await self._now(), by=by)
        await self.spread()
        event = AddressVerified(link=link.link, key=key, holder=holder, proof=proof, by=by)
        await self._note(session, event, f"verified:{link.link}")
        return link

    async def came_by_link(self, sent_to: Address, opened_at: Address, session: SessionId) -> None:
        """Who opens a link that was sent to a number has what was sent there. Where they may not be one, the link still
        opens: it is the session's.
        """
        try:
            await self.bind(sent_to, opened_at, Proof.SWITCH_LINK, session=session)
        except IdentityRefused as refused:
            log.warning("addresses not linked", extra={"session": session, "why": type(refused).__name__})

    async def undo(self, link: LinkId, *, session: SessionId | None, by: AssigneeId, why: str) -> AddressesLinked:
        """Take a link back, entirely: legs and events were never moved, so each is its own address's again.

        Raises `LinkUnknown`.
        """
        undone = await self._ledger.undo(link, at=await self._now(), by=by, why=why)
        await self.spread()
        await self._note(session, AddressParted(link=link, by=by, why=why), f"parted:{link}")
        return undone

    async def undo_of(self, person: Person, link: LinkId, *, session: SessionId, by: AssigneeId, why: str) -> None:
        """Take back one of this person's links. Raises `LinkUnknown`, also for another person's."""
        if all(one.link != link for one in person.links):
            raise LinkUnknown(link)
        await self.undo(link, session=session, by=by, why=why)

    async def claim(self, holder: Address, claimed: Address) -> None:
        """Keep what a citizen says of themselves, as what they say."""
        await self._ledger.claim(holder, claimed, await self._now())

    async def spread(self) -> None:
        """Bring the store's copy up to the log. Any node may, at any time."""
        while True:
            known = await self._kin.known()
            moved = await self._ledger.moved(known)
            if moved.seq == known:
                return
            await self._kin.relate(known, moved.seq, [person.addresses for person in moved.persons])

    async def run(self) -> None:
        """Until cancelled: what a node wrote before it died, and what a new store does not know yet."""
        while True:
            try:
                await self.spread()
            except YihaoError as error:
                log.warning("identity not spread", extra={"why": type(error).__name__})
            await asyncio.sleep(LOOK_S)

    async def _note(self, session: SessionId | None, event: Event, dedupe: str) -> None:
        if session is None:
            return
        try:
            await self._inbox.post(session, event, dedupe=dedupe)
        except SessionGone:
            log.info("identity of a forgotten session", extra={"session": session})
