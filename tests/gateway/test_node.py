"""Nodes among each other: one dies and is taken over, one stalls and fences itself, one drains and offers nothing."""

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from queueing.contract import Commit, Mailbox, Presence
from queueing.errors import StaleFence
from queueing.memory import MemoryStore
from queueing.store import RedisStore
from session.address import Address
from session.events import (
    AssigneeAway,
    AssigneeBack,
    LegAway,
    LegClosed,
    LegsJoined,
    NoteAdded,
    OfferMade,
    TextSent,
    TimerFired,
)
from session.ids import AssigneeId, MessageId, NodeId, SessionId
from session.ports import Contact, StoreUnavailable, Verdict
from session.rules import Rules
from session.state import AssigneeKind, LegEnd, LegState, Medium, Phase
from tests.conftest import Eventually
from tests.gateway.town import LETTERS, Post, a_call, a_chat, agents_leg, hire, open_post, post_on


@pytest.fixture(autouse=True)
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node is dead after half a second instead of five."""
    monkeypatch.setattr("gateway.node.BEAT_S", 0.1)
    monkeypatch.setattr("gateway.node.LEASE_S", 0.5)
    monkeypatch.setattr("gateway.node.SWEEP_S", 0.05)


async def _answered(post: Post, session: SessionId, agent: AssigneeId, eventually: Eventually) -> None:
    offer = await eventually(lambda: post.offer(session))
    assert offer is not None
    assert await post.inbox.accept(session, agent, offer.token) is Verdict.ACCEPTED
    await eventually(lambda: _is(post, session, Phase.ACTIVE))


async def _is(post: Post, session: SessionId, phase: Phase) -> bool:
    return await post.phase(session) is phase


async def test_a_dead_nodes_sessions_are_taken_over(store: RedisStore, eventually: Eventually) -> None:
    """Its calls are owed, since nobody holds their audio; its chats are away, and may come back in their grace."""
    async with open_post(store, "alive") as alive:
        async with open_post(store, "doomed") as doomed:
            talking = await doomed.inbox.open(a_call("+8613800138002"))
            agent = await hire(store, "8001", Medium.VOICE)
            await _answered(doomed, talking.session, agent, eventually)
            calls = [talking, await doomed.inbox.open(a_call("+8613800138001"))]
            chat = await doomed.inbox.open(a_chat())
            await doomed.inbox.post(calls[0].session, agents_leg(doomed.id))
            await eventually(lambda: doomed.absorbed(calls[0].session))
            assert not any(alive.mailboxes.holds(one.session) for one in (*calls, chat))
            await doomed.die()
        for one in calls:
            await eventually(lambda one=one: _is(alive, one.session, Phase.CALLBACK_PENDING))  # type: ignore[misc]
            ended = await alive.said(one.session, LegClosed)
            assert {getattr(event, "reason", None) for event in ended} == {LegEnd.NODE_LOST}
        await eventually(lambda: alive.said(chat.session, LegAway))
        state = await alive.session(chat.session)
        assert state.phase is Phase.QUEUED
        await eventually(lambda: alive.absorbed(chat.session))
        assert (await alive.session(chat.session)).legs[0].state is LegState.AWAY
        assert (await store.queue.view(agent)).charges == ()
        assert await store.queue.place(chat.session) is not None, "its place in line is kept"


async def test_a_chat_whose_citizen_stays_away_is_over(store: RedisStore, eventually: Eventually) -> None:
    async with open_post(store, "alive", Rules(chat_grace_s=0.3)) as alive:
        async with open_post(store, "doomed", Rules(chat_grace_s=0.3)) as doomed:
            chat = await doomed.inbox.open(a_chat())
            await eventually(lambda: doomed.absorbed(chat.session))
            await doomed.die()
        await eventually(lambda: _is(alive, chat.session, Phase.CLOSED))
        assert await alive.said(chat.session, TimerFired)


async def test_a_leg_is_mourned_by_whoever_has_its_mailbox(store: RedisStore, eventually: Eventually) -> None:
    """The mailbox is here, the call was there; and here was a stall in between."""
    async with open_post(store, "mailbox") as here:
        async with open_post(store, "audio") as there:
            chat = await here.inbox.open(a_chat())
            await eventually(lambda: here.absorbed(chat.session))
            call = await there.inbox.open(_as(a_call(), "visitor-1"))
            assert call.session == chat.session
            await eventually(lambda: here.absorbed(chat.session))
            assert here.mailboxes.holds(chat.session)
            here.mailboxes.drop_all()
            await eventually(lambda: here.mailboxes.holds(chat.session))
            await there.die()
        await eventually(lambda: here.said(chat.session, LegClosed))
        await eventually(lambda: here.absorbed(chat.session))
        assert await here.phase(chat.session) is Phase.QUEUED, "the chat leg lives on"


def _as(contact: Contact, visitor: str) -> Contact:
    return replace(contact, address=Address("web", visitor))


async def test_letters_outlive_the_node_that_took_them(store: RedisStore, eventually: Eventually) -> None:
    """There is no connection that could be cut: nobody is away, and the answer goes out at once by another node."""
    async with open_post(store, "alive") as here:
        async with open_post(store, "dies") as there:
            letter = await there.inbox.open(a_chat(channel=LETTERS))
            await eventually(lambda: there.absorbed(letter.session))
            chat = await there.inbox.open(a_chat("visitor-2"))
            await there.die()
        await eventually(lambda: here.mailboxes.holds(letter.session))
        await here.inbox.post(
            letter.session,
            TextSent(by=AssigneeId("8001"), kind=AssigneeKind.AGENT, message=MessageId("m1"), text="您好"),
        )
        await eventually(lambda: here.letters.of("send"))
        await eventually(lambda: here.said(chat.session, LegAway))
        assert not await here.said(letter.session, LegAway)
        assert (await here.session(letter.session)).legs[0].state is LegState.LIVE


async def test_a_stalled_node_drops_its_mailboxes(
    store: RedisStore, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGSTOP: another took the session; what the stalled one still commits is refused."""
    monkeypatch.setattr("gateway.node.STALL_S", 0.3)
    async with open_post(store, "stalled") as stalled:
        admission = await stalled.inbox.open(a_chat())
        await eventually(lambda: stalled.absorbed(admission.session))
        mine = await store.mailboxes.claim(admission.session, stalled.id)
        assert mine is not None
        time.sleep(0.8)  # the loop stands still for longer than the lease
        taken = await store.mailboxes.claim(admission.session, post_on(store, "other").id)
        assert taken is not None, "nobody beat for the stalled node"
        assert taken.fence > mine.fence
        await eventually(lambda: not stalled.mailboxes.holds(admission.session))
        version = await store.log.append(admission.session, NoteAdded(by=AssigneeId("8001"), text="."))
        stale = Commit(replace(mine.session, version=version), mine.session.version, mine.fence, (), ())
        with pytest.raises(StaleFence):
            await store.mailboxes.absorb(stale)


async def test_a_stall_alone_is_enough_to_let_go(
    memory: MemoryStore, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was thought dead meanwhile, the node cannot know; so it asks the store for each session again."""
    monkeypatch.setattr("gateway.node.LEASE_S", 30.0)
    monkeypatch.setattr("gateway.node.STALL_S", 0.2)
    async with open_post(memory, "a") as post:
        admission = await post.inbox.open(a_chat())
        await eventually(lambda: post.absorbed(admission.session))
        claimed, real = [], memory.mailboxes.claim

        async def claim(session: SessionId, node: NodeId) -> Mailbox | None:
            claimed.append(session)
            return await real(session, node)

        memory.mailboxes.claim = claim  # type: ignore[method-assign]
        time.sleep(0.5)
        await eventually(lambda: claimed == [admission.session])
        await eventually(lambda: post.mailboxes.holds(admission.session))


async def test_a_draining_node_makes_no_new_offer(memory: MemoryStore, eventually: Eventually) -> None:
    async with open_post(memory, "a") as post:
        post.node.draining = True
        await hire(memory, "8001")
        admission = await post.inbox.open(a_chat())
        await eventually(lambda: post.absorbed(admission.session))
        beats = 0

        async def beat(*_: object, **__: object) -> bool:
            nonlocal beats
            beats += 1
            return True

        memory.mailboxes.beat = beat  # type: ignore[method-assign]
        await eventually(lambda: beats > 3)  # it lives, and sweeps would have come several times
        assert not await post.said(admission.session, OfferMade)
        post.node.draining = False
        await eventually(lambda: post.said(admission.session, OfferMade))


async def test_who_cannot_be_reached_is_waited_for_once_an_absence(memory: MemoryStore, eventually: Eventually) -> None:
    """An agent vanishes, comes back and vanishes again: each absence is noted, and none twice."""
    async with open_post(memory, "a") as post:
        agent = await hire(memory, "8001", Medium.CHAT)
        other = await hire(memory, "8002", Medium.VOICE)
        admission = await post.inbox.open(a_chat())
        session = admission.session
        await _answered(post, session, agent, eventually)
        for absence in (1, 2):
            await memory.queue.reach(agent, "test", frozenset({Medium.CHAT}), ttl_s=0.05)
            await eventually(lambda n=absence: _count(post, session, AssigneeAway, n))  # type: ignore[misc]
            await memory.queue.reach(other, "test", frozenset({Medium.VOICE}), ttl_s=0.01)
            await eventually(lambda: _unreachable(memory, other))
            await post.node.mourn_assignees()
            assert len(await post.said(session, AssigneeAway)) == absence, "said again, it would begin the time anew"
            await memory.queue.reach(agent, "test", frozenset({Medium.CHAT}), ttl_s=60.0)
            await post.inbox.post(session, AssigneeBack(assignee=agent))
            await eventually(lambda: post.absorbed(session))
        assert await post.phase(session) is Phase.ACTIVE


async def _count(post: Post, session: SessionId, kind: type[AssigneeAway], count: int) -> bool:
    return len(await post.said(session, kind)) == count


async def _unreachable(store: MemoryStore, agent: AssigneeId) -> bool:
    return not (await store.queue.view(agent)).reachable


async def test_an_absence_that_the_store_swallowed_is_mourned_later(
    memory: MemoryStore, eventually: Eventually
) -> None:
    """The sweep says only once who vanished; the store goes away between that and the mourning."""
    async with open_post(memory, "a") as post:
        agent = await hire(memory, "8001", Medium.CHAT)
        admission = await post.inbox.open(a_chat())
        await _answered(post, admission.session, agent, eventually)
        away, real = [True, True], memory.queue.roster

        async def roster() -> object:
            if away:
                away.pop()
                raise StoreUnavailable("roster")
            return await real()

        memory.queue.roster = roster  # type: ignore[method-assign,assignment]
        await memory.queue.reach(agent, "test", frozenset({Medium.CHAT}), ttl_s=0.01)
        await eventually(lambda: post.said(admission.session, AssigneeAway))
        assert not away


async def test_a_chat_goes_back_in_line_after_the_grace(memory: MemoryStore, eventually: Eventually) -> None:
    """With its wait, and to the same agent first once they are back."""
    async with open_post(memory, "a", Rules(assignee_grace_s=0.2)) as post:
        agent = await hire(memory, "8001", Medium.CHAT)
        admission = await post.inbox.open(a_chat())
        session = admission.session
        await _answered(post, session, agent, eventually)
        waited = (await post.session(session)).accrued_wait_s
        await memory.queue.reach(agent, "test", frozenset({Medium.CHAT}), ttl_s=0.01)
        await eventually(lambda: _is(post, session, Phase.QUEUED))
        state = await post.session(session)
        assert state.accrued_wait_s == waited
        assert state.prefer == agent
        await hire(memory, "8000", Medium.CHAT)  # first by name, and idle for as long
        await memory.queue.present(AssigneeId("8000"), Presence.BREAK, "lunch")
        await memory.queue.reach(agent, "test", frozenset({Medium.CHAT}), ttl_s=60.0)
        await memory.queue.present(AssigneeId("8000"), Presence.READY)
        offer = await eventually(lambda: post.offer(session))
        assert offer is not None
        assert offer.assignee == agent


async def test_a_duty_that_fails_comes_again(
    memory: MemoryStore, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[Exception] = [ZeroDivisionError(), StoreUnavailable("sweep")]
    real, swept = memory.queue.sweep, 0

    async def sweep(limit: int = 100) -> object:
        nonlocal swept
        if failures:
            raise failures.pop()
        swept += 1
        return await real(limit)

    memory.queue.sweep = sweep  # type: ignore[method-assign,assignment]
    with caplog.at_level(logging.INFO):
        async with open_post(memory, "a"):
            await eventually(lambda: swept > 2)
    assert "duty failed" in caplog.text
    assert "store is away" in caplog.text
    assert "store is back" in caplog.text


async def test_a_nodes_own_stall_does_not_kill_its_calls(store: RedisStore, eventually: Eventually) -> None:
    """The store was away for everybody: those that lived then are forgiven, and nothing is owed."""
    async with open_post(store, "a") as post:
        agent = await hire(store, "8001", Medium.VOICE)
        contact = a_call()
        admission = await post.inbox.open(contact)
        await _answered(post, admission.session, agent, eventually)
        leg = agents_leg(post.id)
        await post.inbox.post(admission.session, leg)
        await post.inbox.post(admission.session, LegsJoined(citizen_leg=contact.leg, assignee_leg=leg.leg.id))
        time.sleep(0.8)  # longer than the lease, and the only node
        await eventually(lambda: post.absorbed(admission.session))
        await asyncio.wait({asyncio.create_task(post.mailboxes.stop())})
        assert not await post.said(admission.session, LegClosed)
        assert await post.phase(admission.session) is Phase.ACTIVE


async def test_leaving_in_good_order_hands_over_at_once(store: RedisStore, eventually: Eventually) -> None:
    async with open_post(store, "staying") as staying:
        leaving = post_on(store, "leaving")
        await leaving.node.start()
        admission = await leaving.inbox.open(a_chat())
        await eventually(lambda: leaving.absorbed(admission.session))
        await leaving.node.leave()
        await eventually(lambda: staying.mailboxes.holds(admission.session))
