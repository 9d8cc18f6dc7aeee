"""Which leg of which session a user has, found again by any node."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from channels.govapi.errors import SessionEnded, SessionUnknown, TooOften
from channels.govapi.matter import Matter
from channels.govapi.matters import Matters
from channels.govapi.messages import OpenSession, User
from channels.govapi.settings import Client, GovApiSettings
from session.address import Address
from session.events import Event, TextReceived
from session.ids import LegId, MessageId, SessionId
from session.ports import Attests, Contact, Inbox, SessionGone, SharedState
from session.state import Medium

SCHEME = "gov"

Said = Callable[[LegId], Event]
"""A word, for the leg that is found when it is said."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A user's newest session, and the leg that they have in it."""

    session: SessionId
    leg: LegId
    fresh: bool
    """It began for this user's coming; else an open one was gone on with."""


class Users:
    """Brings users' words into their sessions. Every name is made of the wish, so that done twice it is one thing."""

    def __init__(
        self,
        settings: GovApiSettings,
        channel: str,
        inbox: Inbox,
        shared: SharedState,
        matters: Matters,
        attests: Attests,
    ) -> None:
        self._settings, self._channel = settings, channel
        self._inbox, self._shared, self._matters, self._attests = inbox, shared, matters, attests

    async def come(self, client: Client, asked: OpenSession, wish: str) -> Thread:
        """The user's open session, or a new one; durable, with their word in it, when this returns.

        Raises `StoreUnavailable`, `TooOften`.
        """
        address = Address(SCHEME, asked.user.id, client.id)
        await self._allow(address)
        await self._attest(client, asked.user, address)
        leg = LegId(f"gov-{wish}")
        said = _said(asked.text, wish)
        known = await self._known(address)
        thread = await self._gone_on(client, known, leg, said) if known is not None else None
        if thread is None:
            thread = await self._open(address, asked, leg, said)
            record = json.dumps([thread.session, thread.leg]).encode()
            await self._shared.put(self._key(address), record, ttl_s=self._settings.user_ttl_s)
        return thread

    async def say(self, matter: Matter, said: Said, wish: str) -> int:
        """One more word of the session's user. Raises `SessionEnded`, `StoreUnavailable`, `TooOften`."""
        if not matter.legs:
            raise SessionEnded
        leg = matter.legs[-1]
        if leg.address is not None:
            await self._allow(leg.address)
        return await self.post(matter.session_id, said(leg.id), wish)

    async def post(self, session: SessionId, event: Event, dedupe: str) -> int:
        """An event of the session, once. Raises `SessionEnded`, `StoreUnavailable`."""
        try:
            version = await self._inbox.post(session, event, dedupe=f"govapi:{dedupe}")
        except SessionGone as error:
            raise SessionEnded from error
        self._matters.posted(session, version)
        return version

    async def _known(self, address: Address) -> tuple[SessionId, LegId] | None:
        stored = await self._shared.get(self._key(address))
        if stored is None:
            return None
        session, leg = json.loads(stored)
        return SessionId(session), LegId(leg)

    async def _gone_on(
        self, client: Client, known: tuple[SessionId, LegId], leg: LegId, said: Said | None
    ) -> Thread | None:
        """The session that the user had; None where their leg in it has ended."""
        session, own = known
        try:
            matter = await self._matters.of(client.id, session)
        except SessionUnknown:
            return None
        if own not in {one.id for one in matter.legs}:
            return None
        if said is not None:
            try:
                await self.post(session, said(own), f"word:{leg}")
            except SessionEnded:
                return None
        return Thread(session, own, fresh=own == leg)

    async def _open(self, address: Address, asked: OpenSession, leg: LegId, said: Said | None) -> Thread:
        first = said(leg) if said is not None else None
        contact = Contact(
            leg=leg,
            channel=self._channel,
            medium=Medium.MESSAGE,
            address=address,
            number=self._settings.number,
            asserted=True,
            language=asked.language,
            name=asked.user.name,
            first=first,
            first_dedupe=f"govapi:word:{leg}" if first is not None else None,
        )
        admission = await self._inbox.open(contact)
        if first is not None:
            # Where the leg was known, its opening has brought no word: a try before this one was cut off.
            await self.post(admission.session, first, f"word:{leg}")
        return Thread(admission.session, leg, admission.fresh)

    async def _attest(self, client: Client, user: User, address: Address) -> None:
        """The user's telephone number, as the platform's word where that is trusted, else as the user's own.

        Said once, for as long as the user keeps coming: what an agent undoes is not done again by their next visit.
        """
        if user.phone is None:
            return
        vouched = client.vouches_for_phones and user.phone_verified
        key = f"govapi:attested:{self._hidden(f'{address} {user.phone} {vouched}')}"
        if await self._shared.get(key) is None:
            await self._attests.attest(address, user.phone, vouched=vouched)
        await self._shared.put(key, b"", ttl_s=self._settings.user_ttl_s)

    async def _allow(self, address: Address) -> None:
        settings = self._settings
        rate = f"govapi:words:{self._name(address)}"
        if not await self._shared.take(rate, rate_per_s=settings.user_words_per_s, burst=settings.user_words_burst):
            raise TooOften(1.0 / settings.user_words_per_s)

    def _key(self, address: Address) -> str:
        return f"govapi:user:{self._name(address)}"

    def _name(self, address: Address) -> str:
        return self._hidden(str(address))

    def _hidden(self, text: str) -> str:
        """What stands for it in names of keys, which hold no personal data."""
        return hmac.digest(self._settings.pepper, text.encode(), "sha256").hex()[:32]


def _said(text: str | None, wish: str) -> Said | None:
    if text is None:
        return None
    return lambda leg: TextReceived(leg=leg, message=MessageId(f"gov-{wish}"), text=text)
