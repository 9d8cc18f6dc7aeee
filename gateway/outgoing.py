"""Whom the gateway may call: by rule only. One that calls whom it is told to pays for a stranger's fraud.

A number is called where it is the citizen's own, by what the network or a proof says and never by what somebody wrote;
where it lies within the numbers that the operator allows; and within bounds for each agent and for the day, which all
nodes share. A refusal is told to the log by session and agent, never with the number.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from channels.contract import Channel, Dials
from gateway.metrics import Metrics
from gateway.ulid import new_ulid
from queueing.contract import Log, Queue
from session.address import Address
from session.errors import YihaoError
from session.events import CallRequested
from session.identity import Person
from session.ids import AssigneeId, LegId, SessionId
from session.number import COUNTRY, SCHEME, e164, is_persons
from session.ports import Contact, Inbox, SessionGone, SharedState
from session.state import Leg, LegState, Medium, Party, Session

log = logging.getLogger(__name__)

_NEVER_REFILLED_PER_S = 1e-9
_DAY_S = 24 * 3600
_HOTLINE_UTC_S = 8 * 3600

Where = Literal["number", "page"]
"""Which call is asked for: at a number of theirs, or in the page that they write from."""

Known = Callable[[Address], Awaitable[Person | None]]
"""Who is behind an address, as far as it is proven."""


async def known_to_nobody(address: Address) -> Person | None:
    """Where nobody keeps who is who."""
    del address
    return None


class Why(StrEnum):
    """Why a call may not be made. Stands in frames, in the log and in figures."""

    NO_WAY = "no_way_to_call"
    """No channel here calls anybody."""
    UNPROVEN = "number_unproven"
    """No number of theirs is known for sure."""
    NO_PAGE = "no_page"
    """They have no page open that could ring."""
    NOT_ALLOWED = "number_not_allowed"
    """Abroad, a service that charges, or not among what the operator allows."""
    NO_SLOT = "no_slot"
    """The agent is not charged for this call, or for another."""
    AGENT_BOUND = "agent_bound"
    DAY_BOUND = "day_bound"


class CallRefused(YihaoError):
    """A call that must not be made."""

    def __init__(self, why: Why) -> None:
        self.why = why
        super().__init__(f"the gateway does not call: {why}")


@dataclass(frozen=True, slots=True)
class Place:
    """An authority with its number (联动单位). One for emergencies may always be called, however often."""

    name: str
    number: str
    emergency: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRule:
    """The operator's bounds."""

    allow: tuple[str, ...] = (f"+{COUNTRY}",)
    """How a number that may be called begins. Of the mainland's, only subscribers' are, whatever stands here."""
    per_agent_a_day: int = 200
    a_day: int = 5_000
    places: tuple[Place, ...] = ()
    """Whom agents may call to a call besides: listing them is allowing them."""
    area: str = ""
    """The city's own area code without its 0."""
    believes_claims: bool = False
    """Call back also those numbers for which only the caller's own telephone vouched."""


class Outgoing:
    """Asked before a call is offered to anybody, and once more before it is made."""

    def __init__(
        self,
        rule: OutgoingRule,
        channels: Mapping[str, Channel],
        *,
        queue: Queue,
        shared: SharedState,
        metrics: Metrics,
        known: Known = known_to_nobody,
    ) -> None:
        self._rule, self._channels = rule, channels
        self._queue, self._shared, self._metrics = queue, shared, metrics
        self.known = known
        """Set where somebody keeps who is who."""

    async def wish(
        self, session: Session, by: AssigneeId | None, *, anyone: bool = False, at: Where = "number"
    ) -> CallRequested:
        """The event that asks for a call to the citizen of a session. Raises `CallRefused`."""
        if at == "page":
            return self._wish_for_page(session, by)
        channel = self._dialling(SCHEME)
        if channel is None:
            raise CallRefused(Why.NO_WAY)
        numbers = await self._numbers(session)
        allowed = [number for number in numbers if self._allows(number)]
        if not allowed:
            raise CallRefused(Why.NOT_ALLOWED if numbers else Why.UNPROVEN)
        return CallRequested(by=by, leg=LegId(f"dial-{new_ulid()}"), channel=channel, address=allowed[0], anyone=anyone)

    def _wish_for_page(self, session: Session, by: AssigneeId | None) -> CallRequested:
        found = self._page(session)
        if found is None:
            raise CallRefused(Why.NO_PAGE)
        channel, page, address = found
        leg = LegId(f"dial-{new_ulid()}")
        return CallRequested(by=by, leg=leg, channel=channel, address=address, node=page.owner)

    def may_ring(self, session: Session) -> bool:
        """Whether their page could ring now."""
        return self._page(session) is not None

    def _page(self, session: Session) -> tuple[str, Leg, Address] | None:
        """Where they write from now, and the channel that calls there; numbers are another matter."""
        for leg in reversed(session.live_legs(Party.CITIZEN)):
            is_open = leg.state is LegState.LIVE and leg.medium is not Medium.VOICE
            if is_open and leg.address is not None and leg.address.scheme != SCHEME:
                channel = self._dialling(leg.address.scheme)
                if channel is not None:
                    return channel, leg, leg.address
        return None

    def _dialling(self, scheme: str) -> str | None:
        """The channel that calls addresses of that scheme."""
        dialling = ((name, one) for name, one in self._channels.items() if isinstance(one, Dials) and one.calls_out)
        return next((name for name, one in dialling if scheme in self._channels[name].capabilities.schemes), None)

    @property
    def places(self) -> tuple[Place, ...]:
        """Whom agents may call to a call by one click."""
        return self._rule.places

    async def outside(self, typed: str, agent: AssigneeId) -> tuple[Address, str]:
        """A number for an agent to call to a citizen's call; the name too where it is a place. Raises `CallRefused`."""
        try:
            return await self._outside(typed, agent)
        except CallRefused as refused:
            self._metrics.dials_refused.labels(why=refused.why.value).inc()
            log.warning("outgoing call refused", extra={"agent": agent, "why": refused.why.value})
            raise

    async def _outside(self, typed: str, agent: AssigneeId) -> tuple[Address, str]:
        if self._dialling(SCHEME) is None:
            raise CallRefused(Why.NO_WAY)
        number = e164(typed, self._rule.area)
        place = self._place(number)
        if number is None or not (place is not None or self._allows(Address(SCHEME, number))):
            raise CallRefused(Why.NOT_ALLOWED)
        if place is None or not place.emergency:
            await self._count(agent)
        return Address(SCHEME, number), place.name if place is not None else ""

    async def own(self, typed: str, agent: AssigneeId, *, number: str) -> Contact:
        """Somebody whom an agent calls of their own accord, by `number` of ours. Raises `CallRefused`.

        What they typed must lie within the rule, as for a third; it is counted here, once, since the call that is
        begun with it is made at most once.
        """
        address, _ = await self.outside(typed, agent)
        channel = self._dialling(SCHEME) or ""
        return Contact(LegId(f"dial-{new_ulid()}"), channel, Medium.VOICE, address, number, asserted=True)

    async def permit(self, session: Session, leg: Leg, agent: AssigneeId) -> None:
        """Before a number is dialled. Raises `CallRefused`, `StoreUnavailable`."""
        try:
            await self._permit(session, leg, agent)
        except CallRefused as refused:
            self._metrics.dials_refused.labels(why=refused.why.value).inc()
            audit = {"session": session.id, "leg": leg.id, "agent": agent, "why": refused.why.value}
            log.warning("outgoing call refused", extra=audit)
            raise

    async def _permit(self, session: Session, leg: Leg, agent: AssigneeId) -> None:
        """A page that rings costs nobody anything: it is not counted."""
        number = leg.address
        if number is not None and number.scheme != SCHEME:
            await self._charged(session, agent)
            return
        if leg.id == session.begun and number is not None and self._place(number.identifier) is not None:
            await self._charged(session, agent)
            return
        if number is None or not self._allows(number):
            raise CallRefused(Why.NOT_ALLOWED)
        if leg.id == session.begun:
            await self._charged(session, agent)
            return
        if number not in await self._numbers(session):
            raise CallRefused(Why.UNPROVEN)
        await self._charged(session, agent)
        await self._count(agent)

    def _place(self, number: str | None) -> Place | None:
        return next((one for one in self._rule.places if e164(one.number, self._rule.area) == number), None)

    async def _charged(self, session: Session, agent: AssigneeId) -> None:
        """The agent has room for this call, and for no other."""
        calls = [one for one in (await self._queue.view(agent)).charges if one.medium is Medium.VOICE]
        if [one.session for one in calls] != [session.id]:
            raise CallRefused(Why.NO_SLOT)

    async def _count(self, agent: AssigneeId) -> None:
        """One more of the agent's and of the day's."""
        day = int((await self._shared.now() + _HOTLINE_UTC_S) // _DAY_S)
        if not await self._take(f"dial:{day}:{agent}", self._rule.per_agent_a_day):
            raise CallRefused(Why.AGENT_BOUND)
        if not await self._take(f"dial:{day}", self._rule.a_day):
            raise CallRefused(Why.DAY_BOUND)

    async def _take(self, bucket: str, most: int) -> bool:
        """One of so many; the day's name in the bucket's begins it anew."""
        return await self._shared.take(bucket, rate_per_s=_NEVER_REFILLED_PER_S, burst=most)

    def _allows(self, number: Address) -> bool:
        if number.scheme != SCHEME or not number.identifier.startswith(self._rule.allow):
            return False
        return is_persons(number.identifier) or not number.identifier.startswith(f"+{COUNTRY}")

    async def _numbers(self, session: Session) -> list[Address]:
        """The citizen's own, the surest first: they called or wrote from it, or proved it for another address."""
        own = [
            leg.address
            for leg in reversed(session.legs)
            if leg.party is Party.CITIZEN
            and leg.state not in (LegState.PLANNED, LegState.CALLING)
            and (leg.asserted or self._rule.believes_claims)
            and leg.address is not None
        ]
        person = await self.known(session.citizen)
        proven = person.proven if person is not None else ()
        return list(dict.fromkeys(one for one in (*own, *proven) if one.scheme == SCHEME))


class Wishes:
    """How citizens ask to be called, from wherever they write."""

    def __init__(self, outgoing: Outgoing, log: Log, inbox: Inbox) -> None:
        self._outgoing, self._log, self._inbox = outgoing, log, inbox

    async def ask(self, session_id: SessionId, anyone: bool, dedupe: str) -> str | None:
        """Why they cannot be called; None where they will be. Raises `StoreUnavailable`, `SessionGone`."""
        session = await self._log.open_session_of(session_id)
        if session is None:
            raise SessionGone(session_id)
        try:
            wish = await self._outgoing.wish(session, None, anyone=anyone)
        except CallRefused as refused:
            return refused.why.value
        await self._inbox.post(session_id, wish, dedupe=dedupe)
        return None
