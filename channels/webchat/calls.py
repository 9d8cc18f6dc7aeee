"""Calls from the page, and to it: what is signalled by the socket that it writes by, for whoever carries them.

That a page rings stands in the session's timeline, as all that it shows; so it rings on when it was loaded anew.
"""

from __future__ import annotations

from typing import Protocol

from channels.calls import Answered, CallRefused, TakesCalls
from channels.webchat.visitor import address_of
from realtime import citizen
from realtime.link import Link
from realtime.messages import Durable
from realtime.peer import Refusal
from session.address import Address
from session.ids import LegId, SessionId
from session.state import DialFailure, LegEnd


class Pages(Protocol):
    """The pages of all visitors."""

    def remember(self, visitor: str, session: SessionId) -> None:
        """A visitor's matter is in that session, whatever they have written. Started at once, and not waited for."""
        ...

    def show(self, visitor: str, frame: Durable) -> None:
        """Show it for certain, wherever a page of the visitor's is here."""
        ...

    def has_page(self, who: Address) -> bool:
        """Whether one of theirs is connected here."""
        ...


class PageCalls:
    """Nothing is kept here: whoever carries a call knows whose it is."""

    def __init__(self, carrier: TakesCalls, pages: Pages) -> None:
        self._carrier, self._pages = carrier, pages
        carrier.has_page = pages.has_page

    async def offer(self, link: Link, command: citizen.CallOffer) -> int | Refusal:
        """The page that asked is shown our side before it is told that its offer was taken. Raises `StoreUnavailable`.

        A refusal is for good: a call that is taken later, when nobody expects it any more, would ring for nobody.
        """
        visitor = link.subject
        try:
            answered = await self._answered(visitor, command)
        except CallRefused as refused:
            return Refusal(refused.code)
        if command.rings:
            self._pages.show(visitor, citizen.CallTaken(call=answered.leg))
        link.publish(citizen.CallAnswer(call=answered.leg, description=answered.description.decode()))
        return 0

    async def _answered(self, visitor: str, command: citizen.CallOffer) -> Answered:
        who, offer, caller = address_of(visitor), command.description.encode(), _Caller(self._pages, visitor)
        known = LegId(command.call) if command.call else None
        if command.rings and known is not None:
            return await self._carrier.take_up(who, offer, known, caller)
        return await self._carrier.call(who, offer, known, caller)

    async def decline(self, link: Link, command: citizen.CallDecline) -> int:
        """The citizen does not take what rings."""
        self._carrier.refuse(address_of(link.subject), LegId(command.call), DialFailure(command.reason))
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
