"""The log of identity: whom it makes of an address, and the one way in which it grows."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from identity.errors import LinkUnknown
from identity.tables import ADDRESSES, LINKS
from session.address import Address
from session.identity import (
    MOST_ADDRESSES,
    AddressClaimed,
    AddressesLinked,
    AddressMet,
    Identities,
    IdentityEvent,
    LinkUndone,
    Person,
    Proof,
    fold,
)
from session.ids import AssigneeId, LinkId, PersonId
from storage.database import Database

LONGEST_WHY = 256
MOST_CLAIMS = 32
"""Of one address: more are not kept."""
_WRITERS = 0x59696864
"""Names our advisory lock in PostgreSQL: what a link joins is looked up and written under it."""
_LINKED, _UNDONE, _CLAIMED = "linked", "undone", "claimed"


@dataclass(frozen=True, slots=True)
class Moved:
    """What has changed after a place in the log: everybody who was touched, as they are now, and the new place."""

    seq: int
    persons: tuple[Person, ...]


class Ledger:
    """Appended to under one lock, so that links made at the same time see each other."""

    def __init__(self, database: Database, *, pepper: bytes, new_id: Callable[[], str]) -> None:
        """`new_id` gives ULIDs; `pepper` must stay the same."""
        self._database, self._pepper, self._new_id = database, pepper, new_id

    # --- what is read ------------------------------------------------------------------------------------------------

    async def person(self, address: Address) -> Person | None:
        """Whose an address is; None for one that was never met."""
        async with self._database.reading() as connection:
            return (await self._around(connection, [self._lookup(address)])).person(address)

    async def link(self, link: LinkId) -> AddressesLinked | None:
        """One link, undone or not."""
        async with self._database.reading() as connection:
            return await self._made(connection, link)

    async def moved(self, after: int, limit: int = 200) -> Moved:
        """Everybody whom links after a place in the log have touched, as they are now."""
        wanted = select(LINKS.c.seq, LINKS.c.key, LINKS.c.holder).where(LINKS.c.seq > after, LINKS.c.kind != _CLAIMED)
        async with self._database.reading() as connection:
            rows = (await connection.execute(wanted.order_by(LINKS.c.seq).limit(limit))).all()
            touched = sorted({lookup for row in rows for lookup in (row.key, row.holder)})
            persons: dict[PersonId, Person] = {}
            for lookup in touched:
                state = await self._around(connection, [lookup])
                for address in state.persons:
                    if self._lookup(address) == lookup and (person := state.person(address)) is not None:
                        persons[person.id] = person
        return Moved(rows[-1].seq if rows else after, tuple(persons.values()))

    # --- what is written ---------------------------------------------------------------------------------------------

    async def meet(self, address: Address, at: float) -> None:
        """Know an address from now on. Once is enough."""
        async with self._database.writing() as connection:
            await self._meet(connection, [address], at)

    async def bind(
        self, key: Address, holder: Address, proof: Proof, *, at: float, by: AssigneeId | None = None
    ) -> AddressesLinked:
        """Link two addresses; older proofs of the same that may no longer hold give way. Raises `IdentityRefused`.

        A link of the same two by the same proof is renewed by a further one.
        """
        fresh = AddressesLinked(link=LinkId(self._new_id()), key=key, holder=holder, proof=proof, at=at, by=by)
        async with self._alone() as connection:
            await self._meet(connection, [key, holder], at)
            state = await self._around(connection, [self._lookup(key), self._lookup(holder)])
            outlived = state.outlived(fresh)
            for old in outlived:
                state = state.after(LinkUndone(link=old.link, at=at))
            state.check(fresh)
            rows = [self._undone(old, at, None, "a newer proof of the same stands") for old in outlived]
            await self._append(connection, [*rows, self._linked(fresh)])
        return fresh

    async def undo(self, link: LinkId, *, at: float, by: AssigneeId, why: str) -> AddressesLinked:
        """Take one link back, entirely; gives it. Raises `LinkUnknown` where it does not stand."""
        async with self._alone() as connection:
            made = await self._made(connection, link)
            gone = select(LINKS.c.seq).where(LINKS.c.link == link, LINKS.c.kind == _UNDONE)
            if made is None or (await connection.execute(gone)).first() is not None:
                raise LinkUnknown(link)
            await self._append(connection, [self._undone(made, at, by, why[:LONGEST_WHY])])
        return made

    async def claim(self, holder: Address, claimed: Address, at: float) -> None:
        """Note what somebody says of themselves. Said again it is known already."""
        pair = (LINKS.c.kind == _CLAIMED) & (LINKS.c.holder == self._lookup(holder))
        async with self._alone() as connection:
            await self._meet(connection, [holder, claimed], at)
            known = (await connection.execute(select(LINKS.c.key).where(pair))).scalars().all()
            if self._lookup(claimed) in known or len(known) >= MOST_CLAIMS or holder == claimed:
                return
            row = self._row(_CLAIMED, self._new_id(), claimed, holder, at)
            await self._append(connection, [row])

    # --- rows --------------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        """A transaction beside which no other appends: SQLite's writers wait for each other by themselves."""
        async with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _WRITERS})
            yield connection

    def _lookup(self, address: Address) -> str:
        return hmac.digest(self._pepper, f"address:{address}".encode(), hashlib.sha256).hex()

    async def _meet(self, connection: AsyncConnection, addresses: Sequence[Address], at: float) -> None:
        wanted = {self._lookup(one): one for one in addresses}
        met = select(ADDRESSES.c.lookup).where(ADDRESSES.c.lookup.in_(wanted))
        for lookup in (await connection.execute(met)).scalars():
            del wanted[lookup]
        for lookup, address in wanted.items():
            row = {"lookup": lookup, "address": str(address), "person": self._new_id(), "met_at": at}
            await connection.execute(insert(ADDRESSES).values(row))

    async def _append(self, connection: AsyncConnection, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            await connection.execute(insert(LINKS).values(row))

    def _linked(self, link: AddressesLinked) -> dict[str, Any]:
        row = self._row(_LINKED, link.link, link.key, link.holder, link.at)
        return {**row, "proof": link.proof.value, "agent": link.by}

    def _undone(self, link: AddressesLinked, at: float, by: AssigneeId | None, why: str) -> dict[str, Any]:
        row = self._row(_UNDONE, link.link, link.key, link.holder, at)
        return {**row, "proof": link.proof.value, "agent": by, "why": why}

    def _row(self, kind: str, link: str, key: Address, holder: Address, at: float) -> dict[str, Any]:
        lookups = {"key": self._lookup(key), "holder": self._lookup(holder)}
        return {"kind": kind, "link": link, **lookups, "proof": "", "at": at, "agent": None, "why": ""}

    async def _made(self, connection: AsyncConnection, link: LinkId) -> AddressesLinked | None:
        wanted = select(LINKS).where(LINKS.c.link == link, LINKS.c.kind == _LINKED)
        row = (await connection.execute(wanted)).one_or_none()
        if row is None:
            return None
        made = _event(row, await self._addresses(connection, {row.key, row.holder}))
        return made if isinstance(made, AddressesLinked) else None

    async def _around(self, connection: AsyncConnection, lookups: Sequence[str]) -> Identities:
        """The part of the log that touches some addresses, and all that standing links hold to them.

        Each round goes one link further; a person has at most `MOST_ADDRESSES`, so the rounds end.
        """
        found: dict[int, Row[Any]] = {}
        known: set[str] = set()
        edge = set(lookups)
        for _ in range(MOST_ADDRESSES + 1):
            known |= edge
            said = or_(LINKS.c.key.in_(edge), LINKS.c.holder.in_(edge))
            for row in await connection.execute(select(LINKS).where(said)):
                found[row.seq] = row
            edge = _linked_in(found.values()) - known
            if not edge:
                break
        addresses = await self._addresses(connection, known | {one for row in found.values() for one in _pair(row)})
        met = [address for lookup, address in addresses.items() if lookup in known]
        return fold([*met, *(event for _, row in sorted(found.items()) if (event := _event(row, addresses)))])

    async def _addresses(self, connection: AsyncConnection, lookups: Iterable[str]) -> dict[str, AddressMet]:
        rows = await connection.execute(select(ADDRESSES).where(ADDRESSES.c.lookup.in_(sorted(lookups))))
        return {
            row.lookup: AddressMet(address=Address.parse(row.address), person=PersonId(row.person), at=row.met_at)
            for row in rows
        }


def _pair(row: Row[Any]) -> tuple[str, str]:
    return row.key, row.holder


def _linked_in(rows: Iterable[Row[Any]]) -> set[str]:
    """The addresses that standing links have on either side."""
    held = list(rows)
    undone = {row.link for row in held if row.kind == _UNDONE}
    return {one for row in held if row.kind == _LINKED and row.link not in undone for one in _pair(row)}


def _event(row: Row[Any], met: dict[str, AddressMet]) -> IdentityEvent | None:
    key, holder = met[row.key].address, met[row.holder].address
    match row.kind:
        case "linked":
            return AddressesLinked(
                link=LinkId(row.link), key=key, holder=holder, proof=Proof(row.proof), at=row.at, by=row.agent
            )
        case "undone":
            return LinkUndone(link=LinkId(row.link), at=row.at, by=row.agent, why=row.why)
        case "claimed":
            return AddressClaimed(holder=holder, claimed=key, at=row.at)
    return None
