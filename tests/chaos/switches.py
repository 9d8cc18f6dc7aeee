"""Two gateways, one of them mortal, and citizens who go on elsewhere while it dies.

Each citizen has a number of ours and people of their own behind it, so that many go on at once and none gets into
another's way; and each stops at a step of their own, from which on the toll bar lets nothing of theirs through.
"""

import asyncio
import base64
import json
import re
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from accounts.agent import Agent
from accounts.passwords import Passwords
from accounts.roster import Roster
from queueing.settings import QueueSettings
from rulebook.kinds import ROUTING
from rulebook.routing import LAST_RESORT
from session.events import LegOpened, SessionOpened
from session.ids import AssigneeId, SessionId
from session.machine import replay
from session.ports import Entry
from session.rules import Rules
from session.state import LegState, Party, Phase, Session
from storage.database import Database
from storage.policies import Policies, Policy
from tests.channels.browser.page import microphone
from tests.chaos.checker import Evidence, findings, stories
from tests.chaos.remains import KEYS, Remains, debts_of
from tests.chaos.toll import Step, Toll, Watched
from tests.media.secret_phone import PagePhone
from tests.peers.baresip import Baresip
from tests.peers.caller import Call, Telephones
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage
from tests.peers.ports import free_pair
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, TwilioApi, open_api
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import Yihao

PASSWORD = "correct-horse-battery-staple"
PATIENCE_S = 60.0
GOING_BY = Rules(
    announce_s=(0.2, 300.0),
    missed_after_s=0.1,
    callback_pauses_s=(0.2, 0.2, 3600.0),
    callback_from_s=0.0,
    callback_until_s=86400.0,
)
SETTINGS = {
    "agents.offer_lease_s": "20",
    "agents.decline_pause_s": "1",
    "agents.ready_on_register": "false",
    **{f"session.{name}": json.dumps(value) for name, value in asdict(GOING_BY).items()},
    "bots.guide": "false",
    "log.level": "warning",
    "http.public": "https://hotline.example",
    "sms.twilio.account": ACCOUNT,
    "sms.twilio.tokens": TOKEN,
    "sms.twilio.sender": "+18005551212",
    "sms.twilio.public_url": PUBLIC,
}


KEEPS, PICTURES, DROPS, CALLED = "12341", "12342", "12343", "12344"
CHATS = "12340"
"""The number of ours that the pages stand for."""
SECOND = "second"
"""The line that chats are handed on to."""


@dataclass
class Citizen:
    """One of them, and all that is theirs."""

    mobile: str
    watched: Watched
    switch: "Switch"
    call: Call | None = None
    page: CitizenPage | None = None
    token: str = ""
    words: set[str] = field(default_factory=set)
    claim: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def session(self) -> SessionId:
        return SessionId(self.watched.session)


@dataclass(frozen=True)
class Switch:
    """A way of going on elsewhere, told by `tell`; who works behind which number of ours.

    Pages have but one number: whoever is free of those who work behind it has a chat, and goes on with it.
    """

    tell: "Callable[[World, Citizen], Coroutine[Any, Any, None]]"
    number: str
    desks: tuple[str, ...] = ()
    telephones: tuple[str, ...] = ()

    def beside(self, others: int) -> "Switch":
        """The same once more, for a citizen beside so many others: with a number and people of their own."""
        end = str(others)
        return Switch(
            self.tell,
            self.number if self.number == CHATS else self.number + end,
            tuple(login + end for login in self.desks),
            tuple(login + end for login in self.telephones),
        )


class World:
    """Open it as an async context manager: the store, the toll bar, two gateways, and who works for these switches."""

    def __init__(self, folder: Path, switches: Sequence[Switch], program: Sequence[str] = ()) -> None:
        """`program` runs the mortal gateway, where that is not the product's own."""
        self._folder, self._switches, self._program = folder, switches, program
        self._stack = AsyncExitStack()
        self.citizens: list[Citizen] = []
        self.desks: dict[str, DeskPage] = {}
        self.softphones: dict[str, Baresip] = {}
        self.all_have_begun = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _begin(self) -> None:
        enter = self._stack.enter_async_context
        store = ValkeyServer(self._folder)
        await asyncio.to_thread(store.start)
        self._stack.callback(store.stop)
        database = f"sqlite+aiosqlite:///{self._folder / 'history.db'}"
        self.remains = Remains(store.url, database, QueueSettings(lease_s=20.0, decline_pause_s=1.0))
        await self._hire(database)
        self.toll = await enter(Toll(self._folder, store.url))
        self.twilio: TwilioApi = await enter(open_api())
        ports = {"http.port": str(free_pair()), "sip.port": str(free_pair())}
        # Both gateways' trunk leads to the citizens' telephones, which ring back to the mortal one.
        self.telephones = await enter(Telephones(("127.0.0.1", int(ports["sip.port"])), answers=True))
        self.mortal = self._gateway("mortal", database, self.toll.url, ports)
        self.survivor = self._gateway("survivor", database, store.url, {})
        await asyncio.gather(enter(self.mortal), enter(self.survivor))
        self.others = await enter(Telephones(self.survivor.sip))
        for switch in self._switches:  # not at once: logging in takes a core for long
            await self._seat(switch)

    def _gateway(self, name: str, database: str, store: str, ports: dict[str, str]) -> Yihao:
        numbers = [CHATS, *dict.fromkeys(one.number for one in self._switches if one.number != CHATS)]
        sets = {
            **SETTINGS,
            **ports,
            "store.url": store,
            "storage.url": database,
            "sip.number": json.dumps(numbers),
            "outbound.trunk": "127.0.0.1",
            "outbound.port": str(self.telephones.port),
            "sms.twilio.url": self.twilio.url,
        }
        keys = {f"secrets.{key}": value for key, value in KEYS.items()}
        return Yihao(self._folder / name, {**sets, **keys}, program=self._program if name == "mortal" else ())

    async def _hire(self, database: str) -> None:
        """Each number leads to a line of its own, with people of its own."""
        numbers = dict.fromkeys(one.number for one in self._switches)
        lines = [{"number": number, "queue": f"q{number}"} for number in numbers]
        named = [*(line["queue"] for line in lines), SECOND, LAST_RESORT]
        queues = [{"name": name, "title": name, "english": name} for name in named]
        body = json.dumps({"queues": queues, "skills": [], "rules": lines})
        async with Database.open(database) as opened:
            await Policies(opened).write(Policy(ROUTING, 1, body, "test", time.time()))
            with Passwords() as passwords:
                roster = Roster(opened, passwords, realm="yihao")
                for switch in self._switches:
                    for login in {*switch.desks, *switch.telephones}:
                        queue = SECOND if login.startswith("2") else f"q{switch.number}"
                        agent = Agent(AssigneeId(login), login, extension=login, queues=(queue,))
                        await roster.add(agent, PASSWORD, PASSWORD)

    async def _seat(self, switch: Switch) -> None:
        """Desks look at the gateway that will die; telephones are registered at the one that stays."""
        for login in switch.desks:
            desk = DeskPage(login, PASSWORD, self.mortal.http, self.survivor.http)
            self.desks[login] = await self._stack.enter_async_context(desk)
            await desk.open(PATIENCE_S)
        for login in switch.telephones:
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="yh-")))
            phone = Baresip(folder, self.survivor.sip_text, login, PASSWORD, answers=True)
            self.softphones[login] = await self._stack.enter_async_context(phone)
            await phone.registered(PATIENCE_S)
        for login in switch.desks:
            if switch.tell is not is_called:
                await self.is_ready(login)

    # --- what citizens do --------------------------------------------------------------------------------------------

    async def dials(self, citizen: Citizen, number: str, *, again: bool = False) -> None:
        """They call, at the gateway that will die; `again` at the one that is left."""
        phones = self.others if again else self.telephones
        citizen.call = await phones.call(number, citizen.mobile, vouched=True)
        await citizen.call.answered(PATIENCE_S)

    async def keeps_the_place(self, citizen: Citizen, number: str) -> None:
        """They press 1 when they are told that they may, and hang up with the link in their hands."""
        await self.dials(citizen, number)
        assert citizen.call is not None
        await self.until(lambda: Step("append place.announced") in citizen.watched.steps)
        await citizen.call.press("1")
        await self.reads_the_text(citizen)
        await citizen.call.hang_up()

    async def has_picked_up(self, citizen: Citizen) -> None:
        """We have called them."""
        await self.until(lambda: any(citizen.mobile in one for one in self.telephones.taken.values()))

    async def reads_the_text(self, citizen: Citizen) -> None:
        """The link in it."""
        to = f"+86{citizen.mobile}"
        text = await self.until(
            lambda: next((one["Body"] for one in self.twilio.sent if one["To"] == to and "/go#" in one["Body"]), "")
        )
        citizen.token = text.partition("/go#")[2].split(" ")[0]

    async def opens_the_link(self, citizen: Citizen, *, again: bool = False) -> None:
        """In a browser, which then has the chat; the same browser may ask again."""
        server = self.survivor.http if again else self.mortal.http
        page = CitizenPage(*((server,) if again else (server, self.survivor.http)))
        async with aiohttp.ClientSession() as http:
            asked = {"token": citizen.token, "claim": citizen.claim}
            async with http.post(f"{server}/api/go", json=asked, headers={**OWN_PAGE, "Origin": server}) as answer:
                assert answer.status == 200, await answer.text()
                page.visitor = (await answer.json())["visitor"]
        await self.has_the_page(citizen, page)

    async def has_the_page(self, citizen: Citizen, page: CitizenPage) -> None:
        citizen.page = await self._stack.enter_async_context(page)
        await page.open(PATIENCE_S)

    async def comes_to_the_chat(self, citizen: Citizen) -> None:
        """In a browser, whose visitor is known by the address in its events."""
        page = CitizenPage(self.mortal.http, self.survivor.http)
        await self.has_the_page(citizen, page)
        citizen.watched.names.add(_visitor(page).encode())

    async def writes(self, citizen: Citizen, text: str) -> None:
        assert citizen.page is not None
        citizen.words.add(await citizen.page.write(text, PATIENCE_S))

    @asynccontextmanager
    async def takes_what_rings(self, citizen: Citizen) -> AsyncIterator[None]:
        """Their page rings, and they speak there for the block."""
        page = citizen.page
        assert page is not None
        rings = (await page.until(lambda frame: bool(frame.get("rings")), PATIENCE_S, "ring"))["rings"]
        async with PagePhone() as end:
            offer = end.page_sdp("actpass").decode()
            await page.command("call.offer", PATIENCE_S, description=offer, call=rings, rings=True)
            end.take((await page.saw("call.answer", PATIENCE_S, call=rings))["description"].encode())
            async with microphone(end):
                yield

    async def proves_the_number(self, citizen: Citizen) -> None:
        """By the code that is sent to it, at the gateway that stays: no step of the story."""
        page = citizen.page
        assert page is not None
        url, headers = f"{self.survivor.http}/api/webchat/verify", {"X-Visitor": page.visitor or ""}
        async with page.http.post(f"{url}/send", json={"number": citizen.mobile}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
        to = f"+86{citizen.mobile}"
        code = await self.until(lambda: next((_code(one) for one in self.twilio.sent if one["To"] == to), ""))
        async with page.http.post(f"{url}/prove", json={"code": code}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    # --- what the others do ------------------------------------------------------------------------------------------

    async def at_the_desk(self, login: str, kind: str, citizen: Citizen, **fields: str) -> None:
        """The agent asks for something about the citizen's session."""
        await self.desks[login].saw("contact.state", PATIENCE_S, session=citizen.session, phase="active")
        await self.desks[login].command(kind, PATIENCE_S, session=citizen.session, **fields)

    async def is_accepted(self, citizen: Citizen, likes: str) -> str:
        """By whoever it is offered to of those whose login begins so; gives who that is."""
        desks = [desk for login, desk in self.desks.items() if login.startswith(likes)]

        def offered() -> tuple[DeskPage, dict[str, Any]] | None:
            wanted = ("offer.new", citizen.session)
            found = ((desk, one) for desk in desks for one in desk.frames if (one["t"], one.get("session")) == wanted)
            return next(found, None)

        desk, offer = await self.until(offered)
        await desk.accept(offer)
        return str(desk.login)

    async def is_ready(self, login: str) -> None:
        await self.desks[login].command("presence.set", PATIENCE_S, presence="ready")

    async def is_joined(self, citizen: Citizen, times: int = 1) -> None:
        """The core knows that both talk, which is later than the agent's telephone knows it."""
        await self.until(lambda: Step("append legs.joined", times) in citizen.watched.steps)

    async def is_talking(self, login: str, times: int = 1) -> None:
        await self.softphones[login].saw("CALL_ESTABLISHED", PATIENCE_S, times=times)

    async def until(self, holds: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not (value := holds()):
                await asyncio.sleep(0.02)
            return value

    # --- the gateway's end -------------------------------------------------------------------------------------------

    async def tell(self, stops: "Sequence[tuple[Switch, Step | None, bool]]") -> None:
        """All these stories at once, each up to its step, or to its end where it has none or never comes to it."""
        self.citizens = [
            Citizen(f"1390000{number:04d}", Watched({f"1390000{number:04d}".encode()}, step, done=done), switch)
            for number, (switch, step, done) in enumerate(stops)
        ]
        self.toll.watched += [citizen.watched for citizen in self.citizens]
        async with asyncio.TaskGroup() as tasks:
            for citizen in self.citizens:
                tasks.create_task(self._told(citizen))
                # One after the other: calls that cannot be opened are kept, and opened in their order.
                await self.until(citizen.watched.has_begun)
            self.all_have_begun.set()

    async def _told(self, citizen: Citizen) -> None:
        """Where another's call is kept, a story may stand still behind it: then it never comes to its step."""
        story = asyncio.create_task(citizen.switch.tell(self, citizen))
        stopped = asyncio.create_task(citizen.watched.stopped.wait())
        try:
            await asyncio.wait((stopped, story), return_when=asyncio.FIRST_COMPLETED)
            is_alone = not any(one.watched.stopped.is_set() for one in self.citizens)
            if story.done() and is_alone:
                story.result()
        finally:
            story.cancel()
            stopped.cancel()
            await asyncio.gather(stopped, story, return_exceptions=True)

    async def kill(self) -> None:
        """SIGKILL; come back when the other gateway has seen to all that the dead one held."""
        self.mortal.kill()
        async with asyncio.timeout(PATIENCE_S):
            while not all([await self._is_mourned(log) for log in (await self._logs()).values()]):
                await asyncio.sleep(0.2)

    async def _is_mourned(self, log: Sequence[Entry]) -> bool:
        """All stories begin at the gateway that dies: whose the first leg was when it was opened."""
        dead = next(entry.event.leg.owner for entry in log if isinstance(entry.event, LegOpened))
        held = (LegState.LIVE, LegState.CALLING)
        legs = [leg for leg in _replayed(log).legs if leg.party is Party.CITIZEN and leg.state in held]
        return all(leg.owner != dead for leg in legs) and await self.remains.is_taken_over(log, dead)

    async def _logs(self) -> dict[SessionId, list[Entry]]:
        """Of the citizens' sessions."""
        logs = await self.remains.logs()
        return {one.session: logs[one.session] for one in self.citizens if logs.get(one.session)}

    async def sessions(self) -> dict[SessionId, Session]:
        """The citizens' sessions, as their logs make them."""
        return {session: _replayed(log) for session, log in (await self._logs()).items()}

    async def lost(self) -> list[str]:
        """Citizens who are in neither of the two places, laws that do not hold, agents who are charged for nothing."""
        logs, charges = await self._at_one_instant()
        words = frozenset(word for one in self.citizens for word in one.words)
        callers = frozenset(one.mobile for one in self.citizens if one.call and one.call.answered_at)
        debts = debts_of([self._folder / "mortal"])
        evidence = Evidence(logs, words, callers, debts, charges, GOING_BY)
        # Nobody is at rest yet: that a session runs is what is wanted.
        found = [one for one in findings(evidence) if "stuck in" not in one]
        sessions = {one.session: _replayed(logs[one.session]) for one in self.citizens if one.session in logs}
        found += [f"{one.id}: in neither place, {one.phase}" for one in sessions.values() if not _is_somewhere(one)]
        for agent, charged in charges.items():
            held = [sessions[one] for one in charged if one in sessions]
            found += [f"{one.id}: {agent} leaked, charged for it" for one in held if not _has(agent, one)]
        return [stories(evidence, [one]) for one in found]

    async def _at_one_instant(self) -> tuple[dict[SessionId, list[Entry]], dict[AssigneeId, frozenset[SessionId]]]:
        """Logs and charges that belong together: nothing was written between them."""
        while True:
            before, charges = await self.remains.logs(), await self.remains.charges()
            if await self.remains.logs() == before:
                return before, charges

    async def come_again(self) -> None:
        """Each by the way that they have: the page comes back by itself, the link is opened again, else they dial."""
        for citizen in self.citizens:
            session = (await self.sessions()).get(citizen.session)
            if citizen.page is not None:
                await self.writes(citizen, "我还在")
            elif citizen.token:
                await self.opens_the_link(citizen, again=True)
                await self.writes(citizen, "我还在")
            elif session is not None and not any(
                one.state is LegState.LIVE for one in session.live_legs(Party.CITIZEN)
            ):
                await self.dials(citizen, citizen.switch.number, again=True)

    async def strangers(self) -> list[str]:
        """Sessions that began anew although the citizen's own was there to be gone on with."""
        logs, known = await self.remains.logs(), {one.session for one in self.citizens}
        names = {name for one in self.citizens if one.session in logs for name in one.watched.names}
        fresh = [one for one in logs if one not in known and any(name in _begun_by(logs[one]) for name in names)]
        evidence = Evidence(logs, frozenset(), frozenset(), frozenset(), {}, GOING_BY)
        return [stories(evidence, [f"{one}: began anew", *known]) for one in fresh]


def _replayed(log: Sequence[Entry]) -> Session:
    return replay(log[0].session, (entry.event for entry in log), GOING_BY)


def _begun_by(log: Sequence[Entry]) -> bytes:
    opened = log[0].event
    return str(opened.citizen).encode() if isinstance(opened, SessionOpened) else b""


def _is_here(session: Session) -> bool:
    return any(leg.state is LegState.LIVE for leg in session.live_legs(Party.CITIZEN))


def _is_somewhere(session: Session) -> bool:
    """At one of the two places, or owed a call."""
    owed = session.debt is not None or session.phase in (Phase.CALLBACK_PENDING, Phase.PARKED)
    return owed or (session.phase is not Phase.CLOSED and bool(session.live_legs(Party.CITIZEN)))


def _has(agent: AssigneeId, session: Session) -> bool:
    return session.assignee == agent or (session.offer is not None and session.offer.assignee == agent)


def _visitor(page: CitizenPage) -> str:
    """Who a page is, as its token says (`realtime.tokens`)."""
    payload = (page.visitor or "").partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))[1])


def _code(text: dict[str, str]) -> str:
    found = re.search(r"验证码是(\d{6})", text["Body"])
    return found[1] if found else ""


# --- the switches ----------------------------------------------------------------------------------------------------


async def keeps_the_place(world: World, citizen: Citizen) -> None:
    """Story 1: a call in line goes on in the chat, with its place."""
    await world.keeps_the_place(citizen, citizen.switch.number)
    await world.opens_the_link(citizen)
    await world.writes(citizen, "我在网页里继续")


async def sends_pictures(world: World, citizen: Citizen) -> None:
    """Story 2: a page beside a running call."""
    (agent,) = citizen.switch.desks
    await world.dials(citizen, citizen.switch.number)
    await world.is_talking(agent)
    await world.at_the_desk(agent, "picture.request", citizen)
    await world.reads_the_text(citizen)
    await world.opens_the_link(citizen)
    await world.writes(citizen, "照片在这里")


async def drops_and_redials(world: World, citizen: Citizen) -> None:
    """Story 4: back with the same agent.

    Their step may be one just before the redial is opened, which then holds up every other first call: so nobody dials
    again before all have called once.
    """
    await world.dials(citizen, citizen.switch.number)
    await world.is_joined(citizen)
    assert citizen.call is not None
    await world.all_have_begun.wait()
    await citizen.call.drop()
    await world.dials(citizen, citizen.switch.number)
    await world.is_joined(citizen, times=2)


async def is_called(world: World, citizen: Citizen) -> None:
    """Story 6: the place is kept without a call, and we dial when its turn comes."""
    (agent,) = citizen.switch.desks
    await world.keeps_the_place(citizen, citizen.switch.number)
    await world.is_ready(agent)
    await world.is_talking(agent)
    await world.has_picked_up(citizen)
    await world.is_joined(citizen)


async def becomes_a_call(world: World, citizen: Citizen) -> None:
    """Story 3: a chat becomes a call that we make, and stays open beside it."""
    await world.comes_to_the_chat(citizen)
    await world.writes(citizen, "请给我打电话")
    agent = await world.is_accepted(citizen, "1")
    await world.proves_the_number(citizen)
    await world.at_the_desk(agent, "call.start", citizen)
    await world.is_talking(agent)
    await world.has_picked_up(citizen)
    await world.is_joined(citizen)
    await world.writes(citizen, "接到了")


async def rings_in_the_page(world: World, citizen: Citizen) -> None:
    """Story 3, in the browser: a chat becomes a call that rings in the page, and stays open beside it."""
    await world.comes_to_the_chat(citizen)
    await world.writes(citizen, "打字说不清楚")
    agent = await world.is_accepted(citizen, "1")
    await world.at_the_desk(agent, "call.start", citizen, at="page")
    async with world.takes_what_rings(citizen):
        await world.is_joined(citizen)
        await world.writes(citizen, "这样清楚多了")


async def is_handed_on(world: World, citizen: Citizen) -> None:
    """A chat goes to another line, and is taken there."""
    await world.comes_to_the_chat(citizen)
    await world.writes(citizen, "我要办证")
    agent = await world.is_accepted(citizen, "1")
    await world.at_the_desk(agent, "contact.transfer", citizen, queue=SECOND, why="办证")
    await world.is_accepted(citizen, "2")
    await world.writes(citizen, "您好")


TO_THE_CHAT = (
    Switch(keeps_the_place, KEEPS),
    Switch(sends_pictures, PICTURES, desks=("3001",), telephones=("3001",)),
    Switch(is_handed_on, CHATS, desks=("1001", "2001")),
)
TO_A_CALL = (
    Switch(drops_and_redials, DROPS, desks=("4001",), telephones=("4001",)),
    Switch(is_called, CALLED, desks=("5001",), telephones=("5001",)),
    Switch(becomes_a_call, CHATS, desks=("1001",), telephones=("1001",)),
    Switch(rings_in_the_page, CHATS, desks=("1101",), telephones=("1101",)),
)
