"""What the web chat's benchmarks share: a process with the whole web chat over lists in memory."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

from aiohttp import web

from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from gateway.process import collect_seldom
from queueing.memory.shared import MemoryShared
from realtime.settings import SocketSettings
from realtime.tokens import Tickets
from session import events as ev
from session.ids import AssigneeId, NodeId, SessionId
from session.ports import Admission, Contact, Entry, Place, Verdict
from session.state import Demand, Leg, Party
from storage.files import FileStore

KEY = b"a key that only benchmarks have.."
SETTINGS = WebChatSettings(
    sockets=SocketSettings(
        rate_per_s=1e4, burst=10_000, frames_per_s=1e5, frames_burst=100_000, sockets_per_ip=100_000, sockets=100_000
    )
)
_KEPT = 10


class Log:
    """One session's."""

    __slots__ = ("done", "entries", "session", "version")

    def __init__(self, session: SessionId) -> None:
        self.session, self.version = session, 0
        self.entries: list[Entry] = []
        self.done: dict[str, int] = {}


class Ledger:
    """Logs as lists, with dedupe keys and a feed: what a store does, at no cost but Python's.

    Only the beginnings are kept: a store's memory is elsewhere, and its garbage is not collected here.
    """

    def __init__(self) -> None:
        self.logs: dict[SessionId, Log] = {}
        self.feed: list[Entry] = []
        self.grown = asyncio.Event()

    def write(self, log: Log, event: ev.Event) -> int:
        log.version = version = log.version + 1
        entry = Entry(log.session, version, event)
        if version <= _KEPT:
            log.entries.append(entry)
        if not self.feed:
            self.grown.set()
        self.feed.append(entry)
        return version

    async def open(self, contact: Contact) -> Admission:
        session = SessionId(f"{len(self.logs):026}")
        log = self.logs[session] = Log(session)
        self.write(log, ev.SessionOpened(citizen=contact.address, number=contact.number, demand=Demand("general")))
        leg = Leg(contact.leg, contact.channel, contact.medium, Party.CITIZEN, NodeId("bench"), contact.address)
        self.write(log, ev.LegOpened(leg=leg))
        if contact.first is not None:
            self.write(log, contact.first)
        return Admission(session, contact.leg, fresh=True)

    async def post(self, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **_: object) -> int:
        log = self.logs[session]
        if dedupe is None:
            return self.write(log, event)
        version = log.done.get(dedupe)
        if version is None:
            version = log.done[dedupe] = self.write(log, event)
        return version

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        raise NotImplementedError

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        raise NotImplementedError

    async def timeline(self, session: SessionId) -> list[Entry]:
        return self.logs[session].entries

    async def place(self, session: SessionId) -> Place | None:
        return Place(1, len(self.logs), 60.0) if session in self.logs else None

    async def run(self, channel: WebChatChannel) -> None:
        while True:
            await self.grown.wait()
            self.grown.clear()
            entries, self.feed = self.feed, []
            for entry in entries:
                await channel.follow(entry)


def ticket_for(visitor: str) -> str:
    """A ticket, without asking the server for each of thousands."""
    return Tickets(KEY, MemoryShared(time.time)).issue(visitor)


async def serve_chat(key: bytes) -> None:
    """Serve until killed; prints its port, and its memory whenever a line is read from standard input."""
    collect_seldom()  # as the product does
    ledger = Ledger()
    channel = WebChatChannel(
        SETTINGS,
        node=NodeId("bench"),
        inbox=ledger,
        lines=ledger,
        shared=MemoryShared(time.time),
        files=FileStore(Path("/nonexistent")),
        timeline=ledger.timeline,
        key=key,
        badge=str,
        on_typing=lambda _: None,
    )
    async with channel:
        feeding = asyncio.create_task(ledger.run(channel))
        app = web.Application()
        app.add_routes(channel.routes())
        app.router.add_get("/memory", memory)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
        await feeding


async def memory(_: web.Request) -> web.Response:
    """Resident bytes of this process."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return web.json_response({"bytes": pages * os.sysconf("SC_PAGE_SIZE")})
