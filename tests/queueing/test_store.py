"""The Redis store as a whole: what it refuses, what it keeps out of sight, and how it goes on after trouble."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from importlib import resources

import pytest

from queueing.contract import Presence
from queueing.errors import UnsafeStore
from queueing.library import PARTS, Library
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.ids import AssigneeId, LegId, MessageId, SessionId
from session.ports import StoreUnavailable
from tests.conftest import Eventually
from tests.peers.valkey import ValkeyServer
from tests.queueing.house import NODE, PEPPER, TENANT, VOICE, Clock, House, agent

S1 = SessionId("S1")


@pytest.fixture
async def store(valkey_url: str) -> AsyncIterator[RedisStore]:
    async with RedisStore.connect(valkey_url, tenant=TENANT, pepper=PEPPER) as store:
        yield store


@pytest.mark.parametrize(
    ("name", "value"), [("appendonly", "no"), ("appendfsync", "everysec"), ("maxmemory-policy", "allkeys-lru")]
)
async def test_a_store_that_could_lose_what_it_acknowledged_is_refused(
    store: RedisStore, valkey_url: str, name: str, value: str
) -> None:
    (_, sound) = await store.server.send("CONFIG", "GET", name)
    await store.server.send("CONFIG", "SET", name, value)
    try:
        with pytest.raises(UnsafeStore, match=f"{name} is {value} .mend: CONFIG SET {name} {sound.decode()}"):
            async with RedisStore.connect(valkey_url, tenant=TENANT, pepper=PEPPER):
                pytest.fail("it was taken")
        assert await store.ready() is False
        less = QueueSettings(accept_unsafe=True)
        async with RedisStore.connect(valkey_url, tenant=TENANT, pepper=PEPPER, settings=less) as risky:
            assert await risky.ready()
    finally:
        await store.server.send("CONFIG", "SET", name, sound)


async def test_no_number_stands_in_a_key(store: RedisStore) -> None:
    house = House(store, Clock())
    who = await house.staff(agent("a1"))
    await house.waiting("S1", VOICE, citizen="+8613800138000", word="openid-of-somebody")
    await house.talking("S1", who)
    keys = [key.decode() for key in await store.server.send("KEYS", "*")]
    assert len(keys) > 15
    assert all(key.startswith("yihao:{test}:") for key in keys), "one prefix, one hash tag"
    assert not [key for key in keys if "138001" in key or "openid" in key]


async def test_tenants_do_not_see_each_other(store: RedisStore, valkey_url: str) -> None:
    await House(store, Clock()).open("S1")
    async with RedisStore.connect(valkey_url, tenant="other", pepper=PEPPER) as other:
        assert await other.log.read(S1) == []


async def test_the_functions_come_back_after_a_store_forgot_them(store: RedisStore) -> None:
    await store.server.send("FUNCTION", "FLUSH")
    opened = await asyncio.gather(*(House(store, Clock()).open(f"S{number}") for number in range(5)))
    assert [fresh for _, fresh in opened] == [True] * 5


async def test_a_store_that_is_not_there_is_said_to_be_unavailable(short_folder: object) -> None:
    with pytest.raises(StoreUnavailable):
        async with RedisStore.connect(f"unix://{short_folder}/none.sock", tenant=TENANT, pepper=PEPPER):
            pytest.fail("it was taken")


async def test_an_error_of_the_server_says_no_more_than_its_kind(store: RedisStore) -> None:
    with pytest.raises(StoreUnavailable) as error:
        await store.server.send("GETX", "+8613800138000")
    assert "138001" not in str(error.value)


async def test_a_server_that_was_killed_is_met_again(short_folder: object, eventually: Eventually) -> None:
    from pathlib import Path

    server = ValkeyServer(Path(str(short_folder)))
    server.start()
    try:
        async with RedisStore.connect(server.url, tenant=TENANT, pepper=PEPPER) as store:
            house = House(store, Clock())
            await house.open("S1")
            wakes = store.wakes()
            waking = asyncio.ensure_future(anext(wakes))
            server.kill()
            with pytest.raises(StoreUnavailable):
                await store.log.append(S1, ev.RatingGiven(score=1))
            assert await store.ready() is False
            server.start()

            await store.mailboxes.beat(NODE, ttl_s=60)
            await house.waiting("S2")

            async def woken() -> bool:
                await house.staff(agent("a1"))
                await store.queue.present(AssigneeId("a1"), Presence.BREAK, "lunch")
                return waking.done()

            await eventually(woken)
            assert waking.exception() is None
            await wakes.aclose()  # type: ignore[attr-defined] # it is a generator
            assert len(await store.log.read(S1)) == 2
    finally:
        server.stop()


async def test_callers_who_give_up_confuse_nobody(store: RedisStore) -> None:
    """Replies that nobody waits for must not reach another caller (the class of CVE-2023-28858)."""
    chance = random.Random(7)
    for number in range(200):
        await store.shared.put(f"k{number}", b"%d" % number, ttl_s=60)

    async def ask(number: int) -> None:
        value = await store.shared.get(f"k{number}")
        assert value == b"%d" % number

    for _ in range(10):
        tasks = [asyncio.create_task(ask(number)) for number in range(200)]
        await asyncio.sleep(0)
        for task in chance.sample(tasks, 100):
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in done} <= {type(None), asyncio.CancelledError}


async def test_words_at_the_same_time_are_all_kept_in_one_order(store: RedisStore) -> None:
    await House(store, Clock()).open("S1")
    names = [f"m{number % 50}" for number in range(100)]
    texts = [ev.TextReceived(leg=LegId("S1-leg"), message=MessageId(name), text="在吗") for name in names]
    versions = await asyncio.gather(
        *(store.log.append(S1, text, dedupe=name) for name, text in zip(names, texts, strict=True))
    )
    assert sorted(set(versions)) == list(range(3, 53))
    assert versions[:50] == versions[50:]


async def test_no_call_is_left_lying(store: RedisStore) -> None:
    async def ask() -> None:
        for _ in range(100):
            await store.shared.get("k")

    async with asyncio.timeout(10):
        await asyncio.gather(*(ask() for _ in range(8)))


async def test_an_offer_wakes_whoever_may_make_it(store: RedisStore, eventually: Eventually) -> None:
    house = House(store, Clock())
    await store.mailboxes.beat(NODE, ttl_s=60)
    heard: list[None] = []

    async def listen() -> None:
        async for wake in store.wakes():
            heard.append(wake)  # noqa: PERF401 - it has no end, and is looked at meanwhile

    listening = asyncio.create_task(listen())

    async def listens() -> bool:
        return bool((await store.server.send("PUBSUB", "NUMSUB", "yihao:{test}:wake"))[1])

    await eventually(listens)
    await house.staff(agent("a1"))
    await house.waiting("S1")
    await eventually(lambda: bool(heard))
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


def test_a_library_is_named_by_all_that_is_in_it() -> None:
    one, other = Library.of(QueueSettings()), Library.of(QueueSettings(lease_s=21))
    assert one.name != other.name
    assert one.name == Library.of(QueueSettings()).name
    assert one.function("open") == f"{one.name}_open"


def test_every_file_of_lua_is_in_the_library() -> None:
    files = {file.name.removesuffix(".lua") for file in (resources.files("queueing") / "lua").iterdir()}
    assert files == set(PARTS)


def test_the_scripts_know_no_loop_over_queues_and_no_key_pattern() -> None:
    text = Library.of(QueueSettings()).code
    assert not re.search(r"'(KEYS|SCAN|SMEMBERS)'", text.replace("'SMEMBERS', P .. 'timers_of:'", ""))
    assert "ZRANGEBYSCORE" in text
    for line in text.splitlines():
        if "'ZRANGEBYSCORE'" in line:
            assert "LIMIT" in line, line
