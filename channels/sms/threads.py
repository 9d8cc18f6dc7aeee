"""Which leg a citizen's texts belong to, the same on every node.

A citizen has one leg at a time, or each of an agent's answers would be sent as often as there are legs. That two texts
which arrive at once on two nodes begin only one is held by a chain: the successor of a leg that has ended is written
once, by whoever comes first, and all others read it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from channels.sms.errors import ThreadUnsettled
from channels.sms.keys import Keys
from session.address import Address
from session.events import Event
from session.ids import LegId, SessionId
from session.ports import Contact, Inbox, SessionGone, SharedState
from session.state import Medium

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Thread:
    """One leg of a citizen's. `session` is None until it is known which one the leg belongs to."""

    leg: LegId
    carrier: str
    """By which the citizen wrote last: the way back."""
    session: SessionId | None = None
    ended: bool = False

    def dump(self) -> bytes:
        return json.dumps([self.leg, self.carrier, self.session, self.ended]).encode()

    @classmethod
    def load(cls, data: bytes) -> Thread:
        leg, carrier, session, ended = json.loads(data)
        return cls(LegId(leg), carrier, SessionId(session) if session is not None else None, ended)


@dataclass(frozen=True, slots=True)
class Word:
    """Something that a citizen did by text message, not yet in a session."""

    address: Address
    carrier: str
    vouched: bool
    said: Callable[[LegId], Event]
    dedupe: str


class Threads:
    """Puts words into sessions, and knows whose leg is whose."""

    def __init__(
        self, inbox: Inbox, shared: SharedState, keys: Keys, *, channel: str, number: str, ttl_s: float
    ) -> None:
        self._inbox, self._shared, self._keys = inbox, shared, keys
        self._channel, self._number, self._ttl_s = channel, number, ttl_s
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def say(self, word: Word) -> None:
        """Put a word into the citizen's session, or begin one with it; durable when this returns.

        The same `dedupe` is one word. Raises `StoreUnavailable`, `ThreadUnsettled`.
        """
        citizen = str(word.address)
        async with self._turn(citizen):
            thread = await self._head(citizen)
            for _ in range(_TRIES):
                if thread is None or thread.ended:
                    thread = await self._succeed(citizen, thread, word.carrier)
                if thread.session is None:
                    thread = await self._open(citizen, thread, word)
                if thread.session is not None and await self._post(thread.session, word.said(thread.leg), word.dedupe):
                    if thread.carrier != word.carrier:
                        await self._keep(citizen, replace(thread, carrier=word.carrier))
                    return
                thread = replace(thread, ended=True)
            raise ThreadUnsettled

    async def mention(self, word: Word) -> bool:
        """Put a word into the session that runs; False where none does."""
        thread = await self._head(str(word.address))
        if thread is None or thread.ended or thread.session is None:
            return False
        return await self._post(thread.session, word.said(thread.leg), word.dedupe)

    async def end(self, leg: LegId) -> None:
        """The leg is over: the citizen's next word begins another."""
        citizen = await self._citizen_of(leg)
        thread = await self._head(citizen) if citizen is not None else None
        if citizen is not None and thread is not None and thread.leg == leg:
            # A successor that was written meanwhile is found again through the chain.
            await self._keep(citizen, replace(thread, ended=True))

    async def reaches(self, leg: LegId) -> tuple[Address, str] | None:
        """The citizen behind a leg, and the carrier that they wrote by last; None for a leg that is not ours."""
        citizen = await self._citizen_of(leg)
        if citizen is None:
            return None
        thread = await self._head(citizen)
        return Address.parse(citizen), thread.carrier if thread is not None else ""

    def _turn(self, citizen: str) -> asyncio.Lock:
        """One of the citizen's words at a time, so that they stay in the order in which they came here."""
        lock = self._turns.get(citizen)
        if lock is None:
            lock = self._turns[citizen] = asyncio.Lock()
        return lock

    async def _citizen_of(self, leg: LegId) -> str | None:
        stored = await self._shared.get(self._keys.leg(leg))
        return stored.decode() if stored is not None else None

    async def _head(self, citizen: str) -> Thread | None:
        stored = await self._shared.get(self._keys.thread(citizen))
        return Thread.load(stored) if stored is not None else None

    async def _keep(self, citizen: str, thread: Thread) -> None:
        await self._shared.put(self._keys.thread(citizen), thread.dump(), ttl_s=self._ttl_s)

    async def _succeed(self, citizen: str, ended: Thread | None, carrier: str) -> Thread:
        """The next leg, agreed upon by all nodes."""
        key = self._keys.successor(citizen, ended.leg if ended is not None else None)
        leg = LegId(f"{self._channel}-{secrets.token_hex(16)}")
        known = asyncio.ensure_future(self._shared.put(self._keys.leg(leg), citizen.encode(), ttl_s=self._ttl_s))
        try:
            is_next = await self._shared.put_new(key, leg.encode(), ttl_s=self._ttl_s)
        finally:
            await known
        if not is_next:
            stored = await self._shared.get(key)
            leg = LegId(stored.decode()) if stored is not None else leg
        return Thread(leg, carrier)

    async def _open(self, citizen: str, thread: Thread, word: Word) -> Thread:
        contact = Contact(
            leg=thread.leg,
            channel=self._channel,
            medium=Medium.MESSAGE,
            address=word.address,
            number=self._number,
            asserted=word.vouched,
            first=word.said(thread.leg),
            first_dedupe=word.dedupe,
        )
        admission = await self._inbox.open(contact)
        settled = replace(thread, session=admission.session)
        await self._keep(citizen, settled)
        return settled

    async def _post(self, session: SessionId, event: Event, dedupe: str) -> bool:
        """After an opening this writes nothing where the word came with it, and brings it where the leg was known."""
        try:
            await self._inbox.post(session, event, dedupe=dedupe)
        except SessionGone:
            return False
        return True
