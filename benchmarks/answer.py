"""How long a caller waits from INVITE to 200, at 20 calls a second, through the whole product.

`yihao up` runs as a child with its embedded store, which syncs each session to disk before the 200 goes out. This
process is the callers: each sends INVITE with an SDP offer, acknowledges the 200, stays a moment and hangs up. The
limit is 20 ms at the 99th percentile; beside it stands what a bare uvloop socket needs that answers every INVITE with a
200 and knows nothing: what of the figure is the machine's and the sockets' own. Rounds take the two in turn, and
medians over the rounds are printed.

`--short` makes one round of five seconds instead of three of thirty.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

LIMIT_MS = 20.0
CALLS_PER_S = 20
STAYS_S = 1.0
GIVES_UP_S = 10.0
Address = tuple[str, int]

_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0\r\n"


class Callers(asyncio.DatagramProtocol):
    """Every caller behind one socket; calls are told apart by their Call-ID."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self.waiting: dict[str, asyncio.Future[tuple[float, str]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Address) -> None:
        arrived = time.perf_counter()
        text = data.decode()
        fields = dict(line.split(": ", 1) for line in text.split("\r\n\r\n")[0].split("\r\n")[1:] if ": " in line)
        if text.startswith("BYE "):
            kept = [f"{name}: {fields[name]}" for name in ("Via", "From", "To", "Call-ID", "CSeq")]
            self.transport.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), addr)
            return
        waiting = self.waiting.get(fields.get("Call-ID", ""))
        is_final = text.startswith("SIP/2.0 ") and int(text[8:11]) >= 200 and "INVITE" in fields["CSeq"]
        if is_final and waiting is not None and not waiting.done():
            waiting.set_result((arrived, fields["To"] if text[8:11] == "200" else ""))

    def write(self, method: str, call: str, sequence: int, to: str, body: str = "") -> None:
        lines = [
            f"{method} sip:12345@{self.server[0]}:{self.server[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call}{sequence}{method}",
            f"From: <sip:1380013{call[-4:]}@127.0.0.1>;tag={call}",
            f"To: {to}",
            f"Call-ID: {call}",
            f"CSeq: {sequence} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:caller@127.0.0.1:{self.port}>",
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        self.transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), self.server)

    async def call(self, name: str) -> float:
        """Milliseconds from INVITE to 200; infinite for a call that was not answered."""
        answered: asyncio.Future[tuple[float, str]] = asyncio.get_running_loop().create_future()
        self.waiting[name] = answered
        to = f"<sip:12345@{self.server[0]}>"
        sent = time.perf_counter()
        self.write("INVITE", name, 1, to, _SDP)
        try:
            async with asyncio.timeout(GIVES_UP_S):
                arrived, to = await answered
        except TimeoutError:
            return float("inf")
        if not to:
            return float("inf")
        self.write("ACK", name, 1, to)
        await asyncio.sleep(STAYS_S)
        self.write("BYE", name, 2, to)
        return (arrived - sent) * 1000


class Bare(asyncio.DatagramProtocol):
    """The limit: every INVITE gets a 200, everything else nothing."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not data.startswith(b"INVITE "):
            return
        head = data.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        kept = [line for line in head if line.split(b":")[0] in {b"Via", b"From", b"To", b"Call-ID", b"CSeq"}]
        self.transport.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"", b""]), addr)


async def round_of(server: Address, seconds: float, names: itertools.count[int]) -> float:
    """The 99th percentile of one round, in milliseconds."""
    loop = asyncio.get_running_loop()
    transport, callers = await loop.create_datagram_endpoint(lambda: Callers(server), local_addr=("127.0.0.1", 0))
    calls = []
    began = loop.time()
    for number in range(int(seconds * CALLS_PER_S)):
        await asyncio.sleep(max(0.0, began + number / CALLS_PER_S - loop.time()))
        calls.append(asyncio.create_task(callers.call(f"c{next(names):06}")))
    waits = sorted(await asyncio.gather(*calls))
    await asyncio.sleep(0.2)
    transport.close()
    return waits[min(len(waits) - 1, int(len(waits) * 0.99))]


async def serve_bare() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Bare, local_addr=("127.0.0.1", 0))
    print(json.dumps({"sip_udp": "127.0.0.1:{}".format(transport.get_extra_info("sockname")[1])}), flush=True)
    # Until the parent is gone, however it went.
    await loop.run_in_executor(None, sys.stdin.read)
    transport.close()


async def started(*command: str) -> tuple[asyncio.subprocess.Process, Address]:
    """A child that says where it listens in one line of JSON."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    async with asyncio.timeout(60):
        line = await child.stdout.readline()
    host, _, port = json.loads(line)["sip_udp"].rpartition(":")
    return child, (host, int(port))


async def measure(rounds: int, seconds: float, data: Path) -> dict[str, list[float]]:
    product = ("gateway.cli", "up", "--data", str(data), "--set", "http.port=0", "--set", "sip.port=0", "--ready-json")
    children = {"ours": await started(*product), "bare": await started("benchmarks.answer", "--serve")}
    found: dict[str, list[float]] = {name: [] for name in children}
    names = itertools.count()
    try:
        for turn in range(rounds):
            for name in list(children)[:: 1 if turn % 2 == 0 else -1]:
                found[name].append(await round_of(children[name][1], seconds, names))
                print(f"{name:5} p99 {found[name][-1]:7.2f} ms")
    finally:
        for child, _ in children.values():
            child.terminate()
        for child, _ in children.values():
            await child.wait()
    return found


def main() -> None:
    import uvloop

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        uvloop.run(serve_bare())
        return
    rounds, seconds = (1, 5.0) if arguments.short else (3, 30.0)
    with tempfile.TemporaryDirectory(prefix="yihao-answer-") as folder:
        found = uvloop.run(measure(rounds, seconds, Path(folder)))
    value = statistics.median(found["ours"])
    line = {
        "name": "answer",
        "value": round(value, 2),
        "limit": LIMIT_MS,
        "ratio": round(LIMIT_MS / value, 3),
        "unit": "ms from INVITE to 200, 99th percentile at 20 calls/s",
        "bare_ms": round(statistics.median(found["bare"]), 2),
        "rounds": {name: [round(one, 2) for one in each] for name, each in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
