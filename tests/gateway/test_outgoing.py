"""Calls to citizens: who may be called at all, how often, and what becomes of the others."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial

import pytest

from gateway.beginning import Beginning
from gateway.measures import Measures
from gateway.metrics import Metrics
from gateway.outgoing import CallRefused, Outgoing, OutgoingRule, Place, Why
from queueing.memory import MemoryStore
from session.address import Address
from session.events import CallRequested, DialFailed, LegClosed, LegOpened, SlotGranted
from session.identity import AddressesLinked, Person, Proof
from session.ids import AssigneeId, LegId, LinkId, PersonId, SessionId
from session.ports import Aside, Begun, Credential
from session.state import DialFailure, Leg, LegEnd, LegState, Medium, Party, Phase, Session
from tests.conftest import Eventually
from tests.gateway.town import CALLS, PATIENT, Post, Telephone, a_call, a_chat, agents_leg, hire, open_post, outgoing_on

MOBILE = Address("tel", "+8613800138000")
POLICE = Place("公安", "110", emergency=True)
VISITOR = Address("web", "visitor-1")
ANY_HOUR = replace(PATIENT, callback_from_s=0.0, callback_until_s=86400.0)
"""Else no second attempt would be made where these tests run after nine in the evening, by Chinese time."""
SOON = replace(ANY_HOUR, callback_pauses_s=(0.05, 3600.0), contact_after_s=0.1)


@dataclass
class Town:
    """One node with an agent who has a telephone."""

    post: Post
    agent: AssigneeId
    outgoing: Outgoing

    async def session(self, session: SessionId) -> Session:
        return await self.post.session(session)


@pytest.fixture
async def town(memory: MemoryStore) -> AsyncIterator[Town]:
    async with open_post(memory, "n1", SOON) as post:
        agent = await hire(memory, "8001")
        yield Town(post, agent, outgoing_on(memory, {CALLS: post.telephone}, post.metrics))


def leg(**changes: object) -> Leg:
    made = Leg(LegId("call-1"), CALLS, Medium.VOICE, Party.CITIZEN, "n1", MOBILE, asserted=True)  # type: ignore[arg-type]
    return replace(made, **changes)  # type: ignore[arg-type]  # whatever a test says


def a_session(*legs: Leg, citizen: Address = MOBILE) -> Session:
    return Session(SessionId("s1"), citizen, "12345", 0.0, phase=Phase.ACTIVE, legs=legs)


# --- whose number it is


async def test_a_number_that_called_us_may_be_called(town: Town) -> None:
    wish = await town.outgoing.wish(a_session(leg()), town.agent)
    assert (wish.address, wish.channel, wish.by) == (MOBILE, CALLS, town.agent)


@pytest.mark.parametrize("changes", [{"asserted": False}, {"address": None}, {"party": Party.ASSIGNEE}])
async def test_a_number_that_somebody_only_says_is_theirs_may_not(town: Town, changes: dict[str, object]) -> None:
    with pytest.raises(CallRefused) as refused:
        await town.outgoing.wish(a_session(leg(**changes)), town.agent)
    assert refused.value.why is Why.UNPROVEN


@pytest.mark.parametrize(
    "number",
    [
        "+861259012345678",
        "+8657116812345",  # 声讯台
        "+865719601234",
        "+8610110",
        "+12025550123",
        "+882123456789",
        "110",
    ],
)
async def test_services_and_foreign_numbers_are_never_called(town: Town, number: str) -> None:
    with pytest.raises(CallRefused) as refused:
        await town.outgoing.wish(a_session(leg(address=Address("tel", number))), town.agent)
    assert refused.value.why is Why.NOT_ALLOWED


@pytest.mark.parametrize("number", ["+8613800138000", "+861065123467", "+8657187654321"])
async def test_people_at_home_and_on_the_move_are(town: Town, number: str) -> None:
    wish = await town.outgoing.wish(a_session(leg(address=Address("tel", number))), None)
    assert wish.address.identifier == number


async def test_a_number_proven_at_another_address_is_theirs(town: Town) -> None:
    """One who wrote from the page, and typed in the code that was sent to the number."""
    chat = leg(medium=Medium.CHAT, address=VISITOR, asserted=False)

    def person(proof: Proof) -> Person:
        link = AddressesLinked(link=LinkId("l1"), key=MOBILE, holder=VISITOR, proof=proof, at=1.0)
        return Person(PersonId("p1"), (MOBILE, VISITOR), (link,))

    async def known(address: Address, proof: Proof = Proof.SMS_CODE) -> Person | None:
        return person(proof) if address == VISITOR else None

    town.outgoing.known = known
    assert (await town.outgoing.wish(a_session(chat, citizen=VISITOR), None)).address == MOBILE

    async def by_word(address: Address) -> Person | None:
        return await known(address, Proof.AGENT_WORD)

    town.outgoing.known = by_word
    with pytest.raises(CallRefused):
        await town.outgoing.wish(a_session(chat, citizen=VISITOR), None)


# --- their page


PAGE = leg(id=LegId("chat-1"), channel="chats", medium=Medium.CHAT, address=VISITOR, owner="n2", asserted=False)


def with_pages(town: Town, memory: MemoryStore) -> Outgoing:
    """And a channel that calls where citizens write from."""
    pages = Telephone("pages", Medium.VOICE)
    pages.capabilities = replace(pages.capabilities, schemes=("web",))
    return outgoing_on(memory, {CALLS: town.post.telephone, "pages": pages}, town.post.metrics)


async def test_the_page_rings_that_they_write_from_at_its_node(town: Town, memory: MemoryStore) -> None:
    outgoing = with_pages(town, memory)
    wish = await outgoing.wish(a_session(leg(), PAGE), town.agent, at="page")
    assert (wish.address, wish.channel, wish.node, wish.by) == (VISITOR, "pages", "n2", town.agent)
    assert outgoing.may_ring(a_session(PAGE))
    assert (await outgoing.wish(a_session(leg(), PAGE), town.agent)).channel == CALLS, "a number is another matter"


@pytest.mark.parametrize(
    "there",
    [
        replace(PAGE, state=LegState.AWAY),
        replace(PAGE, state=LegState.ENDED),
        replace(PAGE, address=MOBILE, medium=Medium.MESSAGE),
        replace(PAGE, medium=Medium.VOICE),
        replace(PAGE, address=Address("wechat", "o1", "wx1")),
    ],
    ids=["away", "ended", "a text", "a call", "no page"],
)
async def test_no_page_rings_that_is_not_there(town: Town, memory: MemoryStore, there: Leg) -> None:
    outgoing = with_pages(town, memory)
    assert not outgoing.may_ring(a_session(there))
    with pytest.raises(CallRefused) as refused:
        await outgoing.wish(a_session(there), town.agent, at="page")
    assert refused.value.why is Why.NO_PAGE


async def test_where_no_channel_calls_nobody_is_called(memory: MemoryStore) -> None:
    with pytest.raises(CallRefused) as refused:
        await outgoing_on(memory, {}, Metrics()).wish(a_session(leg()), None)
    assert refused.value.why is Why.NO_WAY


# --- how often


async def test_an_agent_and_a_day_have_their_bounds(
    town: Town, memory: MemoryStore, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    rule = OutgoingRule(per_agent_a_day=2, a_day=3)
    bound = Outgoing(
        rule, {CALLS: town.post.telephone}, queue=memory.queue, shared=memory.shared, metrics=town.post.metrics
    )
    session = await _talking(town, eventually)
    state = await town.session(session)
    call = state.legs[0]
    for _ in range(2):
        await bound.permit(state, call, town.agent)
    with caplog.at_level(logging.WARNING), pytest.raises(CallRefused) as refused:
        await bound.permit(state, call, town.agent)
    assert refused.value.why is Why.AGENT_BOUND
    (line,) = [one for one in caplog.records if one.getMessage() == "outgoing call refused"]
    assert "1380013" not in repr(vars(line)), "no number in the log"
    assert (line.session, line.agent, line.why) == (session, town.agent, "agent_bound")  # type: ignore[attr-defined]
    assert b'yihao_dials_refused_total{why="agent_bound"} 1.0' in town.post.metrics.exposition()


async def test_nobody_is_called_for_an_agent_who_is_not_charged_for_it(
    town: Town, eventually: Eventually, memory: MemoryStore
) -> None:
    """So that no agent has two calls out at once, however they came to be (law 4)."""
    session = await _talking(town, eventually)
    state = await town.session(session)
    other = await hire(memory, "8002")
    with pytest.raises(CallRefused) as refused:
        await town.outgoing.permit(state, state.legs[0], other)
    assert refused.value.why is Why.NO_SLOT


async def _offered(town: Town, session: SessionId, eventually: Eventually) -> int:
    offer = await eventually(lambda: town.post.offer(session))
    assert offer is not None
    assert offer.assignee == town.agent
    return offer.token


async def _talking(town: Town, eventually: Eventually) -> SessionId:
    """A call that the agent has."""
    admission = await town.post.inbox.open(a_call())
    token = await _offered(town, admission.session, eventually)
    assert (await town.post.inbox.accept(admission.session, town.agent, token)).granted
    await town.post.inbox.post(admission.session, agents_leg(town.post.id))
    await eventually(lambda: town.post.absorbed(admission.session))
    return admission.session


# --- a debt, from the node that died to the call back


async def test_a_lost_call_is_offered_to_an_agent_who_is_rung_first_and_then_dialled(
    town: Town, eventually: Eventually
) -> None:
    post = town.post
    admission = await post.inbox.open(a_call())
    session = admission.session
    await eventually(lambda: post.offer(session))
    await post.store.log.append(session, _lost(admission.leg))
    post.mailboxes.wake(session)
    await eventually(lambda: post.telephone.of("reserve"), deadline_s=10)
    (reserved,) = post.telephone.of("reserve")
    dialled, address, is_taken = reserved[1:]
    assert (address, is_taken) == (MOBILE, False)
    assert post.telephone.of("ring")[-1][1] == dialled, "the agent is rung for the call that is to be made"
    assert not post.telephone.of("dial")
    token = await _offered(town, session, eventually)
    assert (await post.inbox.accept(session, town.agent, token)).granted
    await post.inbox.post(session, agents_leg(post.id))
    await eventually(lambda: post.telephone.of("dial"))
    assert post.telephone.of("dial") == [("dial", dialled)]
    assert (await post.store.queue.promises()).owed == 1
    up = leg(id=dialled, owner=post.id)
    await post.inbox.post(session, LegOpened(leg=up))
    await eventually(lambda: post.telephone.of("join"))
    deadline = asyncio.get_running_loop().time() + 15
    while (promises := await post.store.queue.promises()).owed and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)  # both talk: that is what makes it contact
    assert (promises.owed, promises.kept) == (0, 1)
    metrics = Metrics()
    await Measures(post.store, metrics, dict, int).look()
    scraped = metrics.exposition().decode()
    assert 'yihao_calls_owed{state="owed"} 0.0' in scraped
    assert 'yihao_calls_owed_ended{end="kept"} 1.0' in scraped
    assert 'yihao_calls_owed_ended{end="unreached"} 0.0' in scraped


def _lost(leg_id: LegId) -> LegClosed:
    return LegClosed(leg=leg_id, reason=LegEnd.NODE_LOST)


async def test_what_the_rules_forbid_is_not_dialled_and_said_in_the_session(town: Town, eventually: Eventually) -> None:
    """A number that was allowed when the call was owed, and is not any more."""
    post = town.post
    admission = await post.inbox.open(a_call("+8657116812345"))
    session = admission.session
    await eventually(lambda: post.offer(session))
    await post.store.log.append(session, _lost(admission.leg))
    post.mailboxes.wake(session)
    await eventually(lambda: post.telephone.of("reserve"), deadline_s=10)
    token = await _offered(town, session, eventually)
    assert (await post.inbox.accept(session, town.agent, token)).granted
    await post.inbox.post(session, agents_leg(post.id))
    (failed,) = await eventually(lambda: post.said(session, DialFailed))
    assert isinstance(failed, DialFailed)
    assert failed.reason is DialFailure.REFUSED
    assert not post.telephone.of("dial")
    await eventually(lambda: _is(post, session, Phase.CALLBACK_PENDING))


async def _is(post: Post, session: SessionId, phase: Phase) -> bool:
    return await post.phase(session) is phase


# --- a chat becomes a call


async def test_the_agent_who_writes_is_rung_by_what_they_have_accepted(town: Town, eventually: Eventually) -> None:
    post = town.post
    admission = await post.inbox.open(a_chat())
    session = admission.session
    token = await _offered(town, session, eventually)
    assert (await post.inbox.accept(session, town.agent, token)).granted
    await eventually(lambda: post.absorbed(session))
    wish = CallRequested(by=town.agent, leg=LegId("dial-1"), channel=CALLS, address=MOBILE)
    await post.inbox.post(session, wish)
    await eventually(lambda: post.telephone.of("ring"))
    assert post.telephone.of("reserve") == [("reserve", "dial-1", MOBILE, True)]
    assert post.telephone.of("ring") == [("ring", "dial-1", town.agent, token)]
    (granted,) = await post.said(session, SlotGranted)
    assert isinstance(granted, SlotGranted)
    assert (await post.inbox.accept(session, town.agent, token)).value == "already_yours"
    charges = (await post.store.queue.view(town.agent)).charges
    assert [(one.session, one.medium) for one in charges] == [(session, Medium.VOICE)]


async def test_a_page_rings_by_the_node_that_has_it_whoever_has_the_session(
    memory: MemoryStore, eventually: Eventually
) -> None:
    """No number is dialled, nothing is counted; and were that node dead, both would go on writing."""
    async with open_post(memory, "n1", SOON) as post:
        agent = await hire(memory, "8001")
        admission = await post.inbox.open(a_chat())
        session = admission.session
        token = await _offered(Town(post, agent, outgoing_on(memory, {}, post.metrics)), session, eventually)
        assert (await post.inbox.accept(session, agent, token)).granted
        async with open_post(memory, "n2", SOON) as other:
            wish = CallRequested(by=agent, leg=LegId("dial-1"), channel=CALLS, address=VISITOR, node=other.id)
            await post.inbox.post(session, wish)
            await eventually(lambda: other.telephone.of("ring"), deadline_s=15)
            assert other.telephone.of("reserve") == [("reserve", "dial-1", VISITOR, True)]
            await other.inbox.post(session, agents_leg(other.id))
            await eventually(lambda: other.telephone.of("dial"), deadline_s=15)
            await other.inbox.post(session, DialFailed(leg=LegId("dial-1"), reason=DialFailure.NO_MICROPHONE))
            await eventually(lambda: _writes_on(post, session), deadline_s=15)
            assert not post.telephone.asked, "this node has the session, and not the page"
            await other.die()
            await memory.mailboxes.leave(other.id)
        again = replace(wish, leg=LegId("dial-2"))
        await post.inbox.post(session, again)
        await eventually(lambda: _writes_on(post, session), deadline_s=15)
        failed = (await post.said(session, DialFailed))[-1]
        assert isinstance(failed, DialFailed)
        assert (failed.leg, failed.reason) == ("dial-2", DialFailure.UNKNOWN)


async def _writes_on(post: Post, session: SessionId) -> bool:
    state = await post.session(session)
    is_settled = len(await post.said(session, CallRequested)) == len(await post.said(session, DialFailed))
    return is_settled and (state.phase, state.dial, state.medium) == (Phase.ACTIVE, None, Medium.CHAT)


# --- a node dies while it dials


async def test_an_attempt_of_a_dead_node_is_unknown_and_never_made_again(
    memory: MemoryStore, eventually: Eventually
) -> None:
    rules = replace(SOON, callback_pauses_s=(0.05, 0.05))
    async with open_post(memory, "lives", rules) as alive:
        async with open_post(memory, "dies", rules) as dying:
            agent = await hire(memory, "8001")
            admission = await dying.inbox.open(a_call())
            session = admission.session
            await memory.log.append(session, _lost(admission.leg))
            dying.mailboxes.wake(session)
            await eventually(lambda: dying.telephone.of("ring"), deadline_s=10)
            offer = await eventually(lambda: dying.offer(session))
            assert offer is not None
            assert (await dying.inbox.accept(session, agent, offer.token)).granted
            await dying.inbox.post(session, agents_leg(dying.id))
            await eventually(lambda: dying.telephone.of("dial"))
            first = dying.telephone.of("dial")[0][1]
            await dying.die()
            await memory.mailboxes.leave(dying.id)
        await eventually(lambda: alive.telephone.of("reserve"), deadline_s=15)
        assert alive.telephone.of("reserve")[0][1] != first, "another attempt, not the same one again"
        assert not alive.telephone.of("dial"), "and nobody is called before an agent is there"
        state = await alive.session(session)
        assert [one.state for one in state.legs if one.id == first] == [LegState.ENDED]
        assert state.debt is not None
        assert state.debt.attempts == 1


# --- an agent calls somebody of their own accord


class Extensions:
    """Everybody's is their login."""

    async def credential(self, extension: str) -> Credential | None:
        return Credential(AssigneeId(extension), extension, "yihao") if len(extension) == 4 else None

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        return assignee


def beginning_of(town: Town, memory: MemoryStore, rule: OutgoingRule | None = None) -> tuple[Outgoing, Beginning]:
    outgoing = Outgoing(
        rule or OutgoingRule(places=(POLICE,)),
        {CALLS: town.post.telephone},
        queue=memory.queue,
        shared=memory.shared,
        metrics=town.post.metrics,
    )
    return outgoing, Beginning(outgoing, memory.queue, Extensions(), town.post.inbox, "12345")


async def test_an_agent_who_types_a_number_is_rung_first_and_has_the_contact(
    town: Town, memory: MemoryStore, eventually: Eventually
) -> None:
    post = town.post
    _, beginning = beginning_of(town, memory)
    begun = await beginning.begin(town.agent, "13800138000", is_up=False, dedupe="desk:1")
    assert isinstance(begun, Begun)
    session, dialled = begun.session, begun.contact.leg
    await eventually(lambda: post.telephone.of("ring"))
    assert post.telephone.of("reserve") == [("reserve", dialled, MOBILE, True)]
    assert post.telephone.of("ring") == [("ring", dialled, town.agent, 1)]
    assert (await post.inbox.accept(session, town.agent, 1)).value == "already_yours", "picking up is what it was"
    charges = (await post.store.queue.view(town.agent)).charges
    assert [(one.session, one.medium, one.state) for one in charges] == [(session, Medium.VOICE, "engaged")]
    assert await beginning.begin(town.agent, "13800138001", is_up=False, dedupe="desk:2") == "no_slot"
    await post.inbox.post(session, agents_leg(post.id))
    await eventually(lambda: post.telephone.of("dial"))
    await post.inbox.post(session, DialFailed(leg=dialled, reason=DialFailure.NO_ANSWER))
    await eventually(lambda: _is(post, session, Phase.WRAPPING))
    assert (await post.store.queue.promises()).owed == 0, "who never came is owed nothing"


@pytest.mark.parametrize(
    ("typed", "why"),
    [("16812345", "number_not_allowed"), ("+12025550123", "number_not_allowed"), ("8001", "number_not_allowed")],
)
async def test_an_agent_calls_nobody_whom_the_rule_does_not_let_them(
    town: Town, memory: MemoryStore, typed: str, why: str
) -> None:
    _, beginning = beginning_of(town, memory)
    assert await beginning.begin(town.agent, typed, is_up=True, dedupe="desk:1") == why
    assert (await memory.queue.view(town.agent)).charges == ()


async def test_calls_of_an_agents_own_are_counted_but_for_those_of_emergencies(
    town: Town, memory: MemoryStore, eventually: Eventually
) -> None:
    rule = OutgoingRule(per_agent_a_day=1, places=(POLICE,))
    outgoing, beginning = beginning_of(town, memory, rule)
    for number, typed in enumerate(("13800138000", "110")):
        begun = await beginning.begin(town.agent, typed, is_up=True, dedupe=f"desk:{number}")
        assert isinstance(begun, Begun)
        await eventually(partial(town.post.absorbed, begun.session))
        state = await town.session(begun.session)
        await outgoing.permit(state, state.legs[0], town.agent)  # counted when it was begun, and not again
        with pytest.raises(CallRefused):
            await outgoing.permit(replace(state, begun=None), state.legs[0], town.agent)
        await town.post.inbox.post(begun.session, DialFailed(leg=begun.contact.leg, reason=DialFailure.REFUSED))
        await eventually(partial(_is, town.post, begun.session, Phase.CLOSED))
    assert await beginning.begin(town.agent, "13800138001", is_up=True, dedupe="desk:9") == "agent_bound"


async def test_what_is_dialled_beside_a_call_is_a_colleague_a_line_or_who_is_consulted(
    town: Town, memory: MemoryStore, eventually: Eventually
) -> None:
    _, beginning = beginning_of(town, memory)
    assert await beginning.aside(town.agent, "8002") == Aside(agents=(AssigneeId("8002"),))
    assert await beginning.aside(town.agent, "8001") == "unknown_agent", "one does not call oneself"
    assert await beginning.aside(town.agent, "nowhere") == "unknown_queue"
    assert await beginning.aside(town.agent, "13800138000") is None, "without a call a session begins"
    await _talking(town, eventually)
    assert await beginning.aside(town.agent, "13800138000") == Aside(number=MOBILE)
    assert await beginning.aside(town.agent, "16812345") == "number_not_allowed"
