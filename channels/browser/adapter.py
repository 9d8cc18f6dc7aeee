"""Pages' calls as a channel: whose page may call or be called, one call each, and a way back into it."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
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
from session.state import DialFailure, LegEnd, Medium

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
        self._reserved: dict[LegId, _Rung] = {}
        """Calls to pages, from when an agent is rung for them until they are over."""
        self._rung: dict[Address, _Rung] = {}
        """Whose page rings."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._is_draining = False
        self.has_page: Callable[[Address], bool] = _nobody
        """See `channels.calls.TakesCalls`."""

    @property
    def calls(self) -> int:
        """Pages' calls that run."""
        return len(self._calls)

    @property
    def calls_out(self) -> bool:
        """Whether pages can be called at all."""
        return self._settings.calls > 0

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

    # -- calling pages (`Dials`) -------------------------------------------------------------------------------

    async def reserve(self, session: SessionId, leg: LegId, contact: Address, number: str, *, is_taken: bool) -> None:
        """A call that is to be made to a page: the agent is rung for it first."""
        called = Contact(leg, self.name, Medium.VOICE, contact, number, asserted=True)
        rung = self._reserved.setdefault(leg, _Rung(self, contact, leg))
        await self._exchange.make_ready(session, called, rung, is_taken=is_taken)

    async def dial(self, leg: LegId, ring_s: float) -> None:
        """Ring in the page for which an agent is on the line.

        Every page of theirs rings by the timeline, also one that opens meanwhile. It may be taken from now on: whoever
        is quick takes it before the exchange has heard that the attempt is in the log.
        """
        rung = self._reserved.get(leg)
        if rung is not None and rung.who not in self._calls:
            self._rung.setdefault(rung.who, rung)
        await self._exchange.dial(leg, ring_s)

    def is_busy(self, rung: _Rung) -> bool:
        """Whether their page has another call, or rings for another."""
        return self._rung.get(rung.who) is not rung and self._calls.get(rung.who) != rung.leg

    def forget(self, rung: _Rung) -> None:
        """It rings no more, and is over."""
        self._reserved.pop(rung.leg, None)
        if self._rung.get(rung.who) is rung:
            del self._rung[rung.who]
        self._forget(rung.who, rung.leg)

    # -- what pages ask ----------------------------------------------------------------------------------------

    async def call(self, who: Address, offer: bytes, again: LegId | None, caller: Caller) -> Answered:
        """See `channels.calls.TakesCalls`.

        Whoever is in a call and is not heard on it comes back into it, even where their page has forgotten which; and
        whoever calls while their page rings takes what rings.
        """
        rung = self._rung.get(who)
        if rung is not None and again is None:
            return await self.take_up(who, offer, rung.leg, caller)
        description = await self._read(who, offer)
        with _in_words_of_pages():
            return await self._come_back(who, description, again, caller) or await self._begin(who, description, caller)

    async def take_up(self, who: Address, offer: bytes, leg: LegId, caller: Caller) -> Answered:
        """See `channels.calls.TakesCalls`. Of two pages the first has it, also while it is not heard yet."""
        description = await self._read(who, offer)
        rung = self._rung.get(who)
        if rung is None or rung.leg != leg:
            raise OneAtATime if self._calls.get(who) == leg else CallGone
        del self._rung[who]
        self._calls[who] = leg
        self._idle.clear()
        rung.caller = caller
        try:
            with _in_words_of_pages():
                return Answered(leg, await self._exchange.take_up(leg, description))
        except LegUnknown:
            raise CallGone from None
        except CallRefused:
            self._exchange.refuse(leg, DialFailure.UNREACHABLE)
            raise

    def refuse(self, who: Address, leg: LegId, why: DialFailure) -> None:
        """See `channels.calls.TakesCalls`."""
        rung = self._rung.get(who)
        if rung is not None and rung.leg == leg:
            self._exchange.refuse(leg, why)

    async def _read(self, who: Address, offer: bytes) -> bytes:
        if not await self._shared.take(_bucket(who), rate_per_s=_OFFERS_PER_S, burst=_OFFERS_BURST):
            raise CalledTooOften(1 / _OFFERS_PER_S)
        return descriptions.read(offer)

    async def _come_back(
        self, who: Address, description: bytes, again: LegId | None, caller: Caller
    ) -> Answered | None:
        """Into the call that they are in; None where they are in none."""
        running = self._calls.get(who)
        if running is None:
            return None if again is None else await self._come_over(who, description, again, caller)
        if again != running and self._exchange.is_heard(running):
            raise OneAtATime
        try:
            return Answered(running, await self._exchange.take_again(running, description))
        except LegUnknown:
            if self._calls.get(who) == running:  # the exchange is about to take it
                raise OneAtATime from None
            if again is not None:
                raise CallGone from None
            return None

    async def _come_over(self, who: Address, description: bytes, again: LegId, caller: Caller) -> Answered:
        """Into a call that another node has, whose page was loaded anew here."""
        forget = self._enter(who, again)
        try:
            answer = await self._exchange.take_over(again, who, description, _Listed(caller, forget))
        except LegUnknown:
            forget()
            raise CallGone from None
        except YihaoError:
            forget()
            raise
        return Answered(again, answer)

    def _enter(self, who: Address, leg: LegId) -> Callable[[], None]:
        """They are in that call; gives what ends it. At once: two offers may come together."""
        self._calls[who] = leg
        self._idle.clear()
        return partial(self._forget, who, leg)

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
        answer = None
        forget = self._enter(who, leg)
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


class _Rung:
    """A page that is called, until that is over; `caller` has taken it."""

    def __init__(self, channel: BrowserChannel, who: Address, leg: LegId) -> None:
        self.who, self.leg = who, leg
        self.caller: Caller | None = None
        self._channel = channel

    def ring(self) -> DialFailure | None:
        """See `Callee`."""
        return DialFailure.BUSY if self._channel.is_busy(self) else None

    @property
    def is_there(self) -> bool:
        """See `Callee`."""
        return self._channel.has_page(self.who)

    def over(self, reason: LegEnd) -> None:
        """See `Callee`."""
        self._channel.forget(self)
        if self.caller is not None:
            self.caller.over(self.leg, reason)


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


@contextmanager
def _in_words_of_pages() -> Iterator[None]:
    """What the exchange and its engine say of an offer, as pages are told it."""
    try:
        yield
    except (CallRefused, LegUnknown):
        raise
    except YihaoError as refused:
        if refused.retryable:
            raise ExchangeFull(refused.retry_after_s or _RETRY_S) from refused
        raise OfferMalformed(str(refused)) from refused


def _nobody(who: Address) -> bool:
    """Until somebody holds pages there are none."""
    del who
    return False


def _bucket(who: Address) -> str:
    """Whose offers are counted, without saying who."""
    return f"browser:offers:{hashlib.sha256(who.identifier.encode()).hexdigest()[:32]}"
