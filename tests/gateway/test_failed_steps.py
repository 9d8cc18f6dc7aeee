"""Each step of going on elsewhere may come to nothing: it has its time, and the citizen is where they were.

With settings made short, through real timers. That the other window has closed is told in test_reach.py.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from channels.contract import Channel
from gateway.links import Links
from queueing.memory import MemoryStore
from queueing.settings import QueueSettings
from session.address import Address
from session.events import CallRequested, Event, LegClosed, LinkSent, MessageFailed, PlaceKept
from session.identity import AddressesLinked, Person, Proof
from session.ids import AssigneeId, LegId, LinkId, MessageId, PersonId, SessionId
from session.rules import Rules
from session.state import Failure, LegEnd, LegState, Medium, Party, Phase, Session
from session.switch import LinkRefused
from tests.conftest import Eventually
from tests.gateway.test_links import CLAIM, Carrier
from tests.gateway.town import CALLS, CHATS, PATIENT, Post, a_call, a_chat, agents_leg, hire, links_on, open_post

MOBILE = "+8613800138000"
OTHERS = ("+8613800138001", "+8613800138002")
CANNOT_CALL = replace(PATIENT, callback_pauses_s=(), kept_place_s=0.5, call_grace_s=0.5)


@dataclass
class Line:
    """A caller in line behind two others, on one node."""

    post: Post
    links: Links
    carrier: Carrier
    session: SessionId
    leg: LegId
    stood: int = 0
    """Their place when they came."""

    async def now(self) -> Session:
        return await self.post.session(self.session)

    async def place(self) -> int:
        place = await self.post.store.queue.place(self.session)
        return place.position if place is not None else 0

    async def tell(self, event: Event) -> None:
        await self.post.inbox.post(self.session, event)

    async def is_sent_the_link(self, eventually: Eventually) -> str:
        """They press 1. Gives what stands in the text."""
        await self.tell(PlaceKept(leg=self.leg))
        await eventually(lambda: self.post.said(self.session, LinkSent), deadline_s=15)
        return self.carrier.token


@asynccontextmanager
async def in_line(memory: MemoryStore, eventually: Eventually, rules: Rules) -> AsyncIterator[Line]:
    async with open_post(memory, "n1", rules) as post:
        carrier = Carrier("texts", Medium.MESSAGE)
        channels: dict[str, Channel] = {CALLS: post.telephone, CHATS: post.chat, carrier.name: carrier}
        links = post.performer._links = links_on(memory, channels, post.inbox, rules)
        for number in OTHERS:
            await post.inbox.open(a_call(number))
        admission = await post.inbox.open(a_call(MOBILE))
        await eventually(lambda: memory.queue.place(admission.session), deadline_s=15)
        line = Line(post, links, carrier, admission.session, admission.leg)
        line.stood = await line.place()
        yield line


async def is_in(line: Line, phase: Phase) -> bool:
    return (await line.now()).phase is phase


async def test_a_link_that_is_never_opened_leaves_who_stays_on_the_line_in_their_place(
    memory: MemoryStore, eventually: Eventually
) -> None:
    async with in_line(memory, eventually, replace(CANNOT_CALL, link_s=1.0)) as line:
        token = await line.is_sent_the_link(eventually)

        await eventually(lambda: _is_past(line, 1.0), deadline_s=15)
        with pytest.raises(LinkRefused) as refused:
            await line.links.open(token, CLAIM)
        assert refused.value.why == "expired"
        session = await line.now()
        assert (session.phase, await line.place(), session.live_legs(Party.CITIZEN)[0].id) == (
            Phase.QUEUED,
            line.stood,
            line.leg,
        )


async def _is_past(line: Line, seconds: float) -> bool:
    (sent,) = await line.post.said(line.session, LinkSent)
    return await line.post.store.shared.now() > sent.at + seconds


async def test_a_link_that_is_never_opened_ends_as_a_debt_to_who_has_hung_up(
    memory: MemoryStore, eventually: Eventually
) -> None:
    """Where we cannot call by ourselves an agent does; the place is free for others."""
    async with in_line(memory, eventually, CANNOT_CALL) as line:
        await line.is_sent_the_link(eventually)
        await line.tell(LegClosed(leg=line.leg, reason=LegEnd.HANGUP))
        await eventually(lambda: is_in(line, Phase.CALLBACK_PENDING), deadline_s=15)
        session = await line.now()
        assert session.debt is not None
        assert await line.place() == 0
        assert session.waited_s(session.debt.since) > 0


async def test_who_dials_again_before_the_link_is_opened_is_in_their_place(
    memory: MemoryStore, eventually: Eventually
) -> None:
    async with in_line(memory, eventually, replace(CANNOT_CALL, kept_place_s=60.0)) as line:
        await line.is_sent_the_link(eventually)
        await line.tell(LegClosed(leg=line.leg, reason=LegEnd.HANGUP))
        await eventually(lambda: line.post.absorbed(line.session), deadline_s=15)
        again = await line.post.inbox.open(a_call(MOBILE))
        assert (again.session, again.fresh) == (line.session, False)
        await eventually(lambda: line.post.absorbed(line.session), deadline_s=15)
        assert (await line.place(), (await line.now()).phase) == (line.stood, Phase.QUEUED)


async def test_a_text_that_does_not_arrive_is_told_to_who_waits_and_costs_no_place(
    memory: MemoryStore, eventually: Eventually
) -> None:
    async with in_line(memory, eventually, CANNOT_CALL) as line:
        await line.is_sent_the_link(eventually)
        notice = MessageId(str(line.carrier.of("notify")[0][2]))
        await line.tell(MessageFailed(message=notice, channel="texts", reason=Failure.UNDELIVERED, code="30003"))
        await eventually(
            lambda: any("link_failed" in str(one) for one in line.post.telephone.of("play")), deadline_s=15
        )
        session = await line.now()
        assert (session.phase, session.kept, await line.place()) == (Phase.QUEUED, False, line.stood)
        await line.tell(LegClosed(leg=line.leg, reason=LegEnd.HANGUP))
        await eventually(lambda: is_in(line, Phase.CLOSED), deadline_s=15)  # as any caller's who leaves: no promise


@pytest.mark.parametrize("picks_up", [True, False], ids=["the citizen does not", "the agent does not"])
async def test_a_call_that_is_not_answered_leaves_the_chat_with_its_agent(
    eventually: Eventually, picks_up: bool
) -> None:
    memory = MemoryStore(QueueSettings(lease_s=0.5))
    async with open_post(memory, "n1", replace(PATIENT, dial_ring_s=0.3, media_up_s=0.3)) as post:
        post.performer._outgoing.known = _is_theirs
        agent = await hire(memory, "8001")
        session = (await post.inbox.open(a_chat())).session
        offer = await eventually(lambda: post.offer(session), deadline_s=15)
        assert offer is not None
        assert (await post.inbox.accept(session, agent, offer.token)).granted
        await eventually(lambda: post.absorbed(session), deadline_s=15)
        dial = LegId("dial-1")
        await post.inbox.post(session, CallRequested(by=agent, leg=dial, channel=CALLS, address=Address("tel", MOBILE)))
        await eventually(lambda: post.telephone.of("ring"), deadline_s=15)
        if picks_up:
            await post.inbox.post(session, agents_leg(post.id))
            await eventually(lambda: post.telephone.of("dial"), deadline_s=15)

        async def is_written_again() -> bool:
            now = await post.session(session)
            return now.dial is None and await _charged(post, agent) == [(session, Medium.CHAT)]

        await eventually(is_written_again, deadline_s=15)
        now = await post.session(session)
        assert (now.phase, now.assignee, now.medium) == (Phase.ACTIVE, agent, Medium.CHAT)
        live = [(leg.party, leg.medium) for leg in now.legs if leg.state is LegState.LIVE]
        assert live == [(Party.CITIZEN, Medium.CHAT)], "nobody is left on a telephone"
        assert now.debt is None


async def _is_theirs(address: Address) -> Person:
    """The number was proven on the page."""
    proof = AddressesLinked(
        link=LinkId("l1"), key=Address("tel", MOBILE), holder=Address("web", "visitor-1"), proof=Proof.SMS_CODE, at=0.0
    )
    return Person(PersonId("p1"), (proof.key, proof.holder), (proof,))


async def _charged(post: Post, agent: AssigneeId) -> list[tuple[SessionId, Medium]]:
    return [(one.session, one.medium) for one in (await post.store.queue.view(agent)).charges]
