"""Bots in a house that works: the store in memory, the gateway's mailboxes, inbox and feed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

import bots.runner
from bots.contract import Act, View
from bots.guide import NAME, Guide
from bots.phrases import CHINESE
from bots.runner import BotRunner
from gateway.feed import Feed
from gateway.inbox import StoreInbox
from gateway.mailboxes import Mailboxes
from queueing.contract import Presence, Profile
from queueing.memory import MemoryStore
from rulebook.hours import BusinessHours
from rulebook.routing import Route
from session import events as ev
from session.address import Address
from session.effects import LegEffect
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Contact, Entry, StoreUnavailable, Verdict
from session.rules import Rules
from session.state import AssigneeKind, Demand, Medium, Phase, Session
from tests.conftest import Eventually

NODE = NodeId("n1")
WANG = AssigneeId("8001")
CHAT = LegId("chat")


@dataclass
class House:
    store: MemoryStore
    inbox: StoreInbox
    runners: list[BotRunner]

    async def comes(self, text: str = "你好") -> SessionId:
        first = ev.TextReceived(leg=CHAT, message=MessageId("first"), text=text)
        contact = Contact(CHAT, "webchat", Medium.CHAT, Address("web", "v1"), "web", first=first)
        return (await self.inbox.open(contact)).session

    async def writes(self, session: SessionId, text: str) -> None:
        await self.inbox.post(session, ev.TextReceived(leg=CHAT, message=MessageId(text), text=text))

    async def log(self, session: SessionId) -> list[ev.Event]:
        return [entry.event for entry in await self.store.log.read(session, limit=100_000)]

    async def said(self, session: SessionId) -> list[str]:
        return [event.text for event in await self.log(session) if isinstance(event, ev.TextSent)]

    async def phase(self, session: SessionId) -> Phase:
        found = await self.store.log.open_session_of(session)
        assert found is not None
        return found.phase

    async def on_duty(self, who: AssigneeId) -> None:
        await self.store.queue.enlist(Profile(who, AssigneeKind.AGENT, ("general",), {Medium.CHAT: 3}))
        await self.store.queue.reach(who, "desk", frozenset({Medium.CHAT}), ttl_s=60)
        await self.store.queue.present(who, Presence.READY)


async def nothing(session: Session, name: str, effect: LegEffect) -> None:
    pass


Build = Callable[..., Awaitable[House]]


@pytest.fixture
async def build(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Build]:
    monkeypatch.setattr(bots.runner, "LOOK_S", 0.02)
    monkeypatch.setattr(bots.runner, "RETRY_S", 0.01)
    tasks: list[asyncio.Task[None]] = []
    stack = AsyncExitStack()

    async def house(*, bot_queue: str = "bots", nodes: int = 1, hurry: float = 1.0) -> House:
        store = MemoryStore()
        mailboxes = Mailboxes(store, NODE, Rules())
        stack.push_async_callback(mailboxes.stop)
        mailboxes.perform = nothing
        route = Route(Demand("general"), bot_queue)
        inbox = StoreInbox(store, NODE, lambda _contact, _at: route, mailboxes.wake)
        guide = Guide(BusinessHours)
        await store.mailboxes.beat(NODE, ttl_s=60)
        await store.queue.enlist(Profile(guide.name, AssigneeKind.BOT, guide.queues, {Medium.CHAT: 1000}))
        await store.queue.present(guide.name, Presence.READY)

        began = await store.shared.now()

        def fast() -> float:
            import time

            return began + (time.time() - began) * hurry

        runners = [BotRunner(inbox, store.queue, store.log.read, [guide], node=NODE, clock=fast) for _ in range(nodes)]

        async def hint(entry: Entry) -> None:
            mailboxes.hint(entry)

        for runner in runners:
            feed = Feed(store.log, [hint, runner.follow])
            await feed.start()
            tasks.extend(asyncio.create_task(work()) for work in (feed.run, runner.run))

        async def match() -> None:
            while True:
                await store.queue.sweep()
                await asyncio.sleep(0.01)

        tasks.append(asyncio.create_task(match()))
        return House(store, inbox, runners)

    yield house
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stack.aclose()


async def test_from_the_bot_to_a_human(build: Build, eventually: Eventually) -> None:
    house = await build()
    session = await house.comes()
    await eventually(lambda: house.said(session))
    assert await house.phase(session) is Phase.BOT
    assert "机器人" in (await house.said(session))[0]
    await house.writes(session, "路灯坏了")
    await eventually(lambda: has(house.said(session), CHINESE.noted))
    await house.writes(session, "转 人工！")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))

    async def in_the_humans_line() -> bool:
        return await house.phase(session) is Phase.QUEUED

    await eventually(in_the_humans_line)
    handed = [event for event in await house.log(session) if isinstance(event, ev.HumanRequested)]
    assert [event.by for event in handed] == [NAME]
    await house.on_duty(WANG)

    async def offer() -> ev.OfferMade | None:
        made = [event for event in await house.log(session) if isinstance(event, ev.OfferMade)]
        return next((event for event in made if event.assignee == WANG), None)

    made = await eventually(offer)
    assert made is not None
    assert await house.inbox.accept(session, WANG, made.token) is Verdict.ACCEPTED
    words = await house.said(session)
    await house.writes(session, "人工")
    await asyncio.gather(*(runner.look() for runner in house.runners))
    assert await house.said(session) == words
    assert all(event.kind is AssigneeKind.BOT for event in await house.log(session) if isinstance(event, ev.TextSent))


async def has(texts: Awaitable[Sequence[str]], text: str) -> bool:
    return text in await texts


async def test_who_waits_has_company_and_keeps_their_place(build: Build, eventually: Eventually) -> None:
    house = await build(bot_queue="", hurry=200.0)
    session = await house.comes()
    await eventually(lambda: has(house.said(session), CHINESE.company))

    async def told() -> list[ev.PlaceAnnounced]:
        return [event for event in await house.log(session) if isinstance(event, ev.PlaceAnnounced)]

    places = await eventually(told)
    assert places[0].position == 1
    assert await house.phase(session) is Phase.QUEUED
    place = await house.store.queue.place(session)
    assert place is not None
    assert place.position == 1


async def test_two_messages_at_once_get_one_answer(build: Build, eventually: Eventually) -> None:
    house = await build()
    session = await house.comes()
    await eventually(lambda: house.said(session))
    for text in ("路灯坏了", "在人民路", "已经三天了"):
        await house.store.log.append(session, ev.TextReceived(leg=CHAT, message=MessageId(text), text=text))
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))
    assert (await house.said(session)).count(CHINESE.noted) == 1


async def test_two_nodes_say_everything_once(build: Build, eventually: Eventually) -> None:
    house = await build(nodes=2, hurry=200.0)
    session = await house.comes()
    await eventually(lambda: house.said(session))
    await house.writes(session, "路灯坏了")
    await eventually(lambda: has(house.said(session), CHINESE.noted))
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.company))
    words = await house.said(session)
    for once in (CHINESE.noted, CHINESE.handing_over, CHINESE.company):
        assert words.count(once) == 1
    assert len([event for event in await house.log(session) if isinstance(event, ev.HumanRequested)]) == 1


async def test_a_bot_that_starts_late_reads_what_was(build: Build, eventually: Eventually) -> None:
    house = await build()
    session = await house.comes()
    await eventually(lambda: house.said(session))
    for runner in house.runners:
        runner._watched.clear()
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))


async def test_a_long_log_is_read_to_its_end(build: Build, eventually: Eventually) -> None:
    house = await build()
    session = await house.comes()
    await eventually(lambda: house.said(session))
    for number in range(1100):
        await house.store.log.append(session, ev.NoteAdded(by=WANG, text=str(number)))
    for runner in house.runners:
        runner._watched.clear()
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))


async def test_it_waits_for_a_store_that_is_away(
    build: Build, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build()
    session = await house.comes()
    await eventually(lambda: house.said(session))
    post, failures = house.inbox.post, [3]

    async def shaky(session: SessionId, event: ev.Event, *, dedupe: str | None = None) -> int:
        version = await post(session, event, dedupe=dedupe)
        if isinstance(event, ev.TextSent) and failures[0]:
            failures[0] -= 1
            raise StoreUnavailable("append")  # written, and the answer lost
        return version

    monkeypatch.setattr(house.inbox, "post", shaky)
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))

    async def waits() -> bool:
        return await house.phase(session) is Phase.QUEUED

    await eventually(waits)
    assert (await house.said(session)).count(CHINESE.handing_over) == 1
    assert failures == [0]


async def test_a_bot_that_fails_does_not_silence_the_others(
    build: Build, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Guide):
        name = AssigneeId("broken")

        async def meet(self, view: View) -> Sequence[Act]:
            raise RuntimeError

    house = await build()
    (runner,) = house.runners
    runner.bots = (*runner.bots, Broken(BusinessHours, queues=()))
    session = await house.comes()
    await eventually(lambda: house.said(session))
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))


async def test_a_flood_of_entries_costs_bounded_memory(build: Build, eventually: Eventually) -> None:
    house = await build()
    (runner,) = house.runners
    session = await house.comes()
    await eventually(lambda: house.said(session))
    entry = (await house.store.log.read(session))[0]
    for _ in range(bots.runner._MOST_UNSEEN + 10):
        await runner.follow(entry)
    assert runner._unseen.qsize() <= bots.runner._MOST_UNSEEN
    await eventually(lambda: runner._unseen.empty())
    await house.writes(session, "人工")
    await eventually(lambda: has(house.said(session), CHINESE.handing_over))
