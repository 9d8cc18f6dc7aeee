"""Nothing is lost, doubled or reordered across cuts; resume elsewhere begins anew; a stolen token opens nothing."""

import asyncio
import random
from dataclasses import replace
from functools import partial

import aiohttp

from realtime.settings import SocketSettings
from tests.conftest import Eventually
from tests.realtime.client import Client
from tests.realtime.server import Room, Serving, serving

FREE = SocketSettings(
    rate_per_s=100_000, burst=100_000, frames_per_s=100_000, frames_burst=100_000, sockets_per_ip=1000
)
CLIENTS, MESSAGES, CUTS = 40, 150, 90


async def test_forty_pages_cut_ninety_times_lose_double_and_reorder_nothing(eventually: Eventually) -> None:
    dice = random.Random(12345)
    async with serving(FREE) as server, aiohttp.ClientSession() as http:
        names = [f"visitor-{number}" for number in range(CLIENTS)]
        clients = {name: Client(http, server.url, partial(server.ticket, name)) for name in names}
        try:
            cuts = await _talk_while_cutting(server, clients, dice)
            for name, client in clients.items():
                await eventually(partial(_is_settled, client, server.peer.room(name)), deadline_s=20)
        finally:
            await asyncio.gather(*(client.stop() for client in clients.values()))
        assert cuts >= CUTS
        expected = [f"up {number}" for number in range(MESSAGES)]
        assert {name: server.peer.room(name).said for name in names} == dict.fromkeys(names, expected)
        assert [client.doubled for client in clients.values()] == [0] * CLIENTS
        assert sum(len(client.welcomes) - 1 for client in clients.values()) >= CUTS / 2
        assert not any(welcome["reset"] for client in clients.values() for welcome in client.welcomes[1:])


def _is_settled(client: Client, room: Room) -> bool:
    return not client.outbox and _told(client) == room.told


def _told(client: Client) -> list[str]:
    shown = [message["text"] for message in client.snapshot["messages"]]
    return shown + [frame["text"] for frame in client.of("msg.new")]


async def _talk_while_cutting(server: Serving, clients: dict[str, Client], dice: random.Random) -> int:
    cuts = 0
    for number in range(MESSAGES):
        for name, client in clients.items():
            client.send("msg.send", text=f"up {number}")
            server.peer.tell(name, f"down {number}")
        for _ in range(2):
            if cuts < CUTS and dice.choice(list(clients.values())).cut():
                cuts += 1
        await asyncio.sleep(0)
    while cuts < CUTS:
        cuts += dice.choice(list(clients.values())).cut()
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
