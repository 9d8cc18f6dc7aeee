"""An official account on one or more nodes: real HTTP on both sides, wechatpy as WeChat's own hand."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import yarl
from aiohttp import web
from wechatpy.crypto import WeChatCrypto
from wechatpy.utils import WeChatSigner

from channels.contract import Channel
from channels.door import Recognised
from channels.wechat.adapter import WeChatChannel
from channels.wechat.settings import WeChatSettings
from gateway.inbox import StoreInbox
from gateway.mailboxes import Mailboxes
from gateway.metrics import Metrics
from gateway.performer import Performer
from queueing.contract import Presence, Profile, Store
from queueing.memory.store import MemoryStore
from rulebook.routing import Route
from session import events as ev
from session.address import Address
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Admission, Contact, Entry, SharedState, StoreUnavailable, Verdict
from session.rules import Rules
from session.state import AssigneeKind, Demand, Medium, Phase
from storage.files import FileStore
from tests.gateway.town import links_on, outgoing_on
from tests.peers.wechat import WeChatApi, serving

APPID, SECRET, TOKEN = "wxba5fad812f8e6fb9", "an app secret", "tokentokentoken"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
OLD_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
AGENT = AssigneeId("8001")
GH = "gh_10f6c3c3ac5a"
OPENID = "oyORnuP8q7ou2gfYjqLzSIWZf0rs"
JPEG = b"\xff\xd8\xff\xe0" + b"a picture" * 100
AMR = b"#!AMR\n" + b"\x3c" + b"\x08" * 31

SETTINGS = WeChatSettings(
    appid=APPID, secret=SECRET, token=TOKEN, aes_keys=(KEY, OLD_KEY), api_timeout_s=1.0, send_patience_s=4.0,
    media_bytes=50_000, owed_every_s=0.05,
)  # fmt: skip


class Unsteady:
    """A store's shared state that can be away."""

    def __init__(self, inner: SharedState, world: "World") -> None:
        self._inner, self._world = inner, world

    def __getattr__(self, name: str) -> Any:
        self._world.reach(name)
        return getattr(self._inner, name)

    async def put(self, key: str, value: bytes, *, ttl_s: float) -> None:
        self._world.reach("put")
        if self._world.breaking and self._world.breaking in key:
            self._world.breaking = ""
            raise StoreUnavailable("put")
        await self._inner.put(key, value, ttl_s=ttl_s)


class UnsteadyInbox:
    """The node's true inbox; it can be away, or its answers can be lost after it has taken what it was given."""

    def __init__(self, inner: StoreInbox, world: "World") -> None:
        self._inner, self._world = inner, world

    async def open(self, contact: Contact) -> Admission:
        self._world.reach("open")
        admission = await self._inner.open(contact)
        self._world.lose("open")
        return admission

    async def post(self, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **beside: Any) -> int:
        self._world.reach("post")
        version = await self._inner.post(session, event, dedupe=dedupe, **beside)
        self._world.lose("post")
        return version

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        return await self._inner.accept(session, assignee, token)

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        return await self._inner.decline(session, assignee, token, reason)


@dataclass
class World:
    """What the nodes share."""

    store: Store
    api: WeChatApi
    clock: Callable[[], float]
    is_away: bool = False
    breaking: str = ""
    """The next writing of a shared key that has this in its name fails."""
    losing: int = 0
    """So many of the inbox's next answers are lost."""
    scans: list[tuple[Address, str]] = field(default_factory=list)
    sessions: set[SessionId] = field(default_factory=set)
    contacts: list[Contact] = field(default_factory=list)

    def reach(self, what: str) -> None:
        if self.is_away:
            raise StoreUnavailable(what)

    def lose(self, what: str) -> None:
        if self.losing:
            self.losing -= 1
            raise StoreUnavailable(what)

    def route(self, contact: Contact, at: float) -> Route:
        self.contacts.append(contact)
        return Route(Demand("general"), "")

    async def scanned(self, citizen: Address, scene: str) -> Recognised:
        self.reach("scan")
        self.scans.append((citizen, scene))
        return Recognised(f"已接上 {scene}", goes_on=scene.startswith("goes on"))

    async def entries(self) -> list[Entry]:
        """All that was written, of every session, in order."""
        return [entry for session in sorted(self.sessions) for entry in await self.store.log.read(session)]

    async def events(self, *kinds: type[ev.Event]) -> list[Any]:
        return [entry.event for entry in await self.entries() if isinstance(entry.event, kinds)]

    async def newest(self) -> tuple[SessionId, LegId]:
        """The newest leg."""
        opened = [entry for entry in await self.entries() if isinstance(entry.event, ev.LegOpened)]
        event = opened[-1].event
        assert isinstance(event, ev.LegOpened)
        return opened[-1].session, event.leg.id

    async def texts(self) -> list[str]:
        return [event.text for event in await self.events(ev.TextReceived)]


@dataclass
class Wire:
    """WeChat's side of the webhook. Every request is signed as wechatpy signs."""

    http: aiohttp.ClientSession
    url: str
    clock: Callable[[], float]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def number(self) -> int:
        return next(self._numbers)

    def query(self, sealed: str | None = None, *, nonce: str = "", at: float | None = None) -> dict[str, str]:
        timestamp, nonce = str(int(self.clock() if at is None else at)), nonce or f"{self.number()}"
        query = {"timestamp": timestamp, "nonce": nonce, "signature": signed(TOKEN, timestamp, nonce)}
        if sealed is not None:
            query |= {"encrypt_type": "aes", "msg_signature": signed(TOKEN, timestamp, nonce, sealed)}
        return query

    async def bring(self, body: bytes, query: dict[str, str]) -> tuple[int, str]:
        async with self.http.post(self.url, data=body, params=query) as response:
            return response.status, await response.text()

    async def bring_all(self, requests: Sequence[tuple[bytes, dict[str, str]]]) -> list[tuple[int, str]]:
        """All by one connection, none waiting for the answer to the one before (RFC 9112, section 9.3.2)."""
        url = yarl.URL(self.url)
        reader, writer = await asyncio.open_connection(url.host, url.port)
        for body, query in requests:
            head = f"POST {url.with_query(query).raw_path_qs} HTTP/1.1\r\nHost: {url.host}\r\n"
            writer.write(f"{head}Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answers = []
        for _ in requests:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            answers.append((int(head.split()[1]), (await reader.readexactly(length)).decode()))
        writer.close()
        await writer.wait_closed()
        return answers

    async def push(
        self, fields: dict[str, Any], *, key: str | None = KEY, as_json: bool = False, compatible: bool = False
    ) -> tuple[int, str]:
        """One push; `key` None is plaintext mode."""
        body, query = self.request(fields, key=key, as_json=as_json, compatible=compatible)
        return await self.bring(body, query)

    def request(
        self, fields: dict[str, Any], *, key: str | None = KEY, as_json: bool = False, compatible: bool = False
    ) -> tuple[bytes, dict[str, str]]:
        plain = json.dumps(fields) if as_json else xml(fields)
        if key is None:
            return plain.encode(), self.query()
        sealed = seal(plain, key)
        beside = fields if compatible else {"ToUserName": GH}
        whole = beside | {"Encrypt": sealed}
        return (json.dumps(whole) if as_json else xml(whole)).encode(), self.query(sealed)

    def message(self, kind: str = "text", openid: str = OPENID, **fields: Any) -> dict[str, Any]:
        number = self.number()
        return {
            "ToUserName": GH,
            "FromUserName": openid,
            "CreateTime": int(self.clock()),
            "MsgType": kind,
            "MsgId": 6054768590064713728 + number,
        } | fields

    def event(self, name: str, key: str = "", openid: str = OPENID, **fields: Any) -> dict[str, Any]:
        self.number()
        whole = self.message("event", openid, Event=name, EventKey=key) | fields
        del whole["MsgId"]
        return whole

    async def say(self, text: str, openid: str = OPENID) -> tuple[int, str]:
        return await self.push(self.message("text", openid, Content=text))


def signed(*parts: str) -> str:
    signer = WeChatSigner()
    signer.add_data(*parts)
    return str(signer.signature)


def seal(plain: str, key: str = KEY, appid: str = APPID) -> str:
    """The cipher text as wechatpy makes it."""
    sealed = WeChatCrypto(TOKEN, key, appid).encrypt_message(plain, "n", "1")
    return str(sealed.partition("<Encrypt><![CDATA[")[2].partition("]]>")[0])


def xml(fields: dict[str, Any]) -> str:
    def leaf(value: Any) -> str:
        if isinstance(value, dict):
            return "".join(f"<{name}>{leaf(inner)}</{name}>" for name, inner in value.items())
        return str(value) if isinstance(value, int) else f"<![CDATA[{value}]]>"

    return "<xml>" + "".join(f"<{name}>{leaf(value)}</{name}>\n" for name, value in fields.items()) + "</xml>"


@dataclass
class ServingNode:
    channel: WeChatChannel
    wire: Wire
    inbox: StoreInbox

    async def accept(self, world: World) -> SessionId:
        """An agent takes the newest session."""
        session, _ = await world.newest()
        queue = world.store.queue
        await queue.enlist(Profile(AGENT, AssigneeKind.AGENT, ("general",), {Medium.MESSAGE: 99}))
        await queue.present(AGENT, Presence.READY)
        await queue.reach(AGENT, "desk", frozenset({Medium.MESSAGE}), ttl_s=3600.0)
        async with asyncio.timeout(5.0):
            while not (
                offers := [one for one in await world.store.log.read(session) if isinstance(one.event, ev.OfferMade)]
            ):
                await queue.match()
                await asyncio.sleep(0.005)
        offer = offers[-1].event
        assert isinstance(offer, ev.OfferMade)
        assert (await self.inbox.accept(session, AGENT, offer.token)).granted
        return session

    async def write(self, world: World, message: str, text: str) -> None:
        """The agent writes to the newest session; the core has the channel send it."""
        session, _ = await world.newest()
        event = ev.TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=MessageId(message), text=text)
        await self.inbox.post(session, event)

    async def finish(self, world: World) -> None:
        """The agent ends the contact, and writes it up meanwhile."""
        session, _ = await world.newest()
        await self.inbox.post(session, ev.ContactFinished(by=AGENT))
        await reached(world, session, Phase.WRAPPING)

    async def write_up(self, world: World) -> None:
        """The agent has nothing more to write."""
        session, _ = await world.newest()
        await self.inbox.post(session, ev.WrapFinished(by=AGENT))
        await reached(world, session, Phase.CLOSED)


async def reached(world: World, session: SessionId, phase: Phase) -> None:
    """Wait until a session is in a phase, and all that followed from it is done."""
    async with asyncio.timeout(5.0):
        while (held := await world.store.log.open_session_of(session)) is None or held.phase is not phase:
            await asyncio.sleep(0.005)
        while any(task.get_name().startswith("mailbox ") for task in asyncio.all_tasks()):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def node(
    world: World, folder: Path, settings: WeChatSettings = SETTINGS, name: str = "node-1"
) -> AsyncIterator[ServingNode]:
    """One gateway process."""
    here = NodeId(name)
    mailboxes = Mailboxes(world.store, here, Rules())

    def wake(session: SessionId) -> None:
        world.sessions.add(session)
        mailboxes.wake(session)

    inbox = StoreInbox(world.store, here, world.route, wake)
    channels: dict[str, Channel] = {}
    links = links_on(world.store, channels, inbox)
    metrics = Metrics()
    outgoing = outgoing_on(world.store, channels, metrics)
    mailboxes.perform = Performer(world.store, here, channels, inbox, metrics, links, outgoing).perform
    await world.store.mailboxes.beat(here, ttl_s=3600.0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(mailboxes.stop)
        channel = await stack.enter_async_context(
            WeChatChannel.open(
                replace(settings, api=world.api.base),
                inbox=UnsteadyInbox(inbox, world),
                shared=Unsteady(world.store.shared, world),
                files=FileStore(folder),
                on_scan=world.scanned,
                clock=world.clock,
            )
        )
        channels[channel.name] = channel
        app = web.Application()
        app.add_routes(channel.routes())
        base = await stack.enter_async_context(serving(app))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield ServingNode(channel, Wire(http, base + settings.path, world.clock), inbox)


@asynccontextmanager
async def world_of(store: Store | None = None, clock: Callable[[], float] = time.time) -> AsyncIterator[World]:
    api = WeChatApi(APPID, SECRET, clock=clock)
    async with serving(api.app()) as base:
        api.base = base
        yield World(store or MemoryStore(clock=clock), api, clock)
