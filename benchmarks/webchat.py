"""Messages a second of web chats: one process, 1,000 sockets, beside a bare aiohttp echo of the same frames.

The server, a process of its own on uvloop, is the whole web chat (`channels.webchat` on `realtime`): each message is
read strictly, counted against its rate, put into the timeline with its dedupe key, acknowledged with its place, and
comes by the feed to the transcript, which other windows of the citizen's would be shown. Its store is a list in memory,
since the store's own speed is the question of `queue`. The limit is the best that aiohttp does: no compression,
no code but `send_str`. Every socket has one message under way (closed loop). A message counts when it is answered.

Rounds take the two servers in turn, each begun anew so that no round bears the conversations of the one before, and
medians over the rounds are printed. `--short` makes fewer and shorter ones.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import json
import os
import resource
import statistics
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast

from aiohttp import web

from benchmarks.chat import KEY, memory, serve_chat, ticket_for
from realtime.messages import VERSION

SOCKETS = 1000
TEXT = "路灯坏了，" * 8 + "Changjiang Road 12, the third lamp."
RCV_EVERY_S = 5.0
"""What a page takes for frames that nobody waits to see delivered: the others do not come here."""
ORIGIN = "http://127.0.0.1"
PONG = b"\x8a\x80\0\0\0\0"
"""Masked, empty: what answers a server that asks whether its page is there."""


async def serve_echo() -> None:
    """The limit."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/api/webchat/socket", echo)
    app.router.add_get("/memory", memory)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


def frame(payload: bytes) -> bytes:
    """A masked text frame (RFC 6455, section 5.2); a mask of zeros leaves the payload as it is."""
    size = len(payload)
    head = bytes([0x81, 0x80 | size]) if size < 126 else struct.pack(">BBH", 0x81, 0x80 | 126, size)
    return head + b"\0\0\0\0" + payload


class Page(asyncio.Protocol):
    """One socket: sends the next message when the last one is answered."""

    path = "/api/webchat/socket"
    address = "127.0.0.1"
    """Where it says that it is, to a server that trusts it."""

    def __init__(self, port: int, hello: bytes, answer: bytes, tally: Tally) -> None:
        self.port, self.hello, self.answer, self.tally = port, hello, answer, tally
        self.ready = asyncio.get_running_loop().create_future()
        self.seen = self.confirmed = 0
        self.numbers = itertools.count(1)
        self.rest = b""
        self.is_upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Origin: {ORIGIN}:{self.port}\r\nX-Forwarded-For: {self.address}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.rest += data
        if not self.is_upgraded:
            head, found, rest = self.rest.partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head, head
            self.is_upgraded, self.rest = True, rest
            self.transport.write(self.hello)
            if not self.hello:
                self.ready.set_result(None)
        rest, at = self.rest, 0
        while len(rest) - at >= 2:
            size, start = rest[at + 1], at + 2
            if size == 126 and len(rest) >= start + 2:
                size, start = int.from_bytes(rest[start : start + 2], "big"), start + 2
            if len(rest) < start + size:
                break
            if rest[at] == 0x81:
                self.take(rest[start : start + size])
            elif rest[at] == 0x89:
                self.transport.write(PONG)
            else:
                raise SystemExit(f"closed: {rest[start : start + size]!r}")
            at = start + size
        self.rest = rest[at:]

    def take(self, payload: bytes) -> None:
        if payload.startswith(self.answer):
            self.tally.answered += 1
            self.write()
        elif payload.startswith(b'{"seq":'):
            self.seen = int(payload[7 : payload.index(b",", 7)])
            if not self.ready.done():
                self.ready.set_result(None)
        elif not payload.startswith((b'{"t":"welcome"', b'{"t":"queue.place"')):
            raise SystemExit(f"not expected: {payload[:200]!r}")

    def write(self) -> None:
        if self.tally.runs:
            number = next(self.numbers)
            command = {"t": "msg.send", "id": f"0{number:025}", "cseq": number, "text": TEXT}
            self.transport.write(frame(json.dumps(command, ensure_ascii=False, separators=(",", ":")).encode()))

    def confirm(self) -> None:
        if self.seen > self.confirmed:
            self.confirmed = self.seen
            self.transport.write(frame(b'{"t":"rcv","seq":%d}' % self.seen))

    def connection_lost(self, exc: Exception | None) -> None:
        if self.tally.runs:
            raise SystemExit(f"a socket was cut: {exc}")


class Tally:
    """What all pages of a round have done."""

    def __init__(self) -> None:
        self.answered = 0
        self.runs = True


async def confirm_all(pages: list[Page]) -> None:
    """Each page once in that time, spread over it."""
    slices = 100
    for turn in itertools.count():
        for page in pages[turn % slices :: slices]:
            page.confirm()
        await asyncio.sleep(RCV_EVERY_S / slices)


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def round_of(
    pid: int, port: int, seconds: float, hello: Callable[[int], bytes], answer: bytes
) -> tuple[float, float]:
    """Messages answered a second, and a second of the server's processor time."""
    loop, tally, pages = asyncio.get_running_loop(), Tally(), []
    for number in range(SOCKETS):
        make = partial(Page, port, hello(number), answer, tally)
        _, page = await loop.create_connection(make, "127.0.0.1", port)
        pages.append(page)
    await asyncio.gather(*(page.ready for page in pages))
    confirming = asyncio.create_task(confirm_all(pages))
    for page in pages:
        page.write()
    await asyncio.sleep(min(1.0, seconds / 4))
    before, began, used = tally.answered, time.perf_counter(), cpu_s(pid)
    await asyncio.sleep(seconds)
    answered = tally.answered - before
    rates = answered / (time.perf_counter() - began), answered / (cpu_s(pid) - used)
    tally.runs = False
    confirming.cancel()
    for page in pages:
        page.transport.abort()
    await asyncio.sleep(0.3)
    return rates


@asynccontextmanager
async def serving(kind: str) -> AsyncIterator[tuple[int, int]]:
    """A server of its own process: the process, and its port."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.webchat", "--serve", kind, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            port = int(json.loads(await child.stdout.readline())["port"])
        yield child.pid, port
    finally:
        child.terminate()
        await child.wait()


async def measure(rounds: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    visitors = itertools.count()

    def hello(_: int) -> bytes:
        ticket = ticket_for(f"visitor-{next(visitors)}")
        return frame(json.dumps({"t": "hello", "v": VERSION, "ticket": ticket}).encode())

    kinds: dict[str, tuple[Callable[[int], bytes], bytes]] = {
        "echo": (lambda _: b"", b'{"t":"msg.send"'),
        "chat": (hello, b'{"t":"ack"'),
    }
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for turn in range(rounds):
        for kind in list(kinds)[:: 1 if turn % 2 == 0 else -1]:
            async with serving(kind) as (pid, port):
                found[kind].append(await round_of(pid, port, seconds, *kinds[kind]))
            print("{} {:9.0f} messages/s, {:9.0f} a second of its processor".format(kind, *found[kind][-1]))
    return found


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--serve", choices=("echo", "chat"))
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    if arguments.serve:
        uvloop.run(serve_echo() if arguments.serve == "echo" else serve_chat(KEY))
        return
    found = uvloop.run(measure(*((3, 2.0) if arguments.short else (5, 8.0))))
    value, limit = (statistics.median(one for one, _ in found[kind]) for kind in ("chat", "echo"))
    value_cpu, limit_cpu = (statistics.median(one for _, one in found[kind]) for kind in ("chat", "echo"))
    line = {
        "name": "webchat",
        "value": round(value),
        "limit": round(limit),
        "ratio": round(value / limit, 3),
        "unit": "messages/s, 1,000 sockets, one process; limit: bare aiohttp echo",
        "per_processor_s": {
            "value": round(value_cpu),
            "limit": round(limit_cpu),
            "ratio": round(value_cpu / limit_cpu, 3),
        },
        "rounds": {kind: [round(one) for one, _ in each] for kind, each in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
