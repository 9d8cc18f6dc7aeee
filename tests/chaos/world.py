"""Two gateways on one store, agents and citizens in front of them, and a hand that kills."""

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from queueing.settings import QueueSettings
from session.ids import SessionId
from session.machine import replay
from session.state import Phase
from tests.chaos.checker import Evidence
from tests.chaos.remains import KEYS, Remains, debts_of
from tests.peers.baresip import Baresip
from tests.peers.caller import Telephones
from tests.peers.pages import CitizenPage, DeskPage, Refused
from tests.peers.ports import free_pair
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import Yihao

NODES = 2
CHATTING = 6
CALLING = 3
SOFTPHONES = ("8001", "8003")
DESKS = ("8002", "8004")
LEASE_S = 4.0
RULES = {
    "agents.offer_lease_s": str(int(LEASE_S)),
    "agents.decline_pause_s": "1",
    "session.chat_grace_s": "3",
    "session.call_grace_s": "3",
    "session.assignee_grace_s": "5",
    "session.media_up_s": "4",
    "session.wrap_s": "1",
    "bots.guide": "false",
    "log.level": "warning",
}
REST_S = 40.0
"""After the last kill: leases of dead nodes, graces, wrap-up, each with room."""
PATIENCE_S = 4.0
MANY_FRAMES = 10_000
"""Of one desk: those that have been looked at are let go then."""


class Shown:
    """What a desk's frames come to. Each is looked at once, and old ones are let go: an hour has a million."""

    def __init__(self, desk: DeskPage) -> None:
        self._desk = desk
        self._seen = 0
        self._routing = ""
        self._offers: dict[tuple[str, int], dict[str, Any]] = {}
        self._told: set[tuple[str, int]] = set()

    def routing(self) -> str:
        """Whether its agent gets offers, as the desk was told last."""
        self._look()
        return self._routing

    def new_offers(self) -> list[dict[str, Any]]:
        """Offers that stand and that the desk can take (all but calls), each once."""
        self._look()
        self._told &= self._offers.keys()
        found = [one for name, one in self._offers.items() if one["medium"] != "voice" and name not in self._told]
        self._told |= {(one["session"], one["token"]) for one in found}
        return found

    def _look(self) -> None:
        for frame in self._desk.frames[self._seen :]:
            match frame["t"]:
                case "snapshot":
                    self._routing = frame["presence"].get("routing")
                    self._offers = {(one["session"], one["token"]): one for one in frame["offers"]}
                case "presence.self":
                    self._routing = frame["routing"]
                case "offer.new":
                    self._offers[frame["session"], frame["token"]] = frame
                case "offer.revoked":
                    self._offers.pop((frame["session"], frame["token"]), None)
        self._seen = len(self._desk.frames)
        if self._seen > MANY_FRAMES:
            self._desk.frames.clear()
            self._seen = 0


@dataclass
class World:
    """Open it as an async context manager; `kill_node` and `kill_store` while it lives, then `rest` and `evidence`."""

    folder: Path
    words: set[str] = field(default_factory=set)
    callers: set[str] = field(default_factory=set)
    answered: int = 0
    """Offers that a desk has accepted."""
    nodes: list[Yihao] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    """Of the people themselves: a citizen who fell over has shown nothing."""
    _shown: dict[DeskPage, Shown] = field(default_factory=dict)
    _living: bool = True
    _people: set[asyncio.Task[None]] = field(default_factory=set)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _numbers: int = 0
    _random: random.Random = field(default_factory=lambda: random.Random(20))

    async def __aenter__(self) -> Self:
        self.store = ValkeyServer(self.folder)
        await asyncio.to_thread(self.store.start)
        self._stack.callback(self.store.stop)
        database = f"sqlite+aiosqlite:///{self.folder / 'history.db'}"
        shared = {"store.url": self.store.url, "storage.url": database}
        keys = {f"secrets.{name}": key for name, key in KEYS.items()}
        for number in range(NODES):
            ports = {"http.port": str(free_pair()), "sip.port": str(free_pair())}
            node = Yihao(self.folder / f"node{number}", {**RULES, **shared, **keys, **ports})
            await self._stack.enter_async_context(node)
            self.nodes.append(node)
        self._remains = Remains(self.store.url, database, QueueSettings(lease_s=LEASE_S, decline_pause_s=1.0))
        await self._take_seats()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._living = False
        for task in self._people:
            task.cancel()
        await asyncio.gather(*self._people, return_exceptions=True)
        await self._stack.aclose()

    async def kill_node(self, number: int) -> None:
        """SIGKILL, and the same again from nothing on the same ports."""
        self.nodes[number].kill()
        await asyncio.sleep(self._random.uniform(0, 0.5))
        await self.nodes[number].start()

    async def kill_store(self) -> None:
        """SIGKILL, and the same again on what it has written."""
        await asyncio.to_thread(self.store.kill)
        await asyncio.sleep(self._random.uniform(0, 0.5))
        await asyncio.to_thread(self.store.start)

    async def pause(self, least_s: float, most_s: float) -> None:
        await asyncio.sleep(self._random.uniform(least_s, most_s))

    # --- agents ------------------------------------------------------------------------------------------------------

    async def _take_seats(self) -> None:
        agents = {one.extension: one for one in self.nodes[0].agents()}
        self.desks: dict[str, DeskPage] = {}
        self.phones: dict[str, Baresip] = {}
        servers = [node.http for node in self.nodes]
        for number, extension in enumerate((*SOFTPHONES, *DESKS)):
            agent = agents[extension]
            turned = servers[number % NODES :] + servers[: number % NODES]
            desk = await self._stack.enter_async_context(DeskPage(agent.login, agent.password, *turned))
            await desk.open()
            self.desks[extension] = desk
            if extension in SOFTPHONES:
                node = self.nodes[number % NODES]
                folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="yh-")))
                phone = Baresip(
                    folder,
                    node.sip_text,
                    extension,
                    agent.sip_password,
                    answers=True,
                )
                self.phones[extension] = await self._stack.enter_async_context(phone)
                await phone.registered()
            await desk.make_ready()
            self._shown[desk] = Shown(desk)
            self._run(self._stay_ready(desk))
            if extension in DESKS:
                self._run(self._work(desk))

    async def _stay_ready(self, desk: DeskPage) -> None:
        """An agent whom the system thinks missing says that they are there."""
        shown = self._shown[desk]
        while True:
            if shown.routing() in {"not_responding", "off"}:
                with suppress(TimeoutError, Refused):
                    await desk.command("presence.set", PATIENCE_S, presence="ready")
            await asyncio.sleep(0.1)

    async def _work(self, desk: DeskPage) -> None:
        """Accept what is offered, say a word, finish, write up."""
        shown = self._shown[desk]
        while True:
            for offer in shown.new_offers():
                with suppress(TimeoutError, Refused):
                    await desk.command("offer.accept", PATIENCE_S, session=offer["session"], token=offer["token"])
                    self.answered += 1
                    self._run(self._serve(desk, offer["session"]))
            await asyncio.sleep(0.02)

    async def _serve(self, desk: DeskPage, session: str) -> None:
        for kind, fields in (
            ("msg.send", {"text": "您好"}),
            ("contact.finish", {}),
            ("wrap.save", {"kind": "咨询", "note": ""}),
        ):
            await self.pause(0.05, 0.5)
            with suppress(TimeoutError, Refused):
                await desk.command(kind, PATIENCE_S, session=session, **fields)

    # --- citizens ----------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Let citizens come, one after the other."""
        for number in range(CHATTING):
            self._run(self._chats(number))
        for number in range(CALLING):
            self._run(self._calls(number))

    async def _chats(self, number: int) -> None:
        servers = [node.http for node in self.nodes]
        while self._living:
            turned = servers[number % NODES :] + servers[: number % NODES]
            async with CitizenPage(*turned) as page:
                with suppress(TimeoutError, Refused):
                    await self._chat(page)

    async def _chat(self, page: CitizenPage) -> None:
        for turn in range(self._random.randint(1, 3)):
            self.words.add(await page.write(f"第 {turn + 1} 句", 30))
            if self._random.random() < 0.3:
                page.cut()
            await self.pause(0.05, 0.8)
        with suppress(AssertionError):
            await page.until(lambda frame: frame["t"] == "msg.new" and frame["from"] == "agent", PATIENCE_S)
        if self._random.random() < 0.7:
            await page.command("session.end", 30)

    async def _calls(self, number: int) -> None:
        while self._living:
            node = self.nodes[(number + self._numbers) % NODES]
            self._numbers += 1
            caller = f"138{self._numbers:08d}"
            async with Telephones(node.sip) as phones:
                call = await phones.call(caller=caller)
                with suppress(TimeoutError, AssertionError):
                    await call.answered(PATIENCE_S)
                if not call.answered_at:
                    continue
                self.callers.add(caller)
                await self.pause(0.2, 2.0)
                with suppress(TimeoutError):
                    await asyncio.wait_for(call.hang_up(), PATIENCE_S)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Let no more citizens come, and wait until every session stands where it may stay; at most `REST_S`."""
        self._living = False
        with suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                resting: set[SessionId] = set()
                while restless := set(await self._remains.sessions()) - resting:
                    resting |= await self._at_rest(restless)
                    await asyncio.sleep(0.5)

    async def _at_rest(self, sessions: Iterable[SessionId]) -> set[SessionId]:
        logs = await self._remains.logs_of(sessions)
        states = {session: replay(session, (entry.event for entry in log)) for session, log in logs.items()}
        at_rest = {Phase.CLOSED, Phase.CALLBACK_PENDING, Phase.PARKED}
        return {session for session, state in states.items() if state.phase in at_rest}

    async def evidence(self) -> Evidence:
        """What is left, from the history, the store, and the nodes' files of debts."""
        logs, charges = await self._remains.logs(), await self._remains.charges()
        debts = debts_of(node.data for node in self.nodes)
        return Evidence(logs, frozenset(self.words), frozenset(self.callers), debts, charges)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._people.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: "asyncio.Task[None]") -> None:
        self._people.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.faults.append(error)


async def each_takes_a_new_contact(world: World) -> AsyncIterator[str]:
    """Every agent in turn, alone on duty, is given a new contact; yields who did not get one within 15 s."""
    for extension, desk in world.desks.items():
        for other, seat in world.desks.items():
            presence = {"presence": "ready"} if other == extension else {"presence": "break", "reason": "rest"}
            await seat.command("presence.set", 10, **presence)
        if not (await _call(world, extension) if extension in world.phones else await _chat(world, desk)):
            yield extension


async def _call(world: World, extension: str) -> bool:
    phone = world.phones[extension]
    times = len(phone.all("CALL_ESTABLISHED")) + 1
    async with Telephones(world.nodes[0].sip) as phones:
        call = await phones.call(caller="13900000000")
        try:
            await phone.saw("CALL_ESTABLISHED", 15, times=times)
        except AssertionError:
            return False
        await call.hang_up()
    return True


async def _chat(world: World, desk: DeskPage) -> bool:
    async with CitizenPage(world.nodes[0].http) as page:
        await page.write("还有人吗？", 15)
        try:
            await page.until(lambda frame: frame["t"] == "msg.new" and frame["from"] == "agent", 15)
        except AssertionError:
            return False
        await page.command("session.end", 10)
    return True
