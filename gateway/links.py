"""Links by which citizens go on elsewhere: made and sent as the session's machine asks, and opened once.

A token is made anew from the effect that asked for it, so nothing is kept of it until somebody opens it. Who opens it
first has it: their page says a word of its own choosing with it, and with the same word it may ask again, since an
answer can be lost and a node can die between two steps.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from channels.contract import Channel, ChannelError, JoinsByLink, LinkVisit
from gateway.notices import NobodyReaches, Notices
from queueing.contract import Log
from session import switch
from session.address import Address
from session.effects import SendLink
from session.events import Event, LinkFailed, LinkOpened, LinkSent
from session.identity import AddressesLinked, Person, Proof
from session.ids import MessageId, SessionId
from session.notice import Notice, Template
from session.ports import Inbox, SessionGone, SharedState
from session.rules import Rules
from session.state import Party, Phase, Session
from session.switch import Link, LinkRefused, Purpose

LINKS_PER_S, LINKS_BURST = 1 / 60, 4
"""So many may one session have sent: a key pressed in anger, or an agent in haste, is no flood of texts."""
TEMPLATES: Mapping[Purpose, str] = {Purpose.SWITCH: "link", Purpose.PICTURE: "picture"}
"""The notice that brings it, by the name of its reviewed words; the parameter `url` is the link."""
REMEMBERED_S = 60.0
"""How long after its expiry it is still known that a link was opened."""
LEAST_CLAIM, LONGEST_CLAIM = 16, 128
"""Of the word that a page chooses, in characters."""


Known = Callable[[Address], Awaitable[Person | None]]
"""Whose an address is, where it is known."""
SUREST = 0.9
"""The least confidence of a proof by which another address gets what a number would."""

Bind = Callable[[Address, Address, SessionId], Awaitable[None]]
"""A link that was sent to the first address has been opened at the second: from now on they are one citizen's."""


async def _known_to_nobody(address: Address) -> Person | None:
    del address
    return None


async def _bound_by_nobody(sent_to: Address, opened_at: Address, session: SessionId) -> None:
    del sent_to, opened_at, session


@dataclass(frozen=True, slots=True)
class Opened:
    """What a page is given that opened a link."""

    purpose: Purpose
    visit: LinkVisit


class Links:
    """Of one node; any node sends, and any opens."""

    def __init__(
        self,
        notices: Notices,
        channels: Mapping[str, Channel],
        *,
        log: Log,
        shared: SharedState,
        inbox: Inbox,
        key: bytes,
        rules: Rules,
        page: Callable[[], str],
    ) -> None:
        """`page` is where citizens reach the web server, without a slash at its end; empty where they cannot."""
        self._notices, self._channels = notices, channels
        self._log, self._shared, self._inbox = log, shared, inbox
        self._key, self._rules, self._page = key, rules, page
        self.bind: Bind = _bound_by_nobody
        """Set once: who knows which addresses are whose."""
        self.known: Known = _known_to_nobody
        """Set once, likewise."""

    async def may_send(self, session: Session, purpose: Purpose) -> bool:
        """Whether the citizen can be sent such a link now, by anything. Raises `StoreUnavailable`."""
        to = _proven(session)
        if not self._page() or to is None:
            return False
        addresses = (to, *await self._theirs(to))
        return any([await self._notices.ways(address, TEMPLATES[purpose]) for address in addresses])

    async def send(self, session: Session, name: str, effect: SendLink) -> None:
        """Send the link that an effect of this name asks for, once; what became of it stands in the session."""
        event = await self._send(session, name, effect.purpose)
        await self._inbox.post(session.id, event, dedupe=f"link:{session.id}:{name}")

    async def _send(self, session: Session, name: str, purpose: Purpose) -> Event:
        to, page = _proven(session), self._page()
        link = await self._link(session.id, name, purpose)
        if to is None or not page or link is None:
            return LinkFailed(purpose=purpose, reason="nowhere", link=name)
        if not await self._shared.take(f"links:{session.id}", rate_per_s=LINKS_PER_S, burst=LINKS_BURST):
            return LinkFailed(purpose=purpose, reason="too_often", link=name)
        url = f"{page}/go#{link.sealed(self._key, session.citizen)}"
        template = Template(TEMPLATES[purpose], {"url": url})
        channel = await self._told_elsewhere(to, session.id, link, template)
        if channel:
            return LinkSent(purpose=purpose, channel=channel, link=name)
        notice = Notice(id=link.notice, template=template, session=session.id, asked_for=True)
        try:
            channel = await self._notices.tell(to, notice)
        except NobodyReaches:
            return LinkFailed(purpose=purpose, reason="nowhere", link=name)
        except ChannelError as error:
            return LinkFailed(purpose=purpose, reason=error.failure.value, link=name)
        return LinkSent(purpose=purpose, channel=channel, link=name)

    async def _told_elsewhere(self, to: Address, session: SessionId, link: Link, template: Template) -> str:
        """By another way to whom the number is known to be: which channel, if one has taken it.

        It has a name of its own: that it fails is not yet that the link was not sent, for the number is still there.
        """
        for address in await self._theirs(to):
            if await self._notices.ways(address, template.name):
                notice = Notice(
                    id=MessageId(f"{link.name}-{link.notice}"), template=template, session=session, asked_for=True
                )
                with suppress(NobodyReaches, ChannelError):  # what became of it stands in the timeline
                    return await self._notices.tell(address, notice)
        return ""

    async def _theirs(self, number: Address) -> list[Address]:
        """Other addresses that strong proofs hold to the number. An agent's word is none."""
        person = await self.known(number)
        sure = [one for one in (person.links if person is not None else ()) if _is_sure(one)]
        found = [number]
        for address in found:  # which grows meanwhile
            pairs = ((one.key, one.holder) for one in sure)
            found += {a if b == address else b for a, b in pairs if address in (a, b)} - set(found)
        return found[1:]

    async def _link(self, session: SessionId, name: str, purpose: Purpose) -> Link | None:
        """The link that an effect is about: the same for the same effect, however often it is performed."""
        version, _, index = name.partition(".")
        for entry in await self._log.read(session, after=int(version) - 1, limit=1):
            expires_at = float(int(entry.event.at + self._rules.link_s))
            return Link(session, purpose, expires_at, (int(version), int(index)))
        return None

    async def open(self, token: str, claim: str) -> Opened:
        """Let the page that says `claim` into the session. Raises `LinkRefused`, `StoreUnavailable`."""
        link, session = await self._checked(token)
        digest = hashlib.sha256(claim.encode()).hexdigest().encode()
        used = f"link:{session.id}:{link.name}"
        ttl_s = link.expires_at - await self._shared.now() + REMEMBERED_S
        if not await self._shared.put_new(used, digest, ttl_s=ttl_s):
            first = await self._shared.get(used) or b""
            if not hmac.compare_digest(first, digest):
                raise LinkRefused("used")
        visit = await self._let_in(link, digest.decode())
        opened = LinkOpened(purpose=link.purpose, link=link.name, leg=visit.leg)
        try:
            await self._inbox.post(session.id, opened, dedupe=f"link_opened:{session.id}:{link.name}")
        except SessionGone:
            raise LinkRefused("over") from None
        sent_to = _proven(session)
        if sent_to is not None:
            await self.bind(sent_to, visit.address, session.id)
        return Opened(link.purpose, visit)

    async def _checked(self, token: str) -> tuple[Link, Session]:
        session = await self._log.open_session_of(switch.read(token).session)
        if session is None:
            raise LinkRefused("over")
        link = switch.check(token, self._key, session.citizen, await self._shared.now())
        if session.phase in (Phase.CLOSED, Phase.WRAPPING):
            raise LinkRefused("over")
        return link, session

    async def _let_in(self, link: Link, digest: str) -> LinkVisit:
        for channel in self._channels.values():
            if isinstance(channel, JoinsByLink):
                try:
                    return await channel.join_by_link(link.session, f"{link.session}:{link.name}:{digest}")
                except SessionGone:
                    raise LinkRefused("over") from None
        raise LinkRefused("over")


def _is_sure(link: AddressesLinked) -> bool:
    return link.proof.confidence >= SUREST and link.proof is not Proof.AGENT_WORD


def _proven(session: Session) -> Address | None:
    """Where the citizen is surely reached: the newest of their legs whose address the network vouches for."""
    vouched = (leg for leg in reversed(session.legs) if leg.party is Party.CITIZEN and leg.asserted)
    return next((leg.address for leg in vouched), None)
