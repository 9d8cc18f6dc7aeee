"""A real aiohttp server with one socket endpoint, and a peer that keeps what citizens' pages or desks say and hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from realtime import citizen, desk
from realtime.link import Link
from realtime.messages import Command, Durable, Ephemeral
from realtime.peer import Refusal
from realtime.settings import SocketSettings
from realtime.socket import Sockets
from realtime.timeline import TextEntry, Who
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

    commands = citizen.UP

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
            link.publish(self._frame(room))

    def _frame(self, room: Room) -> Durable:
        """What was told last."""
        return _message(room.told[-1])

    def _shown(self, room: Room) -> Durable:
        """All that was told, for a page that is opened."""
        state = citizen.Standing(phase="new", assignee=None, may_rate=False)
        return citizen.Snapshot(state=state, messages=tuple(_shown(text) for text in room.told))

    def _said(self, command: Command) -> str:
        assert isinstance(command, citizen.MessageSend)
        return command.text

    async def snapshot(self, link: Link) -> Durable:
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("snapshot")
        room = self.room(link.subject)
        room.links.append(link)
        return self._shown(room)

    async def command(self, link: Link, command: Command) -> int | Refusal:
        await self.gate.wait()
        if self.is_away:
            raise StoreUnavailable("command")
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError
        said = self._said(command)
        if said == "no":
            return Refusal("unwanted")
        if command.id not in self.done:
            room = self.room(link.subject)
            room.said.append(said)
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


class Offices(Echoes):
    """The same for agents' desks. What is told them is an offer, a line of a timeline, a presence, each in its turn."""

    commands = desk.UP

    def _frame(self, room: Room) -> Durable:
        text = room.told[-1]
        match len(room.told) % 3:
            case 0:
                return desk.OfferNew(**_offer(text))
            case 1:
                entry = TextEntry(at=1.0, who=Who("citizen"), message="m", text=text)
                return desk.ContactTimeline(session="s", version=len(room.told), entry=entry)
            case _:
                return desk.PresenceSelf(presence="break", reason=text, routing="off", since=1.0)

    def _shown(self, room: Room) -> Durable:
        here = desk.Presence(presence="off", reason="", routing="off", since=1.0)
        offers = tuple(desk.Offer(**_offer(text)) for text in room.told)
        devices = desk.Devices(desk=True, phone=None)
        return desk.Snapshot(presence=here, devices=devices, offers=offers, contacts=(), queues=())

    def _said(self, command: Command) -> str:
        match command:
            case desk.MessageSend(text=text):
                return text
            case desk.PresenceSet(reason=reason):
                return reason
            case desk.OfferAccept(token=token):
                return f"up {token}"
        raise AssertionError(command)


def _offer(text: str) -> dict[str, Any]:
    asked = {"session": text, "token": 1, "medium": "chat", "channel": "webchat", "queue": "general"}
    return {**asked, "citizen": "web", "waited_s": 0.0, "ring_until": 1.0, "why": {}}


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
async def serving(settings: SocketSettings, peer: Echoes | None = None) -> AsyncIterator[Serving]:
    """Serve on a free port of loopback."""
    peer, tickets = peer or Echoes(), Tickets(KEY, SharedKeys())
    async with Sockets(peer.commands, peer, tickets.redeem, KEY, settings) as sockets:
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
