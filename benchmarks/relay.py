"""How many recorded calls one core carries, beside the bare relay that Python can be and beside pyVoIP's echo.

Each subject runs in a process of its own, pinned to one core; this process, on another, plays both ends of every
call: 50 packets of 172 octets a second each way, spread evenly. A level is clean when every packet that was sent has
come back 60 ms after the last (a jitter buffer's patience). The largest clean level is searched for by halving, in
rounds that take the subjects in turn; medians are compared.

- ours: `media.engine.Engine`, two far ends a call, joined, recorded by `recordings.store.RecordingStore` to disk.
- limit: a uvloop protocol per port that sends what comes to the other port's peer, and does nothing else.
- pyvoip: pyVoIP's RTPClient with a thread that writes what it reads, µ-law, a call having one far end only. It is let
  lose one frame in a hundred, since its clock is never quite even.

`--short` makes one round over every second level instead of five over all. A machine that does other work meanwhile
gives smaller numbers for all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
HEADER = struct.Struct("!BBHII")
FRAME_S = 0.02
PATIENCE_S = 0.06
SLOTS = 20
LEVELS = {
    "ours": [round(60 * 1.12**step) for step in range(31)],
    "limit": [round(60 * 1.12**step) for step in range(31)],
    "pyvoip": [8, 16, 24, 36, 48, 60, 75, 90, 105, 120, 140, 165, 195, 230],
}
Address = tuple[str, int]


# The subjects: each is told a number of calls, opens them, says the ports, and closes them again.


class Ours:
    """The product, recording."""

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        from media.engine import Engine, Limits
        from media.prompts import PromptLibrary
        from recordings.store import RecordingStore
        from session.audio import Slot
        from session.ids import RecordingId, SessionId

        self.folder = Path(tempfile.mkdtemp(prefix="yihao-relay-"))
        self.store = await RecordingStore(self.folder).__aenter__()
        limits = Limits(sessions=calls, lost_after_s=3600)
        self.engine = await Engine(PromptLibrary({}), recorder=self.store.writer, limits=limits).__aenter__()
        ports = []
        for index in range(calls):
            call = await self.engine.open(str(index))
            pair = []
            for slot, (host, port) in ((Slot.CITIZEN, citizen), (Slot.AGENT, agent)):
                offer = f"v=0\r\nc=IN IP4 {host}\r\nm=audio {port} RTP/AVP 8\r\n"
                answer = await call.answer(slot, offer.encode())
                pair.append(int(answer.split(b"m=audio ")[1].split()[0]))
            await call.join()
            await call.record(self.store.path(SessionId(f"session-{index}"), RecordingId("1")))
            ports.append((pair[0], pair[1]))
        return ports

    async def close(self) -> None:
        os.fsync = lambda fd: None  # noqa: ARG005  as os names it; what is closed now is thrown away, and none of it is measured
        await self.engine.__aexit__(None, None, None)
        await self.store.__aexit__(None, None, None)
        shutil.rmtree(self.folder)


class Bare(asyncio.DatagramProtocol):
    """One port of the bare relay."""

    transport: asyncio.DatagramTransport
    other: Bare
    target: Address

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002  asyncio names it
        other = self.other
        other.transport.sendto(data, other.target)


class Limit:
    """The bare relay."""

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        loop = asyncio.get_running_loop()
        self.ends: list[Bare] = []
        ports = []
        for _ in range(calls):
            ends = [(await loop.create_datagram_endpoint(Bare, local_addr=("127.0.0.1", 0)))[1] for _ in range(2)]
            ends[0].other, ends[1].other = ends[1], ends[0]
            ends[0].target, ends[1].target = citizen, agent
            self.ends += ends
            found = [int(end.transport.get_extra_info("sockname")[1]) for end in ends]
            ports.append((found[0], found[1]))
        return ports

    async def close(self) -> None:
        for end in self.ends:
            end.transport.close()
        await asyncio.sleep(0)


class PyVoip:
    """pyVoIP's own echo."""

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        from pyVoIP.RTP import PayloadType, RTPClient, TransmitType

        del agent
        self.clients = []
        ports = []
        for _ in range(calls):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            client = RTPClient({0: PayloadType.PCMU}, "127.0.0.1", port, *citizen, TransmitType.SENDRECV)
            client.start()
            threading.Thread(target=self.echo, args=(client,), daemon=True).start()
            self.clients.append(client)
            ports.append((port, 0))
        return ports

    @staticmethod
    def echo(client: Any) -> None:
        while client.NSD:
            client.write(client.read(160))

    async def close(self) -> None:
        for client in self.clients:
            client.stop()
        await asyncio.sleep(0.3)


SUBJECTS: dict[str, type[Ours | Limit | PyVoip]] = {"ours": Ours, "limit": Limit, "pyvoip": PyVoip}


async def serve(name: str, core: int) -> None:
    """Answer this benchmark's lines: open so many calls, close them."""
    warnings.simplefilter("ignore")  # pyVoIP's are many and not ours to mend
    os.sched_setaffinity(0, {core})
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    subject: Ours | Limit | PyVoip | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if subject is None:
            subject = SUBJECTS[name]()
            reply: Any = await subject.open(order["calls"], tuple(order["citizen"]), tuple(order["agent"]))
            used, began = time.process_time(), time.monotonic()
        else:
            reply = [time.process_time() - used, time.monotonic() - began]
            await subject.close()
            subject = None
        print(json.dumps(reply), flush=True)


# The load


class Subject:
    """A subject's process, driven over its standard input."""

    def __init__(self, name: str, core: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.relay", "--serve", name, "--core", str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def ask(self, **order: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Ear:
    """One socket that plays one side of all calls: it sends to each call's port and counts what comes."""

    def __init__(self, kind: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), 32_000_000)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self.kind = kind
        self.payload = bytes([0x2A]) * 160
        self.address: Address = self.socket.getsockname()
        self.targets: list[Address] = []
        self.counting = False
        self.sent = self.heard = 0

    def say(self, slot: int, tick: int) -> None:
        sequence, timestamp = tick & 0xFFFF, tick * 160 & 0xFFFFFFFF
        for index in range(slot, len(self.targets), SLOTS):
            packet = HEADER.pack(0x80, self.kind, sequence, timestamp, index + 1) + self.payload
            self.socket.sendto(packet, self.targets[index])
            self.sent += self.counting

    def listen(self) -> None:
        buffer = bytearray(256)
        receive = self.socket.recv_into
        loud = self.payload[0]
        try:
            while True:
                receive(buffer)
                # pyVoIP sends without cease: only frames that hold something of what was said are counted.
                if buffer[92] != 0xFF and (loud == buffer[92] or self.kind == 0):
                    self.heard += self.counting
        except BlockingIOError:
            return


class Attempt(NamedTuple):
    """What one level gave: fractions of packets lost and of the core used, and the core's time for a packet."""

    lost: float
    busy: float
    us_per_packet: float


def attempt(subject: Subject, calls: int, seconds: float) -> Attempt:
    kind = 0 if subject.name == "pyvoip" else 8
    citizen, agent = Ear(kind), Ear(kind)
    ports = subject.ask(calls=calls, citizen=citizen.address, agent=agent.address)
    citizen.targets = [("127.0.0.1", port) for port, _ in ports]
    agent.targets = [("127.0.0.1", port) for _, port in ports if port]
    ears = [citizen, agent] if agent.targets else [citizen]
    warm_ticks = 25
    ticks = warm_ticks + int(seconds / FRAME_S)
    start = time.monotonic()
    for tick in range(ticks):
        if tick == warm_ticks:
            drain(ears, time.monotonic() + PATIENCE_S)
            start = time.monotonic() - tick * FRAME_S
            for ear in ears:
                ear.counting = True
        for slot in range(SLOTS):
            for ear in ears:
                ear.say(slot, tick)
            drain(ears, start + tick * FRAME_S + (slot + 1) * FRAME_S / SLOTS)
    # pyVoIP's transmitter is some frames behind its ear by design; that is delay, not loss.
    drain(ears, time.monotonic() + (0.3 if kind == 0 else PATIENCE_S))
    sent = sum(ear.sent for ear in ears)
    heard = sum(ear.heard for ear in ears)
    spent_s, lasted_s = subject.ask()
    for ear in ears:
        ear.socket.close()
    return Attempt(max(0.0, 1 - heard / sent), spent_s / lasted_s, spent_s / max(1, sent) * 1e6)


def drain(ears: list[Ear], until: float) -> None:
    while True:
        for ear in ears:
            ear.listen()
        left = until - time.monotonic()
        if left <= 0:
            return
        select.select([ear.socket for ear in ears], [], [], left)


def largest_clean(subject: Subject, levels: list[int], seconds: float, chances: int) -> tuple[int, float]:
    """By halving. A level that fails while its core was mostly another's is tried again: that was not its fault."""
    allowed = 0.01 if subject.name == "pyvoip" else 0.0
    low, high, cost = -1, len(levels), 0.0
    while high - low > 1:
        middle = (low + high) // 2
        for _chance in range(chances):
            got = attempt(subject, levels[middle], seconds)
            print(
                f"{subject.name:7} {levels[middle]:5} calls  lost {got.lost:8.4%}  core {got.busy:4.0%} "
                f" {got.us_per_packet:5.1f} µs a packet",
                flush=True,
            )
            if got.lost <= allowed or got.busy > 0.8:
                break
        if got.lost <= allowed:
            low, cost = middle, got.us_per_packet
        else:
            high = middle
    return (levels[low] if low >= 0 else 0), cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--serve", choices=sorted(SUBJECTS))
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        import uvloop

        uvloop.run(serve(arguments.serve, arguments.core))
        return
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    rounds, seconds, chances, step = (1, 0.8, 2, 2) if arguments.short else (5, 3.0, 4, 1)
    names = ["limit", "ours", "pyvoip"]
    subjects = {name: Subject(name, cores[0]) for name in names}
    found: dict[str, list[int]] = {name: [] for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    try:
        for turn in range(rounds):
            for name in names[turn % 3 :] + names[: turn % 3]:
                calls, cost = largest_clean(subjects[name], LEVELS[name][::step], seconds, chances)
                found[name].append(calls)
                costs[name].append(cost)
    finally:
        for subject in subjects.values():
            subject.end()
    median = {name: statistics.median(each) for name, each in found.items()}
    print(
        json.dumps(
            {
                "name": "relay",
                "value": median["ours"],
                "limit": median["limit"],
                "ratio": round(median["ours"] / median["limit"], 3) if median["limit"] else None,
                "unit": "recorded calls",
                "pyvoip_calls": median["pyvoip"],
                "core_us_per_packet": {name: round(statistics.median(each), 1) for name, each in costs.items()},
                "rounds": found,
            }
        )
    )


if __name__ == "__main__":
    main()
