"""The store is away for 10 s amid calls and chats: whoever talks talks on, nobody is told what is not so."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from session.address import Address
from session.state import Phase
from storage.database import Database, sqlite_url
from storage.history import History
from tests.conftest import Eventually
from tests.peers.caller import Telephones
from tests.peers.sound import likeness, speech
from tests.peers.valkey import ValkeyServer
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensChat, OpensDesk
from tests.scenarios.test_phone import ALIKE, hears

AWAY_S = 10.0
AGENT = speech(1.5, seed=21)
CITIZEN = speech(1.5, seed=22)


@pytest.fixture
def store(short_folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(short_folder)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def frozen(store: ValkeyServer) -> AsyncIterator[None]:
    """Connected and silent: the worst way to be away."""
    os.kill(store.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.pid, signal.SIGCONT)


@asynccontextmanager
async def gone(store: ValkeyServer) -> AsyncIterator[None]:
    """Killed, and started again on what it has written."""
    await asyncio.to_thread(store.kill)
    yield
    await asyncio.to_thread(store.start)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("away", [frozen, pytest.param(gone, marks=[pytest.mark.slow, pytest.mark.chaos])])
async def test_the_store_is_away(
    away: Callable[[ValkeyServer], AbstractAsyncContextManager[None]],
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    citizen: OpensChat,
    eventually: Eventually,
    store: ValkeyServer,
) -> None:
    gateway = own_gateway(store__url=store.url)
    await gateway.start()
    loop = asyncio.get_running_loop()
    phone = await softphone(gateway, "8001", answers=True, says=AGENT)
    agent = await desk(gateway, "8002")
    await agent.make_ready()
    page = await citizen(gateway)
    await page.write("您好")
    offer = await agent.offer()
    await agent.accept(offer)
    shown = await desk(gateway, "8001")

    async with Telephones(gateway.sip) as phones:
        call = await phones.call()
        await call.answered()
        await phone.saw("CALL_ESTABLISHED")
        await hears(call.sound, AGENT)

        async with away(store):
            began = loop.time()
            assert await status(f"{gateway.http}/healthz") == 200
            await eventually(lambda: is_not_ready(gateway.http))
            word = asyncio.create_task(page.write("您还在吗？", 60))
            late = await phones.call(caller="13900139000")
            await late.answered()
            before = len(call.sound.heard())
            await call.sound.say(CITIZEN)
            await hears(late.sound, prompt("store_down"))
            await hears(call.sound, AGENT, after=before)
            assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE
            assert not call.over
            await asyncio.sleep(max(0.0, began + AWAY_S - loop.time()))
            assert not word.done(), "a word was called accepted that nobody kept"
            least_s = loop.time() - late.answered_at

        await asyncio.wait_for(word, 20)
        await eventually(lambda: agent.texts(offer["session"]) == ["您好", "您还在吗？"])
        await eventually(lambda: is_ready(gateway.http))
        assert not call.over
        assert not late.over
        assert await call.hang_up() == 200
        await phone.saw("CALL_CLOSED")
        await phone.saw("CALL_ESTABLISHED", times=2)  # the one who was kept is put through
        most_s = loop.time() - late.began_at
        offers = [one for one in shown.frames if one["t"] == "offer.new"]
        assert offers[-1]["session"] != offers[0]["session"]
        assert least_s <= offers[-1]["waited_s"] <= most_s, "the wait was not the true one"
        await late.hang_up()
        await page.write("谢谢，再见")
        await page.command("session.end")


@pytest.mark.timeout(120)
async def test_a_kept_call_is_owed_when_its_node_is_killed_too(
    own_gateway: MakesGateway, store: ValkeyServer, eventually: Eventually
) -> None:
    gateway = own_gateway(store__url=store.url)
    await gateway.start()
    async with frozen(store), Telephones(gateway.sip) as phones:
        await eventually(lambda: is_not_ready(gateway.http))
        call = await phones.call(caller="13900139000")
        await call.answered()
        await hears(call.sound, prompt("store_down"), deadline_s=40.0)  # it is said again
        gateway.kill()
    await gateway.start()
    async with Database.open(sqlite_url(gateway.data)) as database:
        history = History(database)

        async def is_owed() -> bool:
            records = await history.sessions_of(Address("tel", "+8613900139000"))
            return [one.session.phase for one in records] == [Phase.CALLBACK_PENDING]

        await eventually(is_owed)


async def status(address: str) -> int:
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        return answer.status


async def is_ready(http: str) -> bool:
    return await status(f"{http}/readyz") == 200


async def is_not_ready(http: str) -> bool:
    return await status(f"{http}/readyz") == 503
