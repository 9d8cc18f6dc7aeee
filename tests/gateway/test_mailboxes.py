"""The mailboxes: events become states and effects, once, whatever fails between."""

import asyncio
import logging
from pathlib import Path

import pytest

from queueing.contract import Store
from queueing.memory import MemoryStore
from queueing.store import RedisStore
from session.effects import LegEffect
from session.events import LegClosed, NoteAdded, TextReceived, TextSent
from session.ids import AssigneeId, NodeId, SessionId
from session.machine import replay
from session.ports import StoreUnavailable
from session.state import AssigneeKind, LegEnd, Phase, Session
from tests.conftest import Eventually
from tests.gateway.conftest import PEPPER
from tests.gateway.town import LETTERS, PATIENT, Post, a_call, a_chat, hire, message_id, post_on
from tests.peers.valkey import ValkeyServer


async def test_an_event_becomes_state_and_effects(store: RedisStore, eventually: Eventually) -> None:
    post = post_on(store, "a")
    await post.node.start()
    admission = await post.inbox.open(a_call())
    assert admission.fresh
    await eventually(lambda: post.telephone.of("play"))
    ((_, leg, items, music),) = post.telephone.of("play")
    assert leg == admission.leg
    assert [item.name for item in items] == ["welcome", "recording_notice"]  # type: ignore[attr-defined]
    assert music is True
    assert await post.phase(admission.session) is Phase.QUEUED
    assert (await store.queue.place(admission.session)) is not None
    await post.mailboxes.stop()


async def test_what_an_agent_writes_is_sent_once(store: RedisStore, eventually: Eventually) -> None:
    post = post_on(store, "a")
    admission = await post.inbox.open(a_chat(channel=LETTERS))
    sent = TextSent(by=AssigneeId("8001"), kind=AssigneeKind.AGENT, message=message_id(), text="您好")
    for _ in range(3):
        await post.inbox.post(admission.session, sent, dedupe=f"sent:{sent.message}")
    await eventually(lambda: post.letters.of("send"))
    await eventually(lambda: post.absorbed(admission.session))
    ((_, leg, content),) = post.letters.of("send")
    assert leg == admission.leg
    assert getattr(content, "text", None) == "您好"
    await post.mailboxes.stop()


@pytest.mark.parametrize("kind", ["redis", "memory"])
async def test_a_storm_of_writers_loses_nothing(
    kind: str, store: RedisStore, memory: MemoryStore, eventually: Eventually
) -> None:
    """A thousand events by twenty hands, while the mailbox commits: each commit may find the log grown."""
    of: Store = store if kind == "redis" else memory
    post = post_on(of, "a")
    admission = await post.inbox.open(a_chat())
    session = admission.session

    async def write(hand: int) -> None:
        for number in range(50):
            text = TextReceived(leg=admission.leg, message=message_id(), text=f"{hand}.{number}")
            await post.inbox.post(session, text, dedupe=f"word:{hand}.{number}")

    await asyncio.gather(*(write(hand) for hand in range(20)))
    await eventually(lambda: post.absorbed(session), deadline_s=15)
    entries = await of.log.read(session, limit=2000)
    assert [entry.version for entry in entries] == list(range(1, 1003))
    texts = {event.text for event in (entry.event for entry in entries) if isinstance(event, TextReceived)}
    assert texts == {f"{hand}.{number}" for hand in range(20) for number in range(50)}
    state = await post.session(session)
    assert state == replay(session, (entry.event for entry in entries), PATIENT)
    await post.mailboxes.stop()


class _Conflicting:
    """The mailboxes of a store, of which every commit is beaten by an append, so many times."""

    def __init__(self, store: MemoryStore, times: int) -> None:
        self._store, self._inner, self.left = store, store.mailboxes, times
        self.commits = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def absorb(self, commit: object) -> int:
        self.commits += 1
        if self.left:
            self.left -= 1
            session: SessionId = commit.session.id  # type: ignore[attr-defined]
            await self._store.log.append(session, NoteAdded(by=AssigneeId("8001"), text="meanwhile"))
        return await self._inner.absorb(commit)  # type: ignore[arg-type]


async def test_a_log_that_grows_under_commits_is_read_on(memory: MemoryStore, eventually: Eventually) -> None:
    conflicting = _Conflicting(memory, 4)
    memory.mailboxes = conflicting  # type: ignore[assignment]
    post = post_on(memory, "a")
    admission = await post.inbox.open(a_call())
    await eventually(lambda: post.telephone.of("play"), deadline_s=10)
    assert conflicting.left == 0
    assert len(await post.said(admission.session, NoteAdded)) == 4
    assert len(post.telephone.of("play")) == 1
    await post.mailboxes.stop()


async def test_whom_the_fence_stops_drops_the_session(store: RedisStore, eventually: Eventually) -> None:
    """A node that was taken for dead goes on with an old fence: the store refuses, and it lets go."""
    old, new = post_on(store, "old"), post_on(store, "new")
    admission = await old.inbox.open(a_chat())
    await eventually(lambda: old.absorbed(admission.session))
    assert old.mailboxes.holds(admission.session)
    await store.mailboxes.leave(old.id)
    new.mailboxes.wake(admission.session)
    await eventually(lambda: new.mailboxes.holds(admission.session))
    await old.inbox.post(admission.session, NoteAdded(by=AssigneeId("8001"), text="note"))
    await eventually(lambda: not old.mailboxes.holds(admission.session))
    new.mailboxes.wake(admission.session)
    await eventually(lambda: new.absorbed(admission.session))
    await asyncio.gather(old.mailboxes.stop(), new.mailboxes.stop())


async def test_a_store_that_is_away_is_tried_again(short_folder: Path, eventually: Eventually) -> None:
    server = ValkeyServer(short_folder)
    await asyncio.to_thread(server.start)
    try:
        async with RedisStore.connect(server.url, tenant="test", pepper=PEPPER) as store:
            post = post_on(store, "a")
            await post.node.start()
            admission = await post.inbox.open(a_call())
            await eventually(lambda: post.absorbed(admission.session))
            await asyncio.to_thread(server.kill)
            with pytest.raises(StoreUnavailable):
                await post.inbox.post(admission.session, NoteAdded(by=AssigneeId("8001"), text="lost"))
            post.mailboxes.wake(admission.session)
            await eventually(lambda: not post.mailboxes.holds(admission.session))
            await asyncio.to_thread(server.start)
            await post.inbox.post(admission.session, NoteAdded(by=AssigneeId("8001"), text="kept"))
            await eventually(lambda: post.absorbed(admission.session))
            assert await post.phase(admission.session) is Phase.QUEUED
            await post.mailboxes.stop()
    finally:
        await asyncio.to_thread(server.stop)


async def test_the_next_holder_performs_what_was_left(store: RedisStore, eventually: Eventually) -> None:
    """Committed, but the node died before it was done; and what is done is not done again by the one after."""
    first, second, third = (post_on(store, name) for name in ("first", "second", "third"))
    done: list[tuple[str, str]] = []

    def perform_at(post: Post) -> None:
        async def perform(session: Session, name: str, effect: LegEffect) -> None:
            done.append((post.id, f"{type(effect).__name__} {name}"))

        post.mailboxes.perform = perform

    async def never(session: Session, name: str, effect: LegEffect) -> None:
        await asyncio.Event().wait()

    first.mailboxes.perform = never
    perform_at(second)
    perform_at(third)
    admission = await first.inbox.open(a_call())
    await eventually(lambda: first.absorbed(admission.session))
    await first.mailboxes.stop()
    await store.mailboxes.leave(first.id)
    second.mailboxes.wake(admission.session)
    await eventually(lambda: done)
    assert done == [("second", "Play 2.2")]
    await eventually(lambda: _nothing_pending(store, admission.session, second.id))
    await second.mailboxes.stop()
    await store.mailboxes.leave(second.id)
    third.mailboxes.wake(admission.session)
    await eventually(lambda: third.mailboxes.holds(admission.session))
    await third.mailboxes.stop()
    assert done == [("second", "Play 2.2")]


async def _nothing_pending(store: Store, session: SessionId, node: NodeId) -> bool:
    mailbox = await store.mailboxes.claim(session, node)
    return mailbox is not None and not mailbox.pending


async def test_a_lost_wake_up_is_swept(store: RedisStore, eventually: Eventually) -> None:
    post = post_on(store, "a")
    await post.node.start()
    admission = await post.inbox.open(a_call())
    await eventually(lambda: post.absorbed(admission.session))
    await store.log.append(admission.session, NoteAdded(by=AssigneeId("8001"), text="nobody was told"))
    assert not await post.absorbed(admission.session)
    duty = asyncio.create_task(post.node.run())
    await eventually(lambda: post.absorbed(admission.session))
    post.duties.append(duty)
    await post.die()


async def test_one_sessions_failure_is_not_the_others(
    memory: MemoryStore, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    post = post_on(memory, "a")
    broken: list[SessionId] = []

    async def perform(session: Session, name: str, effect: LegEffect) -> None:
        if not broken:
            broken.append(session.id)
        if session.id in broken:
            raise ZeroDivisionError

    post.mailboxes.perform = perform
    with caplog.at_level(logging.ERROR):
        bad = await post.inbox.open(a_call("+8613800138001"))
        good = await post.inbox.open(a_call("+8613800138002"))
        await eventually(lambda: post.absorbed(good.session))
        await eventually(lambda: not post.mailboxes.holds(bad.session))
    assert broken == [bad.session]
    assert post.mailboxes.holds(good.session)
    assert "mailbox failed" in caplog.text
    await post.mailboxes.stop()


async def test_a_closed_session_is_let_go(memory: MemoryStore, eventually: Eventually) -> None:
    post = post_on(memory, "a")
    await hire(memory, "8001")
    contact = a_call()
    admission = await post.inbox.open(contact)
    await eventually(lambda: post.mailboxes.holds(admission.session))
    await post.inbox.post(admission.session, LegClosed(leg=contact.leg, reason=LegEnd.LEFT))
    await eventually(lambda: not post.mailboxes.holds(admission.session))
    assert await post.phase(admission.session) is Phase.CLOSED
    assert post.mailboxes.sessions() == []
    await post.mailboxes.stop()
