"""Raw bytes against a real server: the opening handshake, hostile frames, closing, and far ends that do not read."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from realtime.framing import Opcode, framed
from realtime.messages import VERSION
from realtime.settings import CITIZEN, SocketSettings
from tests.conftest import Eventually
from tests.realtime.client import ulid
from tests.realtime.server import Serving, serving
from tests.realtime.test_framing import masked

GREETING = {
    "Host": "127.0.0.1",
    "Connection": "keep-alive, Upgrade",
    "Upgrade": "WebSocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


class Wire:
    """A page's end of a connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self) -> str:
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of the server's."""
        first, size = await self.reader.readexactly(2)
        if size > 125:
            size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
        return first & 0x0F, await self.reader.readexactly(size)

    async def close_code(self) -> int:
        """The code that the server closes with; whatever comes before is read over."""
        async with asyncio.timeout(10):
            while True:
                opcode, payload = await self.frame()
                if opcode == Opcode.CLOSE:
                    return int.from_bytes(payload[:2], "big")

    def send(self, opcode: int, payload: bytes = b"", *, final: bool = True) -> None:
        self.writer.write(masked(opcode, payload, final=final))

    def say(self, frame: dict[str, Any]) -> None:
        self.send(Opcode.TEXT, json.dumps(frame).encode())


@asynccontextmanager
async def _connected(server: Serving, **changed: str) -> AsyncIterator[Wire]:
    """A connection that has asked for the upgrade."""
    host = server.url.removeprefix("ws://").removesuffix("/socket")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    headers = {**GREETING, "Host": host, "Origin": f"http://{host}", **changed}
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    writer.write("\r\n".join(["GET /socket HTTP/1.1", *lines, "", ""]).encode())
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def _open(server: Serving, subject: str = "v") -> AsyncIterator[Wire]:
    """A socket that serves."""
    async with _connected(server) as wire:
        assert "101 Switching Protocols" in await wire.head()
        wire.say({"t": "hello", "v": VERSION, "ticket": await server.ticket(subject)})
        assert json.loads((await wire.frame())[1])["t"] == "welcome"
        assert json.loads((await wire.frame())[1])["t"] == "snapshot"
        yield wire


def _message(number: int, text: str = "hello") -> dict[str, Any]:
    return {"t": "msg.send", "id": ulid(), "cseq": number, "text": text}


# --- the handshake --------------------------------------------------------------------------------------------------


async def test_the_key_is_answered_as_the_rfc_says() -> None:
    """Section 1.3 has this key and its answer."""
    async with serving(CITIZEN) as server, _connected(server) as wire:
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in await wire.head()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Upgrade", "", 426),
        ("Upgrade", "h2c", 426),
        ("Connection", "close", 426),
        ("Sec-WebSocket-Version", "8", 426),
        ("Sec-WebSocket-Version", "", 426),
        ("Sec-WebSocket-Key", "", 400),
        ("Sec-WebSocket-Key", "c2hvcnQ=", 400),
        ("Sec-WebSocket-Key", "not base64 at all!!!!!==", 400),
    ],
)
async def test_what_is_no_handshake_is_answered_in_http(header: str, value: str, status: int) -> None:
    async with serving(CITIZEN) as server, _connected(server, **{header: value}) as wire:
        head = await wire.head()
        assert head.startswith(f"HTTP/1.1 {status} ")
        assert status != 426 or "Upgrade: websocket\r\n" in head
        assert ("Sec-WebSocket-Version: 13\r\n" in head) == (header == "Sec-WebSocket-Version")
        assert server.sockets.open == 0


async def test_no_extension_is_agreed_on() -> None:
    offered = {"Sec-WebSocket-Extensions": "permessage-deflate", "Sec-WebSocket-Protocol": "chat"}
    async with serving(CITIZEN) as server, _connected(server, **offered) as wire:
        head = await wire.head()
        assert "101" in head
        assert "Extensions" not in head
        assert "Protocol:" not in head


# --- hostile frames -------------------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[bytes, int]] = {
    "not masked": (framed(b'{"t":"ping"}'), 1002),
    "a reserved bit": (b"\xc1" + masked(1, b"x")[1:], 1002),
    "a continuation of nothing": (masked(Opcode.CONTINUATION, b"x"), 1002),
    "a ping of 126 bytes": (masked(Opcode.PING, bytes(126)), 1002),
    "no UTF-8": (masked(Opcode.TEXT, b'{"t":"ping\xff"}'), 1007),
    "half a character": (masked(Opcode.TEXT, "汉".encode()[:2]), 1007),
    "a surrogate": (masked(Opcode.TEXT, b'{"t":"\xed\xa0\x80"}'), 1007),
    "a head that promises too much": (masked(Opcode.TEXT, bytes(33_000))[:8], 1009),
    "bytes": (masked(Opcode.BINARY, b"{}"), 4000),
    "half a code": (masked(Opcode.CLOSE, b"\x03"), 1002),
    "a code that may not be sent": (masked(Opcode.CLOSE, b"\x03\xed"), 1002),
    "a close": (masked(Opcode.CLOSE, b"\x0f\xa0"), 4000),
    "a close without a code": (masked(Opcode.CLOSE), 1000),
}


@pytest.mark.parametrize("case", HOSTILE)
async def test_each_is_closed_with_its_code_after_what_came_before(case: str, eventually: Eventually) -> None:
    frame, code = HOSTILE[case]
    async with serving(CITIZEN) as server, _open(server) as wire:
        wire.say(_message(1, "before"))
        wire.writer.write(frame)
        wire.say(_message(2, "after"))
        assert await wire.close_code() == code
        await eventually(lambda: server.peer.room("v").said == ["before"])
        wire.writer.write_eof()
        assert await wire.reader.read() == b""
        await eventually(lambda: server.sockets.open == 0)


async def test_the_server_is_the_first_to_close_the_connection() -> None:
    """Section 7.1.1: so that it is not the page's port that lingers."""
    async with serving(CITIZEN) as server, _open(server) as wire:
        wire.send(Opcode.CLOSE, b"\x03\xe9")
        assert await wire.close_code() == 1001
        async with asyncio.timeout(1.5):  # less than it waits for a far end that does nothing
            assert await wire.reader.read() == b""


def test_the_loop_that_serves_does_the_same() -> None:
    """The other tests run on Python's own loop, the product on uvloop."""

    async def play() -> None:
        async with serving(CITIZEN) as server:
            for frame, code in HOSTILE.values():
                async with _open(server) as wire:
                    wire.writer.write(frame)
                    assert await wire.close_code() == code
            async with _open(server) as wire:
                for number in range(1, 20):
                    wire.say(_message(number))
                assert [json.loads((await wire.frame())[1])["t"] for _ in range(1, 20)] == ["ack"] * 19

    uvloop.run(play())


async def test_a_command_in_pieces_is_one_command() -> None:
    async with serving(CITIZEN) as server, _open(server) as wire:
        whole = json.dumps(_message(1, "路灯坏了"), ensure_ascii=False).encode()
        edges = [0, 40, whole.index("坏".encode()) + 1, len(whole)]  # one edge is in the middle of a character
        wire.send(Opcode.TEXT, whole[: edges[1]], final=False)
        wire.send(Opcode.PING, b"between")
        wire.send(Opcode.CONTINUATION, whole[edges[1] : edges[2]], final=False)
        wire.send(Opcode.CONTINUATION, whole[edges[2] :])
        assert await wire.frame() == (Opcode.PONG, b"between")
        assert json.loads((await wire.frame())[1])["t"] == "ack"
        assert server.peer.room("v").said == ["路灯坏了"]


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param([masked(Opcode.PING, bytes(125))], id="pings"),
        pytest.param([masked(Opcode.PONG)], id="pongs"),
        pytest.param([masked(Opcode.TEXT, final=False), masked(Opcode.CONTINUATION, final=False)], id="empty pieces"),
    ],
)
async def test_a_flood_below_the_protocol_closes_the_socket(flood: list[bytes]) -> None:
    first, *rest = flood
    async with serving(replace(CITIZEN, frames_burst=20)) as server, _open(server) as wire:
        wire.writer.write(first + (rest or flood)[0] * 40)
        assert await wire.close_code() == 4029


# --- far ends that do not do their part -----------------------------------------------------------------------------


async def test_a_far_end_that_does_not_answer_our_close_is_cut(eventually: Eventually) -> None:
    async with serving(CITIZEN) as server, _open(server) as wire:
        server.sockets.dismiss("v")
        assert await wire.close_code() == 4001
        assert await wire.reader.read() == b""  # two seconds later
        await eventually(lambda: server.sockets.open == 0)


async def test_a_far_end_that_only_stops_sending_is_gone(eventually: Eventually) -> None:
    async with serving(CITIZEN) as server, _open(server) as wire:
        wire.say(_message(1, "the last word"))
        wire.writer.write_eof()
        await eventually(lambda: server.sockets.open == 0)
        assert server.peer.room("v").said == ["the last word"]


async def test_what_waits_for_its_turn_is_bounded_in_bytes(eventually: Eventually) -> None:
    """While the store does not answer a page's command, its later ones wait in the kernel, not here."""
    free = SocketSettings(rate_per_s=1e6, burst=1_000_000, frames_per_s=1e6, frames_burst=1_000_000)
    async with serving(free) as server, _open(server) as wire:
        server.peer.gate.clear()
        sent = 0
        while wire.writer.transport.get_write_buffer_size() == 0:
            sent += 1
            wire.say(_message(sent, "x" * 3000))
            await asyncio.sleep(0)
            assert sent < 20_000
        (page,) = server.sockets._served.values()
        assert page._received_bytes < 2 * free.frame_bytes + 256 * 1024  # what one read of the kernel brings
        server.peer.gate.set()
        acks = [json.loads((await wire.frame())[1])["t"] for _ in range(sent)]
        assert acks == ["ack"] * sent
        assert len(server.peer.room("v").said) == sent


async def test_what_waits_for_nothing_does_not_wait_behind_a_command() -> None:
    """The page would take a silent server for a dead one, and break off (`web/shared/client.ts`)."""
    async with serving(CITIZEN) as server, _open(server) as wire:
        server.peer.gate.clear()
        wire.say(_message(1, "x" * 4001))
        wire.say(_message(2))
        wire.say({"t": "ping"})
        wire.say(_message(3, "x" * 4001))
        wire.say({"t": "rcv", "seq": 1})
        answers = [json.loads((await wire.frame())[1]) for _ in range(2)]
        assert {answer["t"] for answer in answers} == {"nack", "pong"}
        server.peer.gate.set()
        answers = [json.loads((await wire.frame())[1]) for _ in range(2)]
        assert [answer["t"] for answer in answers] == ["ack", "nack"], "a refused command is answered in its turn"


async def test_pings_of_a_far_end_that_does_not_read_are_not_answered(eventually: Eventually) -> None:
    free = replace(CITIZEN, frames_per_s=1e6, frames_burst=1_000_000)
    async with serving(free) as server, _open(server) as wire:
        (page,) = server.sockets._served.values()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        while not page.is_full:
            page.write(bytes(65_536))
        waiting = page.waiting_bytes()
        for _ in range(1000):
            wire.send(Opcode.PING, bytes(125))
        await wire.writer.drain()
        wire.say(_message(1))
        await eventually(lambda: server.peer.room("v").said == ["hello"], deadline_s=10)
        assert page.waiting_bytes() <= waiting


async def test_a_page_that_reads_again_gets_all_that_waited() -> None:
    bounds = replace(CITIZEN, slow_bytes=32 * 1024 * 1024, backlog_bytes=32 * 1024 * 1024, backlog_frames=10_000)
    async with serving(bounds) as server, _open(server) as wire:
        (page,) = server.sockets._served.values()
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        told = 0
        while not page.is_full or told % 100:
            server.peer.tell("v", f"{told} " + "x" * 4000)
            told += 1
            await asyncio.sleep(0)
        assert page.waiting_bytes() < 2 * 1024 * 1024, "the rest is to wait in the backlog"
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        texts = [json.loads((await wire.frame())[1])["text"] for _ in range(told)]
        assert [text.split()[0] for text in texts] == [str(number) for number in range(told)]


async def test_more_in_one_turn_than_is_kept_begins_anew(eventually: Eventually) -> None:
    async with serving(replace(CITIZEN, backlog_frames=50)) as server, _open(server) as wire:
        for number in range(100):
            server.peer.tell("v", str(number))
        assert await wire.close_code() == 4008
