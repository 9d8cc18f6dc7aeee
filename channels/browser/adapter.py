"""Pages' calls as a channel: whose page may call, one call each, and a way back into it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from aiohttp import web

from channels.browser import offer as descriptions
from channels.browser.errors import CalledTooOften, CallGone, HoursOver, OfferMalformed, OneAtATime
from channels.browser.settings import BrowserSettings
from channels.calls import Answered, Caller, CallRefused, Carried, Exchange, ExchangeFull
from channels.contract import Capabilities, ChannelError, Content, LegUnknown
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, SessionId
from session.ports import Contact, SharedState
from session.state import LegEnd, Medium

_OFFERS_PER_S, _OFFERS_BURST = 0.2, 10
_RETRY_S = 5.0


class SpeaksOnly(ChannelError):
    """A call carries no text; the page's chat does."""

    def __init__(self) -> None:
        super().__init__("a page's call carries no text")


class BrowserChannel(Carried):
    """A `Channel` whose sound and agents are the exchange's, and whose signalling is the page's chat's."""

    name = "browser"
    capabilities = Capabilities(
        schemes=("web",), medium=Medium.VOICE, survives_node=False, follows_timeline=False, longest_text=0
    )

    def __init__(
        self, settings: BrowserSettings, *, exchange: Exchange, shared: SharedState, is_open: Callable[[], bool]
    ) -> None:
        """`is_open`: whether people are expected to answer now."""
        super().__init__(exchange)
        self._settings, self._shared, self._is_open = settings, shared, is_open
        self._calls: dict[Address, LegId] = {}
        """Who is in which call."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_draining = False

    @property
    def calls(self) -> int:
        """Pages' calls that run."""
        return len(self._calls)

    @property
    def calls_at_once(self) -> int:
        """How many may run here; 0 takes none."""
        return self._settings.calls

    # -- the channel's contract --------------------------------------------------------------------------------

    def routes(self) -> Sequence[web.RouteDef]:
        """None: pages call over the socket that they write by."""
        return ()

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:  # noqa: ARG002 - the contract's
        """A call carries no text: always `SpeaksOnly`."""
        raise SpeaksOnly

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract's
        """Hang up from our side."""
        self._exchange.hang_up(leg, reason)

    async def drain(self, within_s: float) -> None:
        """Take no new call, and wait for those that run; their pages may come back into them."""
        self._is_draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()

    # -- what pages ask ----------------------------------------------------------------------------------------

    async def call(self, who: Address, offer: bytes, again: LegId | None, caller: Caller) -> Answered:
        """See `channels.calls.TakesCalls`.

        Whoever is in a call and is not heard on it comes back into it, even where their page has forgotten which.
        """
        if not await self._shared.take(_bucket(who), rate_per_s=_OFFERS_PER_S, burst=_OFFERS_BURST):
            raise CalledTooOften(1 / _OFFERS_PER_S)
        description = descriptions.read(offer)
        try:
            return await self._come_back(who, description, again) or await self._begin(who, description, caller)
        except CallRefused:
            raise
        except YihaoError as refused:
            if refused.retryable:
                raise ExchangeFull(refused.retry_after_s or _RETRY_S) from refused
            raise OfferMalformed(str(refused)) from refused

    async def _come_back(self, who: Address, description: bytes, again: LegId | None) -> Answered | None:
        """Into the call that they are in; None where they are in none."""
        running = self._calls.get(who)
        if running is None and again is not None:
            raise CallGone
        if running is None:
            return None
        if again != running and self._exchange.is_heard(running):
            raise OneAtATime
        try:
            return Answered(running, await self._exchange.take_again(running, description))
        except LegUnknown:
            if self._calls.get(who) == running:  # the exchange is about to take it
                raise OneAtATime from None
            return None

    async def _begin(self, who: Address, description: bytes, caller: Caller) -> Answered:
        if self._is_draining or len(self._calls) >= self._settings.calls:
            raise ExchangeFull(_RETRY_S)
        if self._settings.in_hours and not self._is_open():
            raise HoursOver
        leg = LegId(f"page-{secrets.token_hex(12)}")
        contact = Contact(
            leg=leg,
            channel=self.name,
            medium=Medium.VOICE,
            address=who,
            number=self._settings.number,
            asserted=True,  # the page's name is of our own signing
        )
        forget = partial(self._forget, who, leg)
        answer = None
        self._calls[who] = leg  # at once: two offers may come together
        self._idle.clear()
        try:
            answer = await self._exchange.take(contact, description, _Listed(caller, forget))
        finally:
            if answer is None:
                forget()
        return Answered(leg, answer)

    def hang_up(self, who: Address, leg: LegId) -> None:
        """See `channels.calls.TakesCalls`."""
        if self._calls.get(who) == leg:
            self._exchange.hang_up(leg, LegEnd.HANGUP)

    def _forget(self, who: Address, leg: LegId) -> None:
        if self._calls.get(who) == leg:
            del self._calls[who]
        if not self._calls:
            self._idle.set()


class _Listed:
    """A caller whose call stands in the channel's list until it is over."""

    def __init__(self, caller: Caller, forget: Callable[[], None]) -> None:
        self._caller, self._forget = caller, forget

    def admitted(self, session: SessionId) -> None:
        """See `Caller`."""
        self._caller.admitted(session)

    def over(self, leg: LegId, reason: LegEnd) -> None:
        """See `Caller`."""
        self._forget()
        self._caller.over(leg, reason)


def _bucket(who: Address) -> str:
    """Whose offers are counted, without saying who."""
    return f"browser:offers:{hashlib.sha256(who.identifier.encode()).hexdigest()[:32]}"
