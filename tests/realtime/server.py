"""A real aiohttp server with one socket endpoint, and a peer that keeps what it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from realtime import citizen
from realtime.link import Link
from realtime.messages import Command, Durable, Ephemeral
from realtime.peer import Refusal
from realtime.settings import SocketSettings
from realtime.socket import Sockets
from realtime.tokens import Tickets
from session.ports import StoreUnavailable
from tests.realtime.shared import SharedKeys

KEY = b"a key that only tests have, of 32"


@dataclass
class Room:
    """What one subject said, and what is told them."""

    said: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


class Echoes:
    """A peer: keeps each subject's texts once, whatever is repeated, and tells each text to all their links."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.done: dict[str, int] = {}
        self.connections: list[tuple[str, str]] = []
        self.typed: list[str] = []
        self.received_up_to: dict[str, int] = {}
        self.is_away = False
        self.faults = 0
        """How many of the next commands meet a defect of ours."""
        self.gate = asyncio.Event()
        self.gate.set()

    def room(self, subject: str) -> Room:
        return self.rooms.setdefault(subject, Room())

    def tell(self, subject: str, text: str) -> None:
        """A durable frame to all links."""
        room = self.room(subject)
        room.told.append(text)
        for link in room.links:
            link.publish(_message(text))

    async def snapshot(self, link: Link) -> Durable:
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("snapshot")
        room = self.room(link.subject)
        room.links.append(link)
        state = citizen.Standing(phase="new", assignee=None, may_rate=False)
        return citizen.Snapshot(state=state, messages=tuple(_shown(text) for text in room.told))

    async def command(self, link: Link, command: Command) -> int | Refusal:
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("command")
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError
        assert isinstance(command, citizen.MessageSend)
        if command.text == "no":
            return Refusal("unwanted")
        if command.id not in self.done:
            room = self.room(link.subject)
            room.said.append(command.text)
            self.done[command.id] = len(room.said)
        await asyncio.sleep(0)
        return self.done[command.id]

    def ephemeral(self, link: Link, frame: Ephemeral) -> None:
        self.typed.append(link.subject)

    def received(self, link: Link, seq: int) -> None:
        self.received_up_to[link.sid] = seq

    def connected(self, link: Link) -> None:
        self.connections.append(("connected", link.subject))

    def disconnected(self, link: Link) -> None:
        self.connections.append(("disconnected", link.subject))

    def forgotten(self, link: Link) -> None:
        self.connections.append(("forgotten", link.subject))
        self.room(link.subject).links.remove(link)


def _message(text: str) -> citizen.MessageNew:
    return citizen.MessageNew(id=text[:20], rev=1, from_="agent", name="8001", ts=1.0, state="sent", text=text)


def _shown(text: str) -> citizen.Message:
    return citizen.Message(id=text[:20], rev=1, from_="agent", name="8001", ts=1.0, state="sent", text=text)


@dataclass
class Serving:
    """What a test talks to."""

    url: str
    peer: Echoes
    sockets: Sockets
    tickets: Tickets

    async def ticket(self, subject: str) -> str:
        return self.tickets.issue(subject)


@asynccontextmanager
async def serving(settings: SocketSettings) -> AsyncIterator[Serving]:
    """Serve on a free port of loopback."""
    peer, tickets = Echoes(), Tickets(KEY, SharedKeys())
    async with Sockets(citizen.UP, peer, tickets.redeem, KEY, settings) as sockets:
        app = web.Application()
        app.router.add_get("/socket", sockets.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            yield Serving(f"ws://{host}:{port}/socket", peer, sockets, tickets)
        finally:
            await sockets.drain(0.0)
            await runner.cleanup()
