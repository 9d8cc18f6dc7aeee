"""Checks against one bad thing each: a cut wire, a reply that never comes, a clock that is not the store's.

Each takes the server's module (so that a mutant of it can be handed in) or the scripts' text, and raises
`AssertionError` where what it guards is broken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from redis import exceptions

from queueing.library import Library, source
from queueing.server import Server
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.ids import LegId, MessageId, SessionId
from session.ports import StoreUnavailable
from tests.queueing.house import NODE, PEPPER, PREFIX, TENANT, Clock, House, agent, redis_store

S1 = SessionId("S1")


class Cutter:
    """A way to the store that loses the reply to chosen commands: the server does them, the caller never knows."""

    def __init__(self, target: Path, loses: Callable[[bytes], bool]) -> None:
        self._target, self._loses = target, loses
        self.lost = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._target)
        replies = asyncio.create_task(_pump(there, writer))
        try:
            while data := await reader.read(65536):
                lose = self._loses(data)
                if lose:
                    self.lost += 1
                    replies.cancel()
                    await asyncio.gather(replies, return_exceptions=True)
                back.write(data)
                if lose:
                    await there.read(1)  # it has answered, so it has done it
                    break
        finally:
            replies.cancel()
            await asyncio.gather(replies, return_exceptions=True)
            writer.close()
            back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@asynccontextmanager
async def behind(cutter: Cutter, folder: Path) -> AsyncIterator[str]:
    server = await asyncio.start_unix_server(cutter.serve, folder / "cut.sock")
    try:
        yield f"unix://{folder / 'cut.sock'}"
    finally:
        server.close()


@asynccontextmanager
async def connected(url: str, server: ModuleType | None) -> AsyncIterator[RedisStore]:
    """A store whose way to the server may be a mutant's."""
    with patch("queueing.store.Server", server.Server if server else Server):
        async with RedisStore.connect(url, tenant=TENANT, pepper=PEPPER) as store:
            yield store


def text(message: str) -> ev.TextReceived:
    return ev.TextReceived(leg=LegId("S1-leg"), message=MessageId(message), text="在吗")


async def nothing_is_run_twice(url: str, folder: Path, server: ModuleType | None = None) -> None:
    """The reply to an append is lost: the caller is told, and the event is there once, not once a retry."""
    armed = [True]

    def loses(data: bytes) -> bool:
        return b"_append" in data and bool(armed)

    async with connected(url, server) as direct:
        await House(direct, Clock()).open("S1")
        cutter = Cutter(Path(url.removeprefix("unix://")), loses)
        async with behind(cutter, folder) as cut_url, connected(cut_url, server) as store:
            try:
                await store.log.append(S1, text("m1"))
            except (StoreUnavailable, ConnectionError, exceptions.ConnectionError):
                told = True
            else:
                told = False
            armed.clear()
        assert cutter.lost == 1, f"the append was sent {cutter.lost} times"
        assert told, "the caller was told that it is kept, though nobody can know"
        assert len(await direct.log.read(S1)) == 3


async def nothing_is_acknowledged_that_is_not_there(url: str, folder: Path, server: ModuleType | None = None) -> None:
    """The wire is cut before the store sees the command: whoever was told "accepted" must be in the log (law 12)."""

    class Swallower(Cutter):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_unix_connection(self._target)
            replies = asyncio.create_task(_pump(there, writer))
            while (data := await reader.read(65536)) and not self._loses(data):
                back.write(data)
            replies.cancel()
            await asyncio.gather(replies, return_exceptions=True)
            writer.close()
            back.close()

    async with connected(url, None) as direct:
        await House(direct, Clock()).open("S1")
        swallower = Swallower(Path(url.removeprefix("unix://")), lambda data: b"_append" in data)
        async with behind(swallower, folder) as cut_url, connected(cut_url, server) as store:
            acknowledged = 0
            for number in range(3):
                try:
                    await store.log.append(S1, text(f"m{number}"))
                    acknowledged += 1
                except StoreUnavailable:
                    pass
        assert len(await direct.log.read(S1)) == 2 + acknowledged, f"{acknowledged} were told, and are not there"


async def sweep_is_bounded(url: str, parts: str | None = None) -> None:
    """However much is due, one sweep does what it was asked."""
    clock = Clock()
    async with redis_store(url, clock, None, parts) as store:
        house = House(store, clock)
        for number in range(6):
            await house.staff(agent(f"a{number}", chat=1))
            await house.waiting(f"S{number}")
        assert await store.queue.match() == 6
        await clock.pass_s(20)
        assert (await store.queue.sweep(limit=4)).expired == 4


async def the_clock_is_the_stores(url: str, parts: str | None = None) -> None:
    """Law 11: what stands in the log is the store's time, whatever anybody's own clock says."""
    settings = QueueSettings()
    library = Library.of(settings, parts or source())
    async with RedisStore.connect(url, tenant=TENANT, pepper=PEPPER, settings=settings, library=library) as store:
        before = await store.shared.now()
        assert abs(before - time.time()) < 60, "it is no clock"
        with patch("time.time", lambda: before + 3600):
            await House(store, Clock()).open("S1")
        after = await store.shared.now()
        at = (await store.log.read(S1))[0].event.at
        assert before - 0.001 <= at <= after, f"stamped {at - before:.3f} s beside the store's time"


ASKS_THE_MACHINE = "local time = redis.call('TIME')"
SET_BACK_S = 3600
LEASE_S = 0.3


def set_back(parts: str | None) -> str:
    """The scripts of a machine whose clock was set back, once `back` says by how many seconds."""
    text = parts or source()
    assert text.count(ASKS_THE_MACHINE) == 1
    return text.replace(
        ASKS_THE_MACHINE, f"{ASKS_THE_MACHINE}\n  time[1] = time[1] - (redis.call('GET', P .. 'back') or 0)"
    )


async def a_clock_that_is_set_back_stops_nothing(url: str, parts: str | None = None) -> None:
    """The store's machine is set back by an hour: an offer runs out, a node that died is dead, and no time is twice."""
    settings = QueueSettings(lease_s=LEASE_S, decline_pause_s=0.1)
    library = Library.of(settings, set_back(parts))

    async def within(found: Callable[[], Awaitable[object]], deadline_s: float = 3.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not await found():
                await asyncio.sleep(0.02)

    async with RedisStore.connect(url, tenant=TENANT, pepper=PEPPER, settings=settings, library=library) as store:
        house = House(store, Clock())
        await store.mailboxes.beat(NODE, ttl_s=1.0)
        await house.staff(agent("a1", chat=1))
        await house.waiting("S1")
        assert await store.queue.match() == 1
        before = await store.shared.now()
        await store.server.send("SET", f"{PREFIX}back", SET_BACK_S)
        assert await store.shared.now() >= before, "it has run back"

        async def expires() -> bool:
            return bool((await store.queue.sweep(limit=10)).expired)

        async def is_dead() -> bool:
            return NODE in await store.mailboxes.dead_nodes()

        try:
            await within(expires)
        except TimeoutError:
            raise AssertionError("the offer stands for an hour") from None
        ats = [entry.event.at for entry in await store.log.read(S1)]
        assert ats == sorted(ats), "what came later is written as earlier"
        await store.mailboxes.beat(NODE, ttl_s=0.2)
        await within(is_dead)
        last = await store.shared.now()

    anew = Library.of(settings, set_back(parts) + "\n-- as a server loads it that was started again")
    async with RedisStore.connect(url, tenant=TENANT, pepper=PEPPER, settings=settings, library=anew) as store:
        assert await store.shared.now() > last - 60, "it has run back by being started again"
