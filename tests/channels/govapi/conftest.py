"""The API on a real core over a store in memory, an agent behind it, and a platform before it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from channels.govapi.adapter import GovApiChannel
from channels.govapi.settings import Client, GovApiSettings
from gateway.feed import Feed
from queueing.memory import MemoryStore
from session.events import ContactFinished, MessageRead, TextSent
from session.ids import AssigneeId, MessageId, NodeId, SessionId
from session.ports import StoreUnavailable
from session.state import AssigneeKind, Medium, Party
from storage.files import FileStore
from tests.conftest import Eventually
from tests.gateway.town import Attested, Post, hire, open_post
from tests.peers.platform import CLIENT, OLD_SECRET, SECRET, Platform

AGENT = AssigneeId("8001")


class Away:
    """Something of the store's that can be away."""

    def __init__(self, real: Any, core: "Core") -> None:
        self._real, self._core = real, core

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._real, name)

        async def call(*args: Any, **named: Any) -> Any:
            if self._core.is_away or self._core.breaks(name, args):
                raise StoreUnavailable(name)
            answer = await method(*args, **named)
            if self._core.loses(name, args):
                raise StoreUnavailable(name)
            return answer

        return call


@dataclass
class Core:
    """One node's core, and what its agent does."""

    store: MemoryStore
    post: Post
    folder: Path
    eventually: Eventually
    attested: Attested = field(default_factory=Attested)
    is_away: bool = False
    breaks: Callable[[str, tuple[Any, ...]], bool] = lambda *_: False
    """Calls that the store does not get."""
    loses: Callable[[str, tuple[Any, ...]], bool] = lambda *_: False
    """Calls that the store does, and whose answer is lost: as when the process is killed just then."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def accepts(self, session: str) -> None:
        """The agent takes the session when it is offered."""
        offer = await self.eventually(lambda: self.post.offer(SessionId(session)), deadline_s=10)
        assert offer is not None
        assert (await self.post.inbox.accept(SessionId(session), AGENT, offer.token)).granted

    async def writes(self, session: str, text: str, message: str) -> None:
        event = TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=MessageId(message), text=text)
        await self.post.inbox.post(SessionId(session), event)

    async def reads(self, session: str, message: str) -> None:
        await self.post.inbox.post(SessionId(session), MessageRead(message=MessageId(message), by=Party.ASSIGNEE))

    async def finishes(self, session: str) -> None:
        await self.post.inbox.post(SessionId(session), ContactFinished(by=AGENT))


@dataclass
class Api:
    """A node that serves the API."""

    channel: GovApiChannel
    base: str
    platform: Platform


@pytest.fixture
async def core(tmp_path: Path, eventually: Eventually) -> AsyncIterator[Core]:
    store = MemoryStore()
    async with open_post(store, "node") as post:
        await hire(store, AGENT, Medium.MESSAGE)
        core = Core(store, post, tmp_path, eventually)
        async with core.stack:
            yield core


def settings(**changes: Any) -> GovApiSettings:
    """Ones that a test can wait for."""
    client = Client(
        id=CLIENT, secrets=(SECRET, OLD_SECRET), callback=changes.pop("callback", ""), **changes.pop("client", {})
    )
    other = Client(id="other-app", secrets=("another-platforms-secret-which-is-long-enough",))
    named: dict[str, Any] = {
        "pepper": b"a pepper that only tests have",
        "clients": (client, other),
        "plain_callbacks": True,
        "user_words_per_s": 1000.0,
        "callback_look_s": 0.2,
        "callback_longest_pause_s": 0.1,
        "sweep_s": 0.05,
    }
    return GovApiSettings(**{**named, **changes})


@asynccontextmanager
async def serving(core: Core, node: str = "node", **changes: Any) -> AsyncIterator[Api]:
    """A node that serves, and a platform that has read its document."""
    opened = GovApiChannel.open(
        settings(**changes),
        inbox=Away(core.post.inbox, core),
        shared=Away(core.store.shared, core),
        files=FileStore(core.folder / "files"),
        lines=core.store.queue,
        timeline=Away(core.store.log, core).read,
        badge=lambda assignee: f"工号{assignee}",
        attests=Away(core.attested, core),
    )
    async with opened as channel, aiohttp.ClientSession(auto_decompress=False) as http:
        feed = Feed(core.store.log, [channel.follow])
        await feed.start()
        reading = asyncio.create_task(feed.run(), name=f"feed {NodeId(node)}")
        app = web.Application(client_max_size=11 * 1024 * 1024)
        app.add_routes(channel.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        platform = Platform(http, base)
        await platform.learn()
        try:
            yield Api(channel, base, platform)
        finally:
            await channel.drain(0.0)
            await runner.cleanup()
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


@pytest.fixture
async def api(core: Core) -> AsyncIterator[Api]:
    async with serving(core) as opened:
        yield opened
