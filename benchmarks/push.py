"""How soon a word is at the other side's page: 200 agents' desks and 2,000 citizens on one gateway process.

`yihao up` runs as a child with its embedded store, which syncs each event to disk. Each citizen has a socket and a
chat, each agent a desk with ten of them. All speak the protocol as the pages do: typing, confirmations every 200 ms,
the agent's reading before each answer. The figure is the p99 from when a word is due to be sent until it is at the
other side's socket, the worse of citizens' words and of agents'. The limit is the issue's 100 ms.

The rate is a city's: Changzhou's hotline has 206 agents. Who has ten chats answers one every six seconds (33 a second
in all), and a citizen, who types with one finger and waits, writes every 25 s (80 a second): 113 words. It is an open
loop: whoever waits for an answer does not write less. Then the rate is raised until the p99 does not hold. Beside it
stands what the machine, and who measures, need for themselves: as many sockets and words at a bare aiohttp server that
sends back what comes.

`--short` measures for a few seconds, and raises the rate in larger steps.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import aiohttp
import uvloop
from argon2 import PasswordHasher

from accounts.agent import Agent
from accounts.passwords import Passwords
from accounts.role import Role
from accounts.roster import Roster
from benchmarks.chat import KEY, ticket_for
from benchmarks.webchat import Page, Tally, cpu_s, frame, serving
from config.loading import load
from gateway.database import open_database
from realtime.messages import VERSION
from session.ids import AssigneeId
from session.state import Medium
from tests.peers.pages import OWN_PAGE
from tests.peers.yihao import COMMAND, Yihao

S = TypeVar("S", bound="Speaker")

AGENTS, CHATS = 200, 10
CITIZENS = AGENTS * CHATS
LIMIT_MS = 100.0
CITIZENS_PER_S, AGENTS_PER_S = CITIZENS / 25, AGENTS / 6
CONFIRM_S = 0.2
PASSWORD = "only for a benchmark"
WORDS = "路灯坏了，晚上看不见路。长江路十二号门口，第三盏。"
TOGETHER = 50
"""That come at the same time, before anything is measured."""
COME_S = 150.0
ENOUGH = 0.98
"""Of the words that were due: where fewer have come by the end, the rate is not held."""


class QuickPasswords(Passwords):
    """Two hundred people log in before anything is measured: their passwords cost nothing to check."""

    def __init__(self) -> None:
        super().__init__()
        self._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Spans:
    """Milliseconds from when a word was due until it was there."""

    from_citizens: list[float] = field(default_factory=list)
    from_agents: list[float] = field(default_factory=list)


class Speaker(Page):
    """A page of either side: speaks the protocol, and notes when the other side's words are there."""

    def __init__(self, port: int, address: str, ticket: str, spans: list[float]) -> None:
        hello = {"t": "hello", "v": VERSION, "ticket": ticket, "resume": None, "last": 0, "build": "bench"}
        super().__init__(port, _frame_of(hello), b"", Tally())
        self.address, self.spans = address, spans

    def command(self, kind: str, **fields: object) -> str:
        number = next(self.numbers)
        name = f"0{number:025}"
        self.put({"t": kind, "id": name, "cseq": number, **fields})
        return name

    def put(self, message: dict[str, object]) -> None:
        self.transport.write(_frame_of(message))

    def take(self, payload: bytes) -> None:
        """See `Page`."""
        if payload.startswith(b'{"t":"nack"'):
            self.refused(json.loads(payload))
        if not payload.startswith(b'{"seq":'):
            return
        self.seen = int(payload[7 : payload.index(b",", 7)])
        if not self.ready.done():
            self.ready.set_result(None)
        self.hear(payload)

    def refused(self, nack: dict[str, str]) -> None:
        raise SystemExit(f"refused: {nack}")

    def hear(self, payload: bytes) -> None:
        """A durable frame."""

    def note(self, text: str) -> None:
        due, mark, _ = text.partition("|")
        if mark:
            self.spans.append((time.perf_counter() - float(due)) * 1000)


class Citizen(Speaker):
    """One with one matter."""

    def hear(self, payload: bytes) -> None:
        """See `Speaker`."""
        if b'"t":"msg.new"' in payload:
            self.note(json.loads(payload)["text"])

    def say(self, due: float) -> None:
        self.put({"t": "typing"})
        self.command("msg.send", text=f"{due:.6f}|{WORDS}")


class Desk(Speaker):
    """One who takes whatever is offered, and answers in turn."""

    path = "/api/desk/socket"

    def __init__(self, port: int, address: str, ticket: str, spans: list[float]) -> None:
        super().__init__(port, address, ticket, spans)
        self.unread: dict[str, str] = {}
        """By contact: the newest word that was not read."""
        self.contacts: list[str] = []
        self.accepting: set[str] = set()
        """The commands by which offers were taken."""
        self.turn = itertools.count()

    def hear(self, payload: bytes) -> None:
        """See `Speaker`."""
        if b'"t":"offer.new"' in payload:
            offer = json.loads(payload)
            self.accepting.add(self.command("offer.accept", session=offer["session"], token=offer["token"]))
        elif b'"t":"contact.state"' in payload:
            session = json.loads(payload)["session"]
            if session not in self.contacts:
                self.contacts.append(session)
        elif b'"t":"contact.timeline"' in payload and b'"kind":"text"' in payload:
            told = json.loads(payload)
            if told["entry"]["who"]["kind"] == "citizen":
                self.unread[told["session"]] = told["entry"]["message"]
                self.note(told["entry"]["text"])

    def refused(self, nack: dict[str, str]) -> None:
        """See `Speaker`. While all come at once, an offer may be over when it is taken: it goes to somebody else."""
        if nack["id"] not in self.accepting:
            super().refused(nack)
        self.command("presence.set", presence="ready")

    def say(self, due: float) -> None:
        session = self.contacts[next(self.turn) % len(self.contacts)]
        if unread := self.unread.pop(session, None):
            self.command("msg.read", session=session, message=unread)
        self.put({"t": "typing", "session": session})
        self.command("msg.send", session=session, text=f"{due:.6f}|{WORDS}")


class Echo(Speaker):
    """A socket of a bare server: what it sends comes back."""

    def __init__(self, port: int, spans: list[float]) -> None:
        super().__init__(port, "127.0.0.1", "", spans)
        self.hello = b""

    def take(self, payload: bytes) -> None:
        """See `Page`."""
        self.note(json.loads(payload)["text"])

    def say(self, due: float) -> None:
        self.command("msg.send", text=f"{due:.6f}|{WORDS}")


def _frame_of(message: dict[str, object]) -> bytes:
    return frame(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def _address(number: int) -> str:
    return f"10.{number // 200}.{number % 200}.1"


async def keep_saying(
    speakers: Sequence[Citizen | Desk | Echo], rate: float, until: float, chance: random.Random
) -> int:
    """An open loop: each word has its time, and none waits for another. Gives how many were said."""
    order = list(speakers)
    chance.shuffle(order)
    due, said = time.perf_counter(), 0
    for speaker in itertools.cycle(order):
        due += chance.expovariate(rate)
        if due > until:
            return said
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        speaker.say(due)
        said += 1
    return said


async def confirm_all(pages: Sequence[Speaker]) -> None:
    """Each page as often as the real ones do, spread over that time."""
    slices = 20
    for turn in itertools.count():
        for page in pages[turn % slices :: slices]:
            page.confirm()
        await asyncio.sleep(CONFIRM_S / slices)


@dataclass
class House:
    """A server with all who have come to it."""

    pid: int
    citizens: Sequence[Citizen | Echo]
    desks: Sequence[Desk | Echo]
    spans: Spans

    async def hold(self, rate: float, seconds: float) -> Held:
        """So many words a second, in the proportion of a city's."""
        self.spans.from_citizens.clear()
        self.spans.from_agents.clear()
        share = CITIZENS_PER_S / (CITIZENS_PER_S + AGENTS_PER_S)
        chance, used, began = random.Random(12345), cpu_s(self.pid), time.perf_counter()
        said = await asyncio.gather(
            keep_saying(self.citizens, rate * share, began + seconds, chance),
            keep_saying(self.desks, rate * (1 - share), began + seconds, chance),
        )
        load = (cpu_s(self.pid) - used) / (time.perf_counter() - began)
        await asyncio.sleep(0.5)
        come = len(self.spans.from_citizens) + len(self.spans.from_agents)
        return Held(rate, p99(self.spans.from_citizens), p99(self.spans.from_agents), load, come >= sum(said) * ENOUGH)


@dataclass(frozen=True)
class Held:
    """What a rate came to."""

    rate: float
    from_citizens_ms: float
    from_agents_ms: float
    load: float
    """Of one core, by the server's process."""
    all_came: bool

    @property
    def p99_ms(self) -> float:
        return max(self.from_citizens_ms, self.from_agents_ms)

    @property
    def holds(self) -> bool:
        return self.all_came and self.p99_ms < LIMIT_MS

    def __str__(self) -> str:
        came = "" if self.all_came else ", and not all have come"
        ways = f"p99 {self.from_citizens_ms:.1f} ms to desks, {self.from_agents_ms:.1f} ms to citizens"
        return f"{self.rate:.0f} words a second: {ways}, {self.load:.0%} of a core{came}"


def p99(spans: list[float]) -> float:
    return statistics.quantiles(spans, n=100)[98] if len(spans) > 1 else 0.0


async def hire(data: Path) -> None:
    settings = load(arguments=(f"data={data}",))
    with QuickPasswords() as passwords:
        async with open_database(settings) as database:
            roster = Roster(database, passwords, realm=settings.sip.realm)
            for number in range(AGENTS):
                login = AssigneeId(f"a{number:03}")
                await roster.add(
                    Agent(login, login, Role.AGENT, None, ("general",), (), {Medium.CHAT: CHATS}), PASSWORD
                )


async def desk_of(http: aiohttp.ClientSession, server: str, number: int, spans: list[float]) -> Desk:
    headers = {**OWN_PAGE, "Origin": server, "X-Forwarded-For": _address(number)}
    given = {"login": f"a{number:03}", "password": PASSWORD}
    async with http.post(f"{server}/api/login", json=given, headers=headers) as answer:
        answer.raise_for_status()
        cookie = "; ".join(f"{name}={one.value}" for name, one in answer.cookies.items())
    async with http.post(f"{server}/api/desk/ticket", headers={**headers, "Cookie": cookie}) as answer:
        answer.raise_for_status()
        ticket = str((await answer.json())["ticket"])
    desk = await joined(Desk(_port(server), _address(number), ticket, spans))
    desk.command("presence.set", presence="ready")
    return desk


async def citizen_at(server: str, spans: list[float], number: int) -> Citizen:
    ticket = ticket_for(f"visitor-{number}")
    citizen = await joined(Citizen(_port(server), _address(number), ticket, spans))
    citizen.command("msg.send", text=WORDS)
    return citizen


async def joined(speaker: S) -> S:
    await asyncio.get_running_loop().create_connection(lambda: speaker, "127.0.0.1", speaker.port)
    await speaker.ready
    return speaker


def _port(server: str) -> int:
    return int(server.rpartition(":")[2])


@asynccontextmanager
async def house_of(data: Path) -> AsyncIterator[House]:
    """The gateway, with every citizen in talk with an agent."""
    began = time.perf_counter()
    await hire(data)
    sets = {"secrets.resume_key": KEY.decode(), "bots.guide": "false", "http.trusted_proxies": "127.0.0.1/32"}
    spans = Spans()
    async with Yihao(data, sets, program=COMMAND) as yihao, aiohttp.ClientSession() as http:
        arrive = partial(citizen_at, yihao.http, spans.from_agents)
        desks = [await desk_of(http, yihao.http, number, spans.from_citizens) for number in range(AGENTS)]
        citizens: list[Citizen] = []
        confirming = asyncio.create_task(confirm_all(desks))
        async with asyncio.timeout(COME_S):
            for first in range(0, CITIZENS, TOGETHER):
                citizens += await asyncio.gather(*(arrive(number) for number in range(first, first + TOGETHER)))
                while sum(len(desk.contacts) for desk in desks) < len(citizens):
                    await asyncio.sleep(0.02)
        confirming.cancel()
        print(f"{CITIZENS} citizens talk with {AGENTS} agents after {time.perf_counter() - began:.0f} s", flush=True)
        confirming = asyncio.create_task(confirm_all([*citizens, *desks]))
        try:
            yield House(yihao.pid, citizens, desks, spans)
        finally:
            confirming.cancel()
            leave([*citizens, *desks])


@asynccontextmanager
async def echoes() -> AsyncIterator[House]:
    """As many sockets at a bare server."""
    spans = Spans()
    async with serving("echo") as (pid, port):
        citizens = [await joined(Echo(port, spans.from_citizens)) for _ in range(CITIZENS)]
        desks = [await joined(Echo(port, spans.from_agents)) for _ in range(AGENTS)]
        yield House(pid, citizens, desks, spans)
        leave([*citizens, *desks])


def leave(speakers: Sequence[Speaker]) -> None:
    for speaker in speakers:
        speaker.tally.runs = False
        speaker.transport.abort()


async def highest(house: House, step: float, seconds: float) -> float:
    """The highest rate tried at which the p99 holds, each so many times the one before."""
    rate = best = CITIZENS_PER_S + AGENTS_PER_S
    while True:
        rate *= step
        held = await house.hold(rate, seconds)
        print(held, flush=True)
        if not held.holds:
            return best
        best = rate


async def measure(data: Path, seconds: float, step: float) -> dict[str, object]:
    city = CITIZENS_PER_S + AGENTS_PER_S
    async with echoes() as bare:
        limit = await bare.hold(city, seconds)
        print("bare echo:", limit, flush=True)
    async with house_of(data) as house:
        gc.freeze()
        await house.hold(city, 2.0)
        held = await house.hold(city, seconds)
        print(held, flush=True)
        best = await highest(house, step, max(3.0, seconds / 3)) if held.holds else 0.0
    return {
        "name": "push",
        "value": round(held.p99_ms, 1),
        "limit": LIMIT_MS,
        "ratio": round(LIMIT_MS / held.p99_ms, 2),
        "unit": f"ms p99 from a word to the other side's page, {CITIZENS} citizens, {AGENTS} desks, {city:.0f} words/s",
        "to_desks_ms": round(held.from_citizens_ms, 1),
        "to_citizens_ms": round(held.from_agents_ms, 1),
        "of_a_core": round(held.load, 2),
        "bare_echo_ms": round(limit.p99_ms, 1),
        "holds_up_to_per_s": round(best),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    with tempfile.TemporaryDirectory(prefix="yh-push-") as folder:
        print(json.dumps(uvloop.run(measure(Path(folder), *((6.0, 2.0) if arguments.short else (30.0, 1.4))))))


if __name__ == "__main__":
    main()
