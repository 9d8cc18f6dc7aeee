"""Nothing is lost, doubled or reordered across cuts; resume elsewhere begins anew; a stolen token opens nothing."""

import asyncio
import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import aiohttp

from realtime.settings import SocketSettings
from tests.conftest import Eventually
from tests.realtime.client import Client
from tests.realtime.server import Offices, Room, Serving, serving

FREE = SocketSettings(
    rate_per_s=100_000, burst=100_000, frames_per_s=100_000, frames_burst=100_000, sockets_per_ip=1000
)
CITIZENS, DESKS, MESSAGES, CUTS = 36, 4, 150, 90


@dataclass
class Page:
    """A citizen's or an agent's, at the server that it belongs to."""

    client: Client
    server: Serving
    subject: str

    @property
    def room(self) -> Room:
        return self.server.peer.room(self.subject)

    @property
    def is_settled(self) -> bool:
        return not self.client.outbox and _told(self.client) == self.room.told

    def say(self, number: int) -> None:
        """A desk says something of another kind each time."""
        text = f"up {number}"
        if not isinstance(self.server.peer, Offices):
            self.client.send("msg.send", text=text)
        elif number % 3 == 0:
            self.client.send("offer.accept", session="s", token=number)
        elif number % 3 == 1:
            self.client.send("msg.send", session="s", text=text)
        else:
            self.client.send("presence.set", presence="break", reason=text)


async def test_forty_pages_cut_ninety_times_lose_double_and_reorder_nothing(eventually: Eventually) -> None:
    """Four of them are agents' desks, whose offers, timelines and presence come the same way."""
    dice = random.Random(12345)
    async with serving(FREE) as server, serving(FREE, Offices()) as office, aiohttp.ClientSession() as http:
        places = [*(CITIZENS * [server]), *(DESKS * [office])]
        named = [(place, f"one-{number}") for number, place in enumerate(places)]
        pages = [Page(Client(http, place.url, partial(place.ticket, name)), place, name) for place, name in named]
        try:
            cuts = await _talk_while_cutting(pages, dice)
            for page in pages:
                await eventually(partial(getattr, page, "is_settled"), deadline_s=20)
        finally:
            await asyncio.gather(*(page.client.stop() for page in pages))
        assert cuts >= CUTS
        expected = [f"up {number}" for number in range(MESSAGES)]
        assert [page.room.said for page in pages] == [expected] * len(pages)
        assert [page.client.doubled for page in pages] == [0] * len(pages)
        assert sum(len(page.client.welcomes) - 1 for page in pages) >= CUTS / 2
        assert sum(len(page.client.welcomes) - 1 for page in pages[CITIZENS:]) >= DESKS, "desks were cut too"
        assert not any(welcome["reset"] for page in pages for welcome in page.client.welcomes[1:])


def _told(client: Client) -> list[str]:
    told = [text for frame in client.durable if (text := _text_of(frame)) is not None]
    shown = client.snapshot
    return [
        *(one["text"] for one in shown.get("messages", ())),
        *(one["session"] for one in shown.get("offers", ())),
        *told,
    ]


def _text_of(frame: dict[str, Any]) -> str | None:
    match frame["t"]:
        case "msg.new":
            return str(frame["text"])
        case "offer.new":
            return str(frame["session"])
        case "contact.timeline":
            return str(frame["entry"]["text"])
        case "presence.self":
            return str(frame["reason"])
    return None


async def _talk_while_cutting(pages: list[Page], dice: random.Random) -> int:
    cuts = 0
    for number in range(MESSAGES):
        for page in pages:
            page.say(number)
            page.server.peer.tell(page.subject, f"down {number}")
        for _ in range(2):
            if cuts < CUTS and dice.choice(pages).client.cut():
                cuts += 1
        await asyncio.sleep(0)
    while cuts < CUTS:
        cuts += dice.choice(pages).client.cut()
        await asyncio.sleep(0.001)
    return cuts


async def test_a_page_that_was_away_too_long_begins_anew_and_misses_nothing(eventually: Eventually) -> None:
    brief = replace(FREE, backlog_frames=5)
    async with serving(brief) as server, aiohttp.ClientSession() as http:
        client = Client(http, server.url, partial(server.ticket, "v"))
        try:
            await eventually(lambda: client.is_open)
            server.peer.gate.clear()
            resume, last = client.resume, client.last
            await client.stop()
            for number in range(20):
                server.peer.tell("v", f"down {number}")
            server.peer.gate.set()
            back = Client(http, server.url, partial(server.ticket, "v"))
            back.resume, back.last = resume, last
            await eventually(lambda: back.is_open and len(_told(back)) == 20)
            assert back.welcomes[0]["reset"]
            assert _told(back) == server.peer.room("v").told
            await back.stop()
        finally:
            await client.stop()


async def test_a_resume_on_another_node_is_a_snapshot(eventually: Eventually) -> None:
    async with serving(FREE) as one, serving(FREE) as other, aiohttp.ClientSession() as http:
        one.peer.rooms = other.peer.rooms
        client = Client(http, one.url, partial(one.ticket, "v"))
        try:
            await eventually(lambda: client.is_open)
            one.peer.tell("v", "before")
            await eventually(lambda: _told(client) == ["before"])
            client.url, client._ticket = other.url, partial(other.ticket, "v")
            client.headers = {"Origin": other.url.replace("ws:", "http:").removesuffix("/socket")}
            client.cut()
            await eventually(lambda: len(client.welcomes) == 2)
            await eventually(lambda: [one["text"] for one in client.snapshot["messages"]] == ["before"])
            assert client.welcomes[1]["reset"]
        finally:
            await client.stop()


async def test_a_stolen_resume_token_is_refused_and_harms_nobody(eventually: Eventually) -> None:
    async with serving(FREE) as server, aiohttp.ClientSession() as http:
        victim = Client(http, server.url, partial(server.ticket, "victim"))
        await eventually(lambda: victim.is_open)
        thief = Client(http, server.url, partial(server.ticket, "thief"))
        thief.resume = victim.resume
        try:
            await eventually(lambda: thief.closes)
            assert thief.closes == [4003]
            assert not thief.welcomes
            server.peer.tell("victim", "for you alone")
            await eventually(lambda: _told(victim) == ["for you alone"])
            assert thief.durable == []
        finally:
            await thief.stop()
            await victim.stop()


async def test_a_forged_resume_token_is_refused(eventually: Eventually) -> None:
    async with serving(FREE) as server, aiohttp.ClientSession() as http:
        client = Client(http, server.url, partial(server.ticket, "v"))
        client.resume = "WzE3MDAwMDAwMDAsInYiLCJ4Il0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        try:
            await eventually(lambda: client.closes)
            assert client.closes == [4003]
        finally:
            await client.stop()


async def test_what_the_store_did_not_take_is_sent_again_in_order(eventually: Eventually) -> None:
    async with serving(FREE) as server, aiohttp.ClientSession() as http:
        client = Client(http, server.url, partial(server.ticket, "v"))
        try:
            await eventually(lambda: client.is_open)
            server.peer.is_away = True
            for number in range(10):
                client.send("msg.send", text=str(number))
            await eventually(lambda: client.nacks)
            assert client.nacks[0]["code"] == "not_accepted"
            assert client.nacks[0]["retry"]
            assert server.peer.room("v").said == []
            server.peer.is_away = False
            await eventually(lambda: not client.outbox, deadline_s=15)
            assert server.peer.room("v").said == [str(number) for number in range(10)]
            assert {nack["code"] for nack in client.nacks} == {"not_accepted", "gap"}
        finally:
            await client.stop()


async def test_a_link_is_forgotten_when_its_page_does_not_come_back(eventually: Eventually) -> None:
    async with serving(replace(FREE, resume_s=0.05)) as server, aiohttp.ClientSession() as http:
        client = Client(http, server.url, partial(server.ticket, "v"))
        await eventually(lambda: client.is_open)
        await client.stop()
        await eventually(lambda: ("forgotten", "v") in server.peer.connections)
        assert server.sockets.links_of("v") == []
