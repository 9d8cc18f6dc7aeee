"""One or more nodes with a web chat, over one store in memory, each behind a real HTTP server."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from queueing.memory.store import MemoryStore
from realtime.settings import SocketSettings
from session import events as ev
from session.address import Address
from session.ids import AssigneeId, MessageId, NodeId, SessionId
from session.ports import Admission, Contact, Entry, Place, StoreUnavailable, Verdict
from session.state import AssigneeKind, Demand, Leg, Medium, Party
from storage.files import FileStore
from tests.realtime.client import Client

KEY = b"a key that only tests have, of 32"
SETTINGS = WebChatSettings(
    sockets=SocketSettings(rate_per_s=1e5, burst=100_000, frames_per_s=1e5, frames_burst=100_000, sockets_per_ip=1000),
    away_after_s=0.02,
    place_every_s=0.01,
)


@dataclass
class World:
    """What the nodes share."""

    store: MemoryStore = field(default_factory=MemoryStore)
    places: dict[SessionId, Place] = field(default_factory=dict)
    asked: int = 0
    is_away: bool = False
    """The store cannot be reached."""
    loses_answers: bool = False
    """The store takes what it is given, and its answer is lost."""
    _numbers: Any = field(default_factory=itertools.count)

    def next_session(self) -> SessionId:
        return SessionId(f"01TEST{next(self._numbers):020d}")

    async def place(self, session: SessionId) -> Place | None:
        self.asked += 1
        return self.places.get(session)

    async def log(self, session: SessionId) -> list[Entry]:
        if self.is_away:
            raise StoreUnavailable("read")
        return await self.store.log.read(session)

    async def events(self, session: SessionId, kind: type[ev.Event]) -> list[ev.Event]:
        return [entry.event for entry in await self.store.log.read(session) if isinstance(entry.event, kind)]

    async def texts(self, session: SessionId) -> list[str]:
        """What the citizen wrote, as the core has it."""
        return [event.text for event in await self.events(session, ev.TextReceived)]  # type: ignore[attr-defined]

    async def happen(self, session: SessionId, event: ev.Event) -> int:
        """The rest of the gateway writes an event."""
        return await self.store.log.append(session, event)

    async def answer(self, session: SessionId, who: str = "li.na", kind: AssigneeKind = AssigneeKind.AGENT) -> None:
        """An assignee takes the session."""
        one = AssigneeId(who)
        await self.happen(
            session,
            ev.OfferMade(token=1, assignee=one, kind=kind, medium=Medium.CHAT, lease_until=9e9, why={"secret": 1}),
        )
        await self.happen(session, ev.OfferAccepted(token=1, assignee=one, kind=kind))

    async def write(self, session: SessionId, message: str, text: str, who: str = "li.na") -> None:
        """The agent writes."""
        event = ev.TextSent(by=AssigneeId(who), kind=AssigneeKind.AGENT, message=MessageId(message), text=text)
        await self.happen(session, event)


class Inbox:
    """The core's ear, on a store in memory."""

    def __init__(self, world: World, node: NodeId) -> None:
        self._world, self._node = world, node

    async def open(self, contact: Contact) -> Admission:
        self._check()
        opened = ev.SessionOpened(citizen=contact.address, number=contact.number, demand=Demand("general"))
        leg = Leg(
            contact.leg,
            contact.channel,
            contact.medium,
            Party.CITIZEN,
            self._node,
            contact.address,
            asserted=contact.asserted,
        )
        session, fresh = await self._world.store.log.open(
            self._world.next_session(),
            self._node,
            opened,
            ev.LegOpened(leg=leg),
            contact.first,
            dedupe=contact.leg,
            word_dedupe=contact.first_dedupe,
        )
        self._lose()
        return Admission(session, contact.leg, fresh)

    async def post(self, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **_: object) -> int:
        self._check()
        await asyncio.sleep(0)
        version = await self._world.store.log.append(session, event, dedupe=dedupe)
        self._lose()
        return version

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        raise NotImplementedError

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        raise NotImplementedError

    def _check(self) -> None:
        if self._world.is_away:
            raise StoreUnavailable("post")

    def _lose(self) -> None:
        if self._world.loses_answers:
            raise StoreUnavailable("post")


@dataclass
class Claims:
    """Whose numbers are whose, as far as anybody has said."""

    made: list[tuple[str, bool]] = field(default_factory=list)

    async def attest(self, holder: Address, number: str, *, vouched: bool) -> None:
        self.made.append((number, vouched))


@dataclass
class ServingNode:
    """One gateway process."""

    name: NodeId
    channel: WebChatChannel
    http: aiohttp.ClientSession
    base: str
    typed: list[SessionId]
    claims: list[tuple[str, bool]]
    """Numbers that citizens have said to be theirs, and whether anybody vouched for them."""

    async def visitor(self, token: str | None = None) -> dict[str, str]:
        body = {"visitor": token} if token else {}
        async with self.http.post(f"{self.base}/api/webchat/visitor", json=body) as response:
            assert response.status == 200, await response.text()
            answer: dict[str, str] = await response.json()
            return answer

    def page(self, token: str) -> Client:
        """A page of the visitor with that token, here."""

        async def ticket() -> str:
            return (await self.visitor(token))["ticket"]

        url = self.base.replace("http:", "ws:") + "/api/webchat/socket"
        return Client(self.http, url, ticket, origin=self.base)


@asynccontextmanager
async def node(
    world: World, folder: Path, name: str = "node-1", settings: WebChatSettings = SETTINGS
) -> AsyncIterator[ServingNode]:
    """Start a node; its feed begins before its sockets."""
    typed: list[SessionId] = []
    claims = Claims()
    channel = WebChatChannel(
        settings,
        node=NodeId(name),
        inbox=Inbox(world, NodeId(name)),
        lines=world,
        shared=world.store.shared,
        files=FileStore(folder),
        timeline=world.log,
        key=KEY,
        badge=lambda who: {"li.na": "8001"}.get(who, "小一"),
        on_typing=typed.append,
        attests=claims,
    )
    cursor, _ = await world.store.log.follow("$", block_s=0.0)

    async def feed() -> None:
        after = cursor
        while True:
            after, entries = await world.store.log.follow(after)
            for entry in entries:
                await channel.follow(entry)

    following = asyncio.create_task(feed())
    async with channel, aiohttp.ClientSession() as http:
        app = web.Application()
        app.add_routes(channel.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield ServingNode(NodeId(name), channel, http, f"http://{host}:{port}", typed, claims.made)
        finally:
            await channel.drain(0.0)
            await runner.cleanup()
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


@asynccontextmanager
async def chatting(serving: ServingNode, token: str | None = None) -> AsyncIterator[Client]:
    """A page that is connected and has its snapshot."""
    page = serving.page(token or (await serving.visitor())["visitor"])
    try:
        async with asyncio.timeout(5):
            while not page.durable:
                await asyncio.sleep(0.005)
        yield page
    finally:
        await page.stop()


def shown(page: Client) -> list[tuple[str, str | None]]:
    """What the page shows: who wrote what, in order."""
    newest = max(index for index, frame in enumerate(page.durable) if frame["t"] == "snapshot")
    messages = {one["id"]: one for one in page.durable[newest]["messages"]}
    for frame in page.durable[newest + 1 :]:
        if frame["t"] == "msg.new":
            assert frame["id"] not in messages, "shown twice"
            messages[frame["id"]] = frame
    for word, rev in page.acked.items():
        if page.sent[word]["t"] in {"msg.send", "file.send", "location.send"}:
            messages.setdefault(word, {"from": "citizen", "text": page.sent[word].get("text"), "rev": rev})
    return [(one["from"], one["text"]) for one in sorted(messages.values(), key=lambda one: one["rev"])]


def standing(page: Client) -> dict[str, Any]:
    """The state that the page shows."""
    for frame in reversed(page.durable):
        if frame["t"] == "session.state":
            return {name: frame[name] for name in ("phase", "assignee", "may_rate", "transferred")}
        if frame["t"] == "snapshot":
            state: dict[str, Any] = frame["state"]
            return state
    raise AssertionError("nothing is shown")


def state_of(page: Client, message: str) -> str:
    """How far a message has come, as the page shows it."""
    state = "sending"
    for frame in page.durable:
        for one in frame["messages"] if frame["t"] == "snapshot" else [frame]:
            if one.get("id") == message and "state" in one:
                state = str(one["state"])
    return state
