"""Nodes with a text channel over one store in memory, and a carrier that does as it is told."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp
from aiohttp import web

from channels.contract import Text
from channels.sms.adapter import SmsChannel
from channels.sms.carrier import Carrier, Message, Part, Receipt, Reception, Report, Uplink
from channels.sms.dispatch import Standing
from channels.sms.errors import OutcomeUnknown
from channels.sms.quiet import Hours
from channels.sms.settings import SmsSettings
from queueing.memory.store import MemoryStore
from session import events as ev
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Admission, Contact, SharedState, StoreUnavailable, Verdict
from session.state import Demand, Leg, LegEnd, Party
from storage.files import FileStore

CITIZEN = "13800138000"
OTHER = "13900139000"
NEVER_QUIET = Hours("00:00", "00:00")


def settings(**changes: Any) -> SmsSettings:
    """Ones that a test can wait for."""
    fields: dict[str, Any] = {
        "pepper": b"a pepper that only tests have",
        "ways": (("+", "stand-in"),),
        "templates": {"link": "【12345】点此继续：{url}", "reply": "【12345】{text}"},
        "quiet": NEVER_QUIET,
        "number_per_hour": 1e6,
        "number_burst": 1000,
        "part_patience_s": 0.3,
        "submit_patience_s": 2.0,
        "attempt_s": 5.0,
        "retry_s": 0.1,
        "sweep_s": 0.02,
    }
    return SmsSettings(**{**fields, **changes})


class World:
    """What the nodes share, and what a test sees of it."""

    def __init__(self, store: Any = None) -> None:
        self.offset_s = 0.0
        """Moves the clock of the store in memory."""
        self.store: Any = store or MemoryStore(clock=lambda: time.time() + self.offset_s)
        self.is_away = False
        """The store cannot be reached."""
        self.refuses: str | None = None
        """Shared keys that begin so cannot be reached: the store goes away in the midst of something."""
        self.loses_answers = False
        """The store takes what it is given, and its answer is lost."""
        self._numbers = itertools.count()

    def next_session(self) -> SessionId:
        return SessionId(f"01TEST{next(self._numbers):020d}")

    @property
    def shared(self) -> SharedState:
        return cast("SharedState", Shared(self))

    async def sessions(self) -> list[SessionId]:
        _, entries = await self.store.log.follow("0", block_s=0.0)
        return list(dict.fromkeys(entry.session for entry in entries))

    async def events(self, kind: type[Any], session: SessionId | None = None) -> list[Any]:
        """Of one session, or of all in the order in which they were written."""
        _, entries = await self.store.log.follow("0", block_s=0.0)
        wanted = [entry for entry in entries if session is None or entry.session == session]
        return [entry.event for entry in wanted if isinstance(entry.event, kind)]

    async def texts(self, session: SessionId | None = None) -> list[str]:
        """What citizens wrote, as the core has it."""
        return [event.text for event in await self.events(ev.TextReceived, session)]

    async def leg(self, session: SessionId) -> LegId:
        """The session's newest leg."""
        opened: ev.LegOpened = (await self.events(ev.LegOpened, session))[-1]
        return opened.leg.id

    async def close(self, session: SessionId, channel: SmsChannel) -> None:
        """The matter is over, as the rest of the gateway does it."""
        leg = await self.leg(session)
        await self.store.log.append(session, ev.LegClosed(leg=leg, reason=LegEnd.CLOSED))
        self.store.log._world.sessions[session].closed_at = int(time.time() * 1000)
        await channel.close_leg(session, leg, LegEnd.CLOSED)


class Shared:
    """The store's shared state, with the world's troubles; each call gives way to others, as a network does."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._world.store.shared, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(0)
            if self._world.is_away or (self._world.refuses and args and str(args[0]).startswith(self._world.refuses)):
                raise StoreUnavailable(name)
            answer = await method(*args, **kwargs)
            await asyncio.sleep(0)
            return answer

        return call


class Inbox:
    """The core's ear."""

    def __init__(self, world: World, node: NodeId) -> None:
        self._world, self._node = world, node

    async def open(self, contact: Contact) -> Admission:
        self._check("" if contact.thread is None else contact.thread.key)
        opened = ev.SessionOpened(citizen=contact.address, number=contact.number, demand=Demand("general"))
        leg = Leg(
            contact.leg, contact.channel, contact.medium, Party.CITIZEN, self._node, contact.address, contact.asserted
        )
        await asyncio.sleep(0)
        session, fresh = await self._world.store.log.open(
            self._world.next_session(),
            self._node,
            opened,
            ev.LegOpened(leg=leg),
            contact.first,
            dedupe=contact.leg,
            word_dedupe=contact.first_dedupe,
            thread=contact.thread,
            notes=contact.notes,
        )
        self._lose()
        return Admission(session, contact.leg, fresh)

    async def post(self, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **beside: Any) -> int:
        self._check()
        await asyncio.sleep(0)
        version: int = await self._world.store.log.append(session, event, dedupe=dedupe, **beside)
        self._lose()
        return version

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        raise NotImplementedError

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        raise NotImplementedError

    def _check(self, key: str = "") -> None:
        if self._world.is_away or (self._world.refuses and key.startswith(self._world.refuses)):
            raise StoreUnavailable("post")

    def _lose(self) -> None:
        if self._world.loses_answers:
            raise StoreUnavailable("post")


@dataclass
class StandIn:
    """A carrier in this process: takes what it is given, fails as it is told, brings what a test says."""

    name: str = "stand-in"
    templates: frozenset[str] | None = None
    sent: list[Message] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)
    """Raised one after the other, each instead of taking a message."""
    ids_per_message: int = 1
    hangs: asyncio.Event | None = None
    """Where there is one, an answer comes when it is set."""
    reception: Reception | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        return []

    @asynccontextmanager
    async def serving(self, reception: Reception) -> AsyncIterator[None]:
        self.reception = reception
        yield

    async def submit(self, message: Message) -> Receipt:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(message)
        if self.hangs is not None:
            await self.hangs.wait()
        if message.text == "vanish":
            raise OutcomeUnknown(self.name)
        return self.receipt(len(self.sent))

    def receipt(self, number: int) -> Receipt:
        return Receipt(tuple(f"id-{number}-{index}" for index in range(self.ids_per_message)))

    # What a citizen or the network does.

    async def writes(self, text: str, message: str, sender: str = CITIZEN) -> None:
        assert self.reception is not None
        await self.reception.text(
            Uplink(carrier=self.name, id=message, sender=sender, recipient="12345", text=text, vouched=True)
        )

    async def brings(self, part: Part) -> None:
        assert self.reception is not None
        await self.reception.part(part)

    async def reports(self, report: Report) -> None:
        assert self.reception is not None
        await self.reception.report(report)


@dataclass
class ServingNode:
    """One gateway process."""

    channel: SmsChannel
    http: aiohttp.ClientSession
    base: str
    settled: list[tuple[str, Standing]]

    async def answer(self, world: World, session: SessionId, text: str, message: str) -> None:
        """The agent writes, and the gateway delivers it to the citizen's leg."""
        await self.channel.send(session, await world.leg(session), Text(MessageId(message), text))


@asynccontextmanager
async def node(
    world: World, carriers: Sequence[Carrier], folder: Path, *, name: str = "node-1", **changes: Any
) -> AsyncIterator[ServingNode]:
    """A node that serves its carriers' webhooks."""
    settled: list[tuple[str, Standing]] = []
    own = NodeId(name)
    channel = SmsChannel(
        settings(**changes),
        carriers,
        node=own,
        inbox=Inbox(world, own),
        shared=world.shared,
        files=FileStore(folder),
        on_settled=lambda carrier, standing: settled.append((carrier, standing)),
    )
    async with channel, aiohttp.ClientSession() as http:
        app = web.Application()
        app.add_routes(channel.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield ServingNode(channel, http, f"http://{host}:{port}", settled)
        finally:
            await runner.cleanup()
