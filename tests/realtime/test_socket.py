"""Who is let in, what is refused and how, and how a socket ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.messages import VERSION
from realtime.settings import CITIZEN, DESK
from tests.conftest import Eventually
from tests.realtime.client import Client, ulid
from tests.realtime.server import Serving, serving

MANY = replace(CITIZEN, rate_per_s=10_000, burst=10_000, frames_per_s=10_000, frames_burst=10_000)


def _origin(server: Serving) -> str:
    return server.url.replace("ws:", "http:").removesuffix("/socket")


@asynccontextmanager
async def _raw(server: Serving, origin: str | None = None) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(server.url, headers={"Origin": origin or _origin(server)}) as ws,
    ):
        yield ws


@asynccontextmanager
async def _greeted(server: Serving, subject: str = "v", **hello: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with _raw(server) as ws:
        ticket = await server.ticket(subject)
        await ws.send_json({"t": "hello", "v": VERSION, "ticket": ticket, **hello})
        assert (await ws.receive_json(timeout=5))["t"] == "welcome"
        assert (await ws.receive_json(timeout=5))["t"] == "snapshot"
        yield ws


async def _close_code(ws: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code of the close frame. (`ws.close_code` is 1006 where the answer to it no longer got through.)"""
    async with asyncio.timeout(5):
        while True:
            message = await ws.receive()
            if message.type is aiohttp.WSMsgType.CLOSE:
                return int(message.data)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return ws.close_code


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "http://127.0.0.1:1", "file://", "http://["])
async def test_a_foreign_origin_is_refused_before_the_upgrade(origin: str) -> None:
    async with serving(CITIZEN) as server, aiohttp.ClientSession() as http:
        headers = {"Origin": origin} if origin else {}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(server.url, headers=headers)
        assert refused.value.status == 403
        assert server.sockets.open == 0


async def test_an_origin_that_the_settings_name_is_let_in() -> None:
    named = "https://www.example.gov.cn"
    async with serving(replace(CITIZEN, origins=(named,))) as server, _raw(server, named) as ws:
        await ws.send_json({"t": "hello", "v": VERSION, "ticket": await server.ticket("v")})
        assert (await ws.receive_json())["t"] == "welcome"


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"t": "hello", "v": VERSION + 1, "ticket": "x"}, 4009),
        ({"t": "hello", "v": VERSION, "ticket": "x"}, 4003),
        ({"t": "hello", "v": VERSION, "ticket": "a.b"}, 4003),
        ({"t": "hello", "v": VERSION, "ticket": "é.é"}, 4003),
        ({"t": "hello", "v": VERSION}, 4000),
        ({"t": "ping"}, 4000),
        ({"t": "hello", "v": VERSION, "ticket": "x" * 2000}, 4000),
    ],
)
async def test_a_bad_hello_is_refused(hello: dict[str, Any], code: int) -> None:
    async with serving(CITIZEN) as server, _raw(server) as ws:
        await ws.send_json(hello)
        assert await _close_code(ws) == code
        assert server.peer.connections == []


async def test_a_socket_without_a_hello_is_closed() -> None:
    async with serving(replace(CITIZEN, hello_s=0.05)) as server, _raw(server) as ws:
        assert await _close_code(ws) == 4000


async def test_a_ticket_opens_one_socket() -> None:
    async with serving(CITIZEN) as server:
        ticket = await server.ticket("v")
        hello = {"t": "hello", "v": VERSION, "ticket": ticket}
        async with _raw(server) as first, _raw(server) as second:
            await first.send_json(hello)
            assert (await first.receive_json())["t"] == "welcome"
            await second.send_json(hello)
            assert await _close_code(second) == 4003


async def test_a_store_that_is_away_at_the_hello_means_try_again() -> None:
    async with serving(CITIZEN) as server, _raw(server) as ws:
        server.peer.is_away = True
        await ws.send_json({"t": "hello", "v": VERSION, "ticket": await server.ticket("v")})
        assert await _close_code(ws) == 1013
        assert server.sockets.links_of("v") == []


async def test_a_refusal_is_told_and_what_follows_goes_on() -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        for number, text in enumerate(["no", "yes"], 1):
            await ws.send_json({"t": "msg.send", "id": ulid(), "cseq": number, "text": text})
        nack, ack = await ws.receive_json(), await ws.receive_json()
        assert (nack["t"], nack["code"], nack["retry"]) == ("nack", "unwanted", False)
        assert ack["t"] == "ack"
        assert server.peer.room("v").said == ["yes"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"text": "x" * 4001}, "too_long"),
        ({"text": "  "}, "malformed"),
        ({"text": 7}, "malformed"),
        ({"text": "nul\0"}, "malformed"),
        ({"text": "\ud800"}, "malformed"),
        ({"extra": 1}, "malformed"),
        ({"t": "msg.sned"}, "unknown"),
        ({"t": "welcome"}, "unknown"),
    ],
)
async def test_a_bad_command_is_answered_by_its_name(change: dict[str, Any], code: str) -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        command = {"t": "msg.send", "id": ulid(), "cseq": 1, "text": "hello", **change}
        await ws.send_json(command)
        nack = await ws.receive_json()
        assert (nack["t"], nack["id"], nack["code"], nack["retry"]) == ("nack", command["id"], code, False)
        await ws.send_json({"t": "msg.send", "id": ulid(), "cseq": 2, "text": "after"})
        assert (await ws.receive_json())["t"] == "ack"
        assert server.peer.room("v").said == ["after"]


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"t":1}', '{"t":"nope"}', '{"t":"ping","x":NaN}', "[" * 5000])
async def test_what_is_no_frame_closes_the_socket(text: str) -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        await ws.send_str(text)
        assert await _close_code(ws) == 4000


async def test_bytes_and_frames_too_big_close_the_socket() -> None:
    async with serving(CITIZEN) as server:
        async with _greeted(server) as ws:
            await ws.send_bytes(b"{}")
            assert await _close_code(ws) == 4000
        async with _greeted(server) as ws:
            await ws.send_str(json.dumps({"t": "msg.send", "text": "x" * 33_000}))
            assert await _close_code(ws) == 1009


async def test_confirming_what_was_never_sent_closes_the_socket() -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        await ws.send_json({"t": "rcv", "seq": 99})
        assert await _close_code(ws) == 4000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_TAGS = st.sampled_from(["hello", "rcv", "ping", "msg.send", "file.send", "msg.read", "rating.give", "typing"])
_FIELDS = st.sampled_from(["id", "cseq", "text", "file", "name", "message", "score", "comment", "seq", "v", "ticket"])
_FRAMES = st.builds(lambda tag, rest: {"t": tag, **rest}, _TAGS, st.dictionaries(_FIELDS, _JSON, max_size=5))


@given(frames=st.lists(_FRAMES | _JSON, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_comes_is_answered_or_closed_with_a_type(frames: list[Any]) -> None:
    async def play() -> None:
        async with serving(MANY) as server, _greeted(server) as ws:
            server.peer.is_away = True
            try:
                for frame in frames:
                    await ws.send_str(json.dumps(frame))
                await ws.send_json({"t": "ping"})
            except ConnectionError:
                pass
            answers = []
            async with asyncio.timeout(5):
                while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                    answers.append(json.loads(message.data)["t"])
                    if answers[-1] == "pong":
                        return
            assert ws.close_code == 4000
            assert set(answers) <= {"nack", "pong"}

    asyncio.run(play())


async def test_too_fast_is_refused_for_a_while_and_loses_nothing(eventually: Eventually) -> None:
    slow = replace(CITIZEN, rate_per_s=50, burst=5)
    async with serving(slow) as server, aiohttp.ClientSession() as http:
        client = Client(http, server.url, partial(server.ticket, "v"))
        try:
            await eventually(lambda: client.is_open)
            for number in range(15):
                client.send("msg.send", text=str(number))
            await eventually(lambda: not client.outbox, deadline_s=10)
            assert server.peer.room("v").said == [str(number) for number in range(15)]
            assert client.nacks[0]["code"] == "rate"
            assert 0 < client.nacks[0]["after_s"] <= 0.1
            assert client.closes == []
        finally:
            await client.stop()


async def test_a_fault_of_ours_closes_the_socket_and_the_command_is_still_to_be_done() -> None:
    """It was not acknowledged, so the page sends it again; others are served on."""
    command = {"t": "msg.send", "id": ulid(), "cseq": 1, "text": "unlucky"}
    async with serving(MANY) as server, _greeted(server, "other") as other:
        async with _greeted(server) as ws:
            server.peer.faults = 1
            await ws.send_json(command)
            assert await _close_code(ws) == 1011
        async with _greeted(server) as ws:
            await ws.send_json(command)
            assert (await ws.receive_json(timeout=15))["t"] == "ack"
        await other.send_json(command | {"id": ulid()})
        assert (await other.receive_json(timeout=15))["t"] == "ack"


async def test_a_flood_of_frames_closes_the_socket() -> None:
    async with serving(replace(CITIZEN, frames_burst=20)) as server, _greeted(server) as ws:
        for _ in range(40):
            await ws.send_json({"t": "ping"})
        assert await _close_code(ws) == 4029


async def test_sockets_of_one_visitor_and_of_one_address_are_bounded(eventually: Eventually) -> None:
    async with serving(replace(CITIZEN, sockets_per_subject=2, sockets_per_ip=3)) as server:
        async with _greeted(server) as first, _greeted(server) as second, _greeted(server) as third:
            assert await _close_code(first) == 4001
            server.peer.tell("v", "to both that are left")
            assert [(await ws.receive_json())["t"] for ws in (second, third)] == ["msg.new", "msg.new"]
            await eventually(lambda: server.sockets.open == 2)
            async with _greeted(server, "w"):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    async with _raw(server):
                        pass
                assert refused.value.status == 429
        await eventually(lambda: server.sockets.open == 0)


async def test_reloads_do_not_pile_up_links(eventually: Eventually) -> None:
    async with serving(replace(CITIZEN, links_per_subject=3)) as server:
        for _ in range(6):
            async with _greeted(server):
                pass
        await eventually(lambda: server.sockets.open == 0)
        assert len(server.sockets.links_of("v")) <= 3


async def test_an_agents_second_desk_is_refused_and_takes_over_only_when_told(eventually: Eventually) -> None:
    async with serving(DESK) as server, _greeted(server) as first:
        async with _raw(server) as second:
            await second.send_json({"t": "hello", "v": VERSION, "ticket": await server.ticket("v")})
            nack = await second.receive_json()
            assert (nack["t"], nack["code"], nack["id"]) == ("nack", "already_open", "")
            assert await _close_code(second) == 4001
        await first.send_json({"t": "ping"})
        assert (await first.receive_json())["t"] == "pong"
        async with _greeted(server, take=True) as taker:
            assert await _close_code(first) == 4001
            server.peer.tell("v", "hello")
            assert (await taker.receive_json())["text"] == "hello"
            assert len(server.peer.room("v").links) == 1


async def test_a_page_that_does_not_read_is_cut_and_nobody_else_is_harmed(eventually: Eventually) -> None:
    bounds = replace(MANY, slow_bytes=256 * 1024, backlog_bytes=256 * 1024)
    async with (
        serving(bounds) as server,
        _greeted(server, "reader") as reader,
        _greeted(server, "sleeper") as sleeper,
    ):
        transport = sleeper._response.connection.transport  # type: ignore[union-attr]
        assert transport is not None
        transport.pause_reading()
        (link,) = server.peer.room("sleeper").links
        told = 0
        while link.is_connected:
            server.peer.tell("sleeper", "x" * 4000)
            told += 1
            assert told < 20_000
            await asyncio.sleep(0)
        server.peer.tell("reader", "all is well")
        assert (await reader.receive_json(timeout=5))["text"] == "all is well"
        await eventually(lambda: server.sockets.open == 1, deadline_s=8)
        transport.abort()


async def test_draining_sends_pages_elsewhere_and_takes_no_new_ones() -> None:
    async with serving(CITIZEN) as server, _greeted(server) as one, _greeted(server, "w") as two:
        draining = asyncio.create_task(server.sockets.drain(0.1))
        assert [await _close_code(one), await _close_code(two)] == [4010, 4010]
        await draining
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with _raw(server):
                pass
        assert refused.value.status == 503


async def test_a_dead_far_end_is_given_up(eventually: Eventually) -> None:
    async with serving(replace(CITIZEN, dead_s=0.3)) as server, aiohttp.ClientSession() as http:
        ws = await http.ws_connect(server.url, headers={"Origin": _origin(server)}, autoping=False)
        await ws.send_json({"t": "hello", "v": VERSION, "ticket": await server.ticket("v")})
        await eventually(lambda: server.sockets.open == 1)
        # It is there, and reads, but answers no ping: as a frozen page does.
        await eventually(lambda: ("disconnected", "v") in server.peer.connections, deadline_s=5)
        await eventually(lambda: server.sockets.open == 0)


async def test_the_newest_of_a_key_is_mentioned_and_none_after_a_cut(eventually: Eventually) -> None:
    from realtime.citizen import QueuePlace

    async with serving(MANY) as server, _greeted(server) as ws:
        (link,) = server.peer.room("v").links
        for place in (3, 2, 1):
            link.mention(QueuePlace(position=place, waiting=9, estimate_s=None))
        frame = await ws.receive_json()
        assert (frame["t"], frame["position"], "seq" in frame) == ("queue.place", 1, False)


async def test_typing_reaches_the_peer(eventually: Eventually) -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        await ws.send_json({"t": "typing"})
        await eventually(lambda: server.peer.typed == ["v"])


async def test_what_the_page_has_is_told_the_peer(eventually: Eventually) -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        (link,) = server.peer.room("v").links
        await ws.send_json({"t": "rcv", "seq": 1})
        await eventually(lambda: server.peer.received_up_to.get(link.sid) == 1)


async def test_a_dismissed_subject_is_closed_and_forgotten(eventually: Eventually) -> None:
    async with serving(CITIZEN) as server, _greeted(server) as ws:
        server.sockets.dismiss("v")
        assert await _close_code(ws) == 4001
        assert server.sockets.links_of("v") == []
        assert server.peer.connections[-2:] == [("disconnected", "v"), ("forgotten", "v")]
