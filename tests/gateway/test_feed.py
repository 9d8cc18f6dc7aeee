"""The feed: everybody sees everything, in order; who fails harms nobody."""

import asyncio
import logging

import pytest

from gateway.feed import Feed
from queueing.memory import MemoryStore
from queueing.store import RedisStore
from session.events import NoteAdded
from session.ids import AssigneeId
from session.ports import Entry, StoreUnavailable
from tests.conftest import Eventually
from tests.gateway.town import a_chat, post_on


async def test_every_follower_sees_the_order_of_the_log(store: RedisStore, eventually: Eventually) -> None:
    post = post_on(store, "a")
    early = await post.inbox.open(a_chat("visitor-0"))
    await eventually(lambda: post.absorbed(early.session))
    seen: dict[str, list[Entry]] = {"one": [], "two": []}

    async def one(entry: Entry) -> None:
        seen["one"].append(entry)

    async def two(entry: Entry) -> None:
        await asyncio.sleep(0)
        seen["two"].append(entry)

    feed = Feed(store.log, [one, two])
    await feed.start()
    reading = asyncio.create_task(feed.run())
    opened = [await post.inbox.open(a_chat(f"visitor-{n}")) for n in range(1, 4)]

    async def write(number: int) -> None:
        for _ in range(30):
            await post.inbox.post(opened[number].session, NoteAdded(by=AssigneeId("8001"), text=str(number)))

    await asyncio.gather(*(write(number) for number in range(3)))
    await eventually(lambda: len(seen["two"]) >= 3 * 32)
    assert seen["one"] == seen["two"]
    assert early.session not in {entry.session for entry in seen["one"]}, "what was before the start is not shown"
    for admission in opened:
        versions = [entry.version for entry in seen["one"] if entry.session == admission.session]
        assert versions == list(range(1, 33))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await post.mailboxes.stop()


async def test_a_failing_follower_harms_nobody(
    memory: MemoryStore, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    post = post_on(memory, "a")
    seen: list[int] = []

    async def fails(entry: Entry) -> None:
        raise ZeroDivisionError

    async def sees(entry: Entry) -> None:
        seen.append(entry.version)

    feed = Feed(memory.log, [fails, sees])
    await feed.start()
    reading = asyncio.create_task(feed.run())
    with caplog.at_level(logging.ERROR):
        await post.inbox.open(a_chat())
        await eventually(lambda: seen == [1, 2])
    assert caplog.text.count("follower failed") == 2
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await post.mailboxes.stop()


async def test_after_a_cut_it_reads_on_where_it_was(
    memory: MemoryStore, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.feed.RETRY_S", 0.02)
    post = post_on(memory, "a")
    seen: list[int] = []

    async def sees(entry: Entry) -> None:
        seen.append(entry.version)

    away, real = [True], memory.log.follow

    async def follow(after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        if away[0]:
            raise StoreUnavailable("away")
        return await real(after, block_s=block_s)

    feed = Feed(memory.log, [sees])
    await feed.start()
    memory.log.follow = follow  # type: ignore[method-assign]
    reading = asyncio.create_task(feed.run())
    await post.inbox.open(a_chat())
    await asyncio.sleep(0)
    assert seen == []
    away[0] = False
    await eventually(lambda: seen == [1, 2])
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await post.mailboxes.stop()
