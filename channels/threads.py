"""Which leg a citizen's words belong to, in a channel that has no connection to tell it by; the same on every node.

A citizen has one leg at a time, or each of an agent's answers would be sent as often as there are legs. The store holds
that: a leg is the thread's in the commit that begins it, or does not begin. What this node remembers of a thread is a
guess that saves it from asking; the store takes no word for a thread that has moved on.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from channels.contract import ChannelError
from session.address import Address
from session.events import Event
from session.ids import LegId
from session.ports import Contact, Inbox, Note, SessionGone, SharedState, Thread, ThreadMoved
from session.state import Medium

_TRIES = 4
_REMEMBERED = 20_000
"""Turns, threads and words of this node's; what is older is asked of the store."""
_REMEMBERED_S = 600.0
"""So long is a word known here, where each of a provider's tries may come; the store knows it for a day (law 8)."""

K = TypeVar("K")
V = TypeVar("V")


class ThreadUnsettled(ChannelError):
    """Each session that the word was brought to closed meanwhile, or went to another node."""

    retryable = True
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("no session stayed open for long enough")


@dataclass(frozen=True, slots=True)
class Word:
    """Something that a citizen did, not yet in a session. The same `dedupe` is one word."""

    address: Address
    said: Callable[[LegId], Event]
    dedupe: str
    vouched: bool = True
    """The network vouches for the address."""
    way: str = ""
    """By which they wrote, where there are several: the way back."""
    notes: tuple[Note, ...] = ()
    """What is true once the word is durable."""
    name: str = ""
    """What they call themselves (自称), where that is known already; it is told where the word begins a leg."""


class Threads:
    """Puts words into sessions, and knows whose leg is whose."""

    def __init__(
        self, inbox: Inbox, shared: SharedState, *, channel: str, number: str, name: str, pepper: bytes, ttl_s: float
    ) -> None:
        """`name` begins the names of keys; `pepper` hides the citizens in them."""
        self._inbox, self._shared, self._channel, self._number = inbox, shared, channel, number
        self._name, self._pepper, self._ttl_s = name, pepper, ttl_s
        # By the address as text, whose hash is reckoned once.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Turns that somebody may soon want again: to make one and let it go took as long as to encode an event.
        self._latest = _Newest[str, asyncio.Lock]()
        self._threads = _Newest[str, Thread]()
        self._words = _Newest[tuple[str, str], float]()

    def turn(self, citizen: Address) -> asyncio.Lock:
        """Held while one of the citizen's words is taken, so that they stay in the order in which they came here."""
        name = str(citizen)
        lock = self._turns.get(name)
        if lock is None:
            lock = self._turns[name] = self._latest[name] = asyncio.Lock()
        return lock

    async def take(self, word: Word) -> None:
        """Say a word in the citizen's turn."""
        async with self.turn(word.address):
            await self.say(word)

    async def say(self, word: Word) -> None:
        """Put a word into the citizen's session, or begin one with it; durable when this returns. In their turn.

        One that came again to this node asks nothing of the store: thousands of them would hold up the citizen's next.
        Raises `StoreUnavailable`, `ThreadUnsettled`.
        """
        citizen, now = str(word.address), time.monotonic()
        mark = (citizen, word.dedupe)
        if now - self._words.get(mark, -_REMEMBERED_S) < _REMEMBERED_S:
            return
        # A citizen of whom this node knows nothing is mostly a newcomer: they are taken for one, not asked about.
        thread = self._threads.get(citizen) or Thread(self._key(citizen), b"", self._ttl_s)
        for _ in range(_TRIES):
            try:
                if not await self._post(thread, word):
                    await self._open(thread, word)
            except ThreadMoved as moved:
                thread = self._threads[citizen] = replace(thread, held=moved.held)
            else:
                self._words[mark] = now
                return
        raise ThreadUnsettled

    async def mention(self, word: Word) -> bool:
        """Put a word into the session that runs; False where none does."""
        try:
            return await self._post(await self._ask(str(word.address)), word)
        except ThreadMoved:
            return False

    async def end(self, leg: LegId) -> None:
        """The leg is over: the citizen's next word begins another. Idempotent."""
        reached = await self.reaches(leg)
        if reached is not None:
            await self._end(await self._ask(str(reached[0])), leg)

    async def leave(self, word: Word) -> None:
        """The citizen is gone, and says so with this word."""
        await self.mention(word)
        thread = await self._ask(str(word.address))
        if (found := thread.leads_to()) is not None:
            await self._end(thread, found[0])

    async def reaches(self, leg: LegId) -> tuple[Address, str] | None:
        """The citizen behind a leg, and the way by which they wrote last; None for a leg that is not ours."""
        stored = await self._shared.get(self._leg_key(leg))
        if stored is None:
            return None
        citizen, _, way = stored.decode().partition("\n")
        return Address.parse(citizen), way

    async def _ask(self, citizen: str) -> Thread:
        key = self._key(citizen)
        self._threads[citizen] = thread = Thread(key, await self._shared.get(key) or b"", self._ttl_s)
        return thread

    def _key(self, citizen: str) -> str:
        hidden = hmac.digest(self._pepper, citizen.encode(), hashlib.sha256).hex()[:32]
        return f"{self._name}:thread:{hidden}"

    async def _post(self, thread: Thread, word: Word) -> bool:
        """False where there is no session, or it is over."""
        found = thread.leads_to()
        if found is None:
            return False
        leg, session = found
        notes = (*word.notes, self._whose(leg, word)) if word.way else word.notes
        try:
            await self._inbox.post(session, word.said(leg), dedupe=word.dedupe, thread=thread, notes=notes)
        except SessionGone:
            return False
        return True

    async def _open(self, thread: Thread, word: Word) -> None:
        leg = LegId(f"{self._channel}-{secrets.token_hex(16)}")
        contact = Contact(
            leg=leg,
            channel=self._channel,
            medium=Medium.MESSAGE,
            address=word.address,
            number=self._number,
            asserted=word.vouched,
            name=word.name,
            first=word.said(leg),
            first_dedupe=word.dedupe,
            thread=thread,
            notes=(*word.notes, self._whose(leg, word)),
        )
        admission = await self._inbox.open(contact)
        self._threads[str(word.address)] = replace(thread, held=Thread.record(leg, admission.session))

    async def _end(self, thread: Thread, leg: LegId) -> None:
        found = thread.leads_to()
        if found is not None and found[0] == leg:
            await self._shared.delete_if(thread.key, thread.held)

    def _whose(self, leg: LegId, word: Word) -> Note:
        return Note(self._leg_key(leg), f"{word.address}\n{word.way}".encode(), self._ttl_s)

    def _leg_key(self, leg: LegId) -> str:
        return f"{self._name}:leg:{leg}"


class _Newest(OrderedDict[K, V], Generic[K, V]):
    """As much as is remembered."""

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)
