"""Which leg a citizen's words belong to, the same on every node (微信会话).

A citizen has one leg at a time. That two words which arrive at once on two nodes begin only one is held by a chain:
the successor of a leg that has ended is written once, by whoever comes first, and all others read it.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from channels.wechat.errors import ThreadUnsettled
from channels.wechat.keys import Keys
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
    session: SessionId | None = None
    ended: bool = False

    def dump(self) -> bytes:
        return json.dumps([self.leg, self.session, self.ended]).encode()

    @classmethod
    def load(cls, data: bytes) -> Thread:
        leg, session, ended = json.loads(data)
        return cls(LegId(leg), SessionId(session) if session is not None else None, ended)


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom the account speaks to the core."""

    channel: str
    scheme: str
    appid: str
    number: str


class Threads:
    """Puts words into sessions, and knows whose leg is whose."""

    def __init__(self, inbox: Inbox, shared: SharedState, keys: Keys, identity: Identity, *, ttl_s: float) -> None:
        self._inbox, self._shared, self._keys, self._identity = inbox, shared, keys, identity
        self._ttl_s = ttl_s
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def address(self, openid: str) -> Address:
        """The citizen's."""
        return Address(self._identity.scheme, openid, self._identity.appid)

    def turn(self, openid: str) -> asyncio.Lock:
        """Held while one of the citizen's words is taken, so that they stay in the order in which they came here."""
        lock = self._turns.get(openid)
        if lock is None:
            lock = self._turns[openid] = asyncio.Lock()
        return lock

    async def say(self, openid: str, said: Callable[[LegId], Event], dedupe: str) -> Thread:
        """Put a word into the citizen's session, or begin one with it; durable when this returns.

        The same `dedupe` is one word. Raises `StoreUnavailable`, `ThreadUnsettled`.
        """
        thread = await self._head(openid)
        for _ in range(_TRIES):
            if thread is None or thread.ended:
                thread = await self._succeed(openid, thread)
            if thread.session is None:
                thread = await self._open(openid, thread, said(thread.leg), dedupe)
            if thread.session is not None and await self._post(thread.session, said(thread.leg), dedupe):
                return thread
            thread = replace(thread, ended=True)
        raise ThreadUnsettled

    async def mention(self, openid: str, said: Callable[[LegId], Event], dedupe: str) -> bool:
        """Put something into the session that runs; False where none does."""
        thread = await self._head(openid)
        if thread is None or thread.ended or thread.session is None:
            return False
        return await self._post(thread.session, said(thread.leg), dedupe)

    async def end(self, leg: LegId) -> None:
        """The leg is over: the citizen's next word begins another."""
        openid = await self.citizen_of(leg)
        thread = await self._head(openid) if openid is not None else None
        if openid is not None and thread is not None and thread.leg == leg:
            # A successor that was written meanwhile is found again through the chain.
            await self._keep(openid, replace(thread, ended=True))

    async def leave(self, openid: str, said: Callable[[LegId], Event], dedupe: str) -> None:
        """The citizen is gone, and says so with this word."""
        await self.mention(openid, said, dedupe)
        thread = await self._head(openid)
        if thread is not None:
            await self._keep(openid, replace(thread, ended=True))

    async def citizen_of(self, leg: LegId) -> str | None:
        """The openid behind a leg; None for one that is not ours."""
        stored = await self._shared.get(self._keys.leg(leg))
        return stored.decode() if stored is not None else None

    async def _head(self, openid: str) -> Thread | None:
        stored = await self._shared.get(self._keys.thread(openid))
        return Thread.load(stored) if stored is not None else None

    async def _keep(self, openid: str, thread: Thread) -> None:
        await self._shared.put(self._keys.thread(openid), thread.dump(), ttl_s=self._ttl_s)

    async def _succeed(self, openid: str, ended: Thread | None) -> Thread:
        """The next leg, agreed upon by all nodes."""
        key = self._keys.successor(openid, ended.leg if ended is not None else None)
        leg = LegId(f"{self._identity.scheme}-{secrets.token_hex(16)}")
        known = asyncio.ensure_future(self._shared.put(self._keys.leg(leg), openid.encode(), ttl_s=self._ttl_s))
        try:
            is_next = await self._shared.put_new(key, leg.encode(), ttl_s=self._ttl_s)
        finally:
            await known
        if not is_next:
            stored = await self._shared.get(key)
            leg = LegId(stored.decode()) if stored is not None else leg
        return Thread(leg)

    async def _open(self, openid: str, thread: Thread, first: Event, dedupe: str) -> Thread:
        contact = Contact(
            leg=thread.leg,
            channel=self._identity.channel,
            medium=Medium.MESSAGE,
            address=self.address(openid),
            number=self._identity.number,
            asserted=True,
            first=first,
            first_dedupe=dedupe,
        )
        admission = await self._inbox.open(contact)
        settled = Thread(thread.leg, admission.session)
        await self._keep(openid, settled)
        return settled

    async def _post(self, session: SessionId, event: Event, dedupe: str) -> bool:
        """After an opening this writes nothing where the word came with it, and brings it where the leg was known."""
        try:
            await self._inbox.post(session, event, dedupe=dedupe)
        except SessionGone:
            return False
        return True
