"""Calls from the page: what is signalled by the socket that it writes by, for whoever carries them."""

from __future__ import annotations

from typing import Protocol

from channels.calls import CallRefused, TakesCalls
from channels.webchat.visitor import address_of
from realtime import citizen
from realtime.link import Link
from realtime.messages import Durable
from realtime.peer import Refusal
from session.ids import LegId, SessionId
from session.state import LegEnd


class Pages(Protocol):
    """The pages of all visitors."""

    def remember(self, visitor: str, session: SessionId) -> None:
        """A visitor's matter is in that session, whatever they have written. Started at once, and not waited for."""
        ...

    def show(self, visitor: str, frame: Durable) -> None:
        """Show it for certain, wherever a page of the visitor's is here."""
        ...


class PageCalls:
    """Nothing is kept here: whoever carries a call knows whose it is."""

    def __init__(self, carrier: TakesCalls, pages: Pages) -> None:
        self._carrier, self._pages = carrier, pages

    async def offer(self, link: Link, command: citizen.CallOffer) -> int | Refusal:
        """The page that asked is shown our side before it is told that its offer was taken. Raises `StoreUnavailable`.

        A refusal is for good: a call that is taken later, when nobody expects it any more, would ring for nobody.
        """
        visitor = link.subject
        offer, again = command.description.encode(), LegId(command.call) if command.call else None
        try:
            answered = await self._carrier.call(address_of(visitor), offer, again, _Caller(self._pages, visitor))
        except CallRefused as refused:
            return Refusal(refused.code)
        link.publish(citizen.CallAnswer(call=answered.leg, description=answered.description.decode()))
        return 0

    async def end(self, link: Link, command: citizen.CallEnd) -> int:
        """The citizen hangs up."""
        self._carrier.hang_up(address_of(link.subject), LegId(command.call))
        return 0


class _Caller:
    """One call's page, as whoever carries the call tells it."""

    def __init__(self, pages: Pages, visitor: str) -> None:
        self._pages, self._visitor = pages, visitor

    def admitted(self, session: SessionId) -> None:
        """See `channels.calls.Caller`."""
        self._pages.remember(self._visitor, session)

    def over(self, leg: LegId, reason: LegEnd) -> None:
        """See `channels.calls.Caller`."""
        self._pages.show(self._visitor, citizen.CallOver(call=leg, reason=reason.value))
