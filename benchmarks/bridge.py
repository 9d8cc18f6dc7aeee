"""How many bridged calls one core carries, beside the bare relay that Python can be, rtpengine and pyVoIP's echo.

Each subject runs in a process of its own, pinned to one core; this process, on another, plays both ends of every
call: 50 packets of 172 octets a second each way, spread evenly. A level is clean when every packet that was sent has
come back 60 ms after the last (a jitter buffer's patience). The largest clean level is searched for by halving, in
rounds that take the subjects in turn; medians are compared.

- ours: `media.engine.Engine`, two far ends a call, joined.
- recorded: the same, recorded by `recordings.store.RecordingStore` to disk.
- limit: a uvloop protocol per port that sends what comes to the other port's peer, and does nothing else.
- rtpengine: Debian's, in userspace, with one thread that forwards; `rtpengine-recorded` writes what comes in to a pcap.
  Missing where the package is not installed.
- rtpengine-straight: the product behind rtpengine, recorded. Its calls are of both on the one core, its time for a
  packet is ours alone.
- rtp-io: Sippy Software's RTPProxy within a process of Python, relaying. Missing where it could not be installed.
- pyvoip: pyVoIP's RTPClient with a thread that writes what it reads, µ-law, a call having one far end only. It is let
  lose one frame in a hundred, since its clock is never quite even.

`--short` makes one round over every fourth level, without pyVoIP, instead of three over all; `--only` measures those
that are named. A machine that does other work meanwhile gives smaller numbers for all.
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
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pylibsrtp import Policy, Session

from benchmarks.relays import (
    FAR_KEY,
    Address,
    PyVoip,
    RtpEngine,
    RtpEngineBrowser,
    RtpEngineRecorded,
    RtpIo,
    described,
    free_port,
    missing,
    port_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from media.engine import Engine, Limits

ROOT = Path(__file__).parents[1]
HEADER = struct.Struct("!BBHII")
FRAME_S = 0.02
PATIENCE_S = 0.06
SLOTS = 20
MANY = [round(60 * 1.12**step) for step in range(31)]
FEW = [8, 16, 24, 36, 48, 60, 75, 90, 105, 120, 140, 165, 195, 230]
NAMES = ["limit", "ours", "recorded", "rtpengine", "rtpengine-recorded", "rtpengine-straight", "rtp-io", "pyvoip"]


# The subjects: each is told a number of calls, opens them, says the ports, and closes them again.


class Subject(Protocol):
    """What is measured. Made anew for each level."""

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        """So many calls between these two; gives the ports at which each end is to send."""
        ...

    def spent_s(self) -> float:
        """Of its core, in all."""
        ...

    async def close(self) -> None:
        """All of them."""
        ...


class Ours:
    """The product."""

    records = False
    secret = False

    def spent_s(self) -> float:
        return time.process_time()

    async def open(self, calls: int, citizen: Address, agent: Address) -> list[tuple[int, int]]:
        from media.engine import Limits
        from recordings.store import RecordingStore
        from session.audio import Secrecy, Slot
        from session.ids import RecordingId, SessionId

        self.folder = Path(tempfile.mkdtemp(prefix="yihao-relay-"))
        self.store = await RecordingStore(self.folder).__aenter__()
        limits = Limits(sessions=calls, lost_after_s=3600)
        self.engine = await self.engine_for(limits).__aenter__()
        ports = []
        for index in range(calls):
            call = await self.engine.open(str(index))
            pair = []
            for slot, (host, port) in ((Slot.CITIZEN, citizen), (Slot.AGENT, agent)):
                is_secret = self.secret and slot is Slot.AGENT
                answer = await call.answer(slot, described(host, port, secret=is_secret), Secrecy.OFFER)
                pair.append(port_of(answer))
            await call.join()
            if self.records:
                await call.record(self.store.path(SessionId(f"session-{index}"), RecordingId("1")))
            ports.append((pair[0], pair[1]))
        return ports

    def engine_for(self, limits: Limits) -> Engine:
        from media.engine import Engine
        from media.prompts import PromptLibrary

        return Engine(PromptLibrary({}), recorder=self.store.writer, limits=limits)

    async def close(self) -> None:
        os.fsync = lambda fd: None  # noqa: ARG005  as os names it; what is closed now is thrown away, and none of it is measured
        await self.engine.__aexit__(None, None, None)
        await self.store.__aexit__(None, None, None)
        shutil.rmtree(self.folder)


class Recorded(Ours):
    """The product, recording."""

    records = True


class Browser(Ours):
    """The product with an agent whose sound is under SRTP: a browser's, once its handshake is done."""

    secret = True


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

    def spent_s(self) -> float:
        return time.process_time()

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


class Straight(Recorded):
    """The product behind rtpengine, recording: what the two say goes straight, and we listen. Both on the one core."""

    def engine_for(self, limits: Limits) -> Engine:
        from media.prompts import PromptLibrary
        from media.rtpengine.engine import AnchoredEngine

        port = free_port()
        command = (
            f"rtpengine -f -E --config-file=none --table=-1 --interface=far/127.0.0.1 --interface=near/127.0.0.1 "
            f"--listen-tcp-ng=127.0.0.1:{port} --num-threads=1 --timeout=3600 --port-min=20000 --port-max=59998 "
            f"--log-level=1 --endpoint-learning=immediate"
        )
        self.process = subprocess.Popen(command.split(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1.0)  # the pool tries again, too
        how: dict[str, Any] = {"recorder": self.store.writer, "limits": limits}
        return AnchoredEngine(PromptLibrary({}), rtpengines=[("127.0.0.1", port)], **how)

    async def close(self) -> None:
        await super().close()
        self.process.kill()
        self.process.wait()


SUBJECTS: dict[str, type[Subject]] = {
    "ours": Ours,
    "recorded": Recorded,
    "browser": Browser,
    "limit": Limit,
    "rtpengine": RtpEngine,
    "rtpengine-recorded": RtpEngineRecorded,
    "rtpengine-browser": RtpEngineBrowser,
    "rtpengine-straight": Straight,
    "rtp-io": RtpIo,
    "pyvoip": PyVoip,
}


async def serve(name: str, core: int) -> None:
    """Answer this benchmark's lines: open so many calls, close them."""
    warnings.simplefilter("ignore")  # pyVoIP's are many and not ours to mend
    os.sched_setaffinity(0, {core})
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loop = asyncio.get_running_loop()
    subject: Subject | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if subject is None:
            subject = SUBJECTS[name]()
            reply: Any = await subject.open(order["calls"], tuple(order["citizen"]), tuple(order["agent"]))
            used, began = subject.spent_s(), time.monotonic()
        else:
            reply = [subject.spent_s() - used, time.monotonic() - began]
            await subject.close()
            subject = None
        print(json.dumps(reply), flush=True)


# The load


class Driven:
    """A subject's process, driven over its standard input."""

    def __init__(self, name: str, core: int) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bridge", "--serve", name, "--core", str(core)],
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

    def __init__(self, kind: int, *, secret: bool = False) -> None:
        self.secret = secret
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

    def prepare(self, ticks: int) -> None:
        """All packets, where they are to be secret: while it speaks there is no time for that."""
        self.packets: list[list[bytes]] = []
        if not self.secret:
            return
        policy = Policy(key=FAR_KEY, ssrc_type=Policy.SSRC_ANY_OUTBOUND)
        for index in range(len(self.targets)):
            shield = Session(policy=policy)
            heads = (HEADER.pack(0x80, self.kind, tick, tick * 160, index + 1) for tick in range(ticks))
            self.packets.append([shield.protect(head + self.payload) for head in heads])

    def say(self, slot: int, tick: int) -> None:
        sequence, timestamp = tick & 0xFFFF, tick * 160 & 0xFFFFFFFF
        for index in range(slot, len(self.targets), SLOTS):
            if self.secret:
                packet = self.packets[index][tick]
            else:
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
                if self.secret or (buffer[92] != 0xFF and (loud == buffer[92] or self.kind == 0)):
                    self.heard += self.counting
        except BlockingIOError:
            return


class Attempt(NamedTuple):
    """What one level gave: fractions of packets lost and of the core used, and the core's time for a packet."""

    lost: float
    busy: float
    us_per_packet: float


def attempt(subject: Driven, calls: int, seconds: float) -> Attempt:
    kind = 0 if subject.name == "pyvoip" else 8
    citizen, agent = Ear(kind), Ear(kind, secret=subject.name.endswith("browser"))
    ports = subject.ask(calls=calls, citizen=citizen.address, agent=agent.address)
    citizen.targets = [("127.0.0.1", port) for port, _ in ports]
    agent.targets = [("127.0.0.1", port) for _, port in ports if port]
    ears = [citizen, agent] if agent.targets else [citizen]
    warm_ticks = 25
    ticks = warm_ticks + int(seconds / FRAME_S)
    for ear in ears:
        ear.prepare(ticks)
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


def largest_clean(subject: Driven, levels: list[int], seconds: float, chances: int) -> tuple[int, float]:
    """By halving. A level that fails while its core was mostly another's is tried again: that was not its fault."""
    allowed = 0.01 if subject.name == "pyvoip" else 0.0
    low, high, cost = -1, len(levels), 0.0
    while high - low > 1:
        middle = (low + high) // 2
        for _chance in range(chances):
            got = attempt(subject, levels[middle], seconds)
            print(
                f"{subject.name:18} {levels[middle]:5} calls  lost {got.lost:8.4%}  core {got.busy:4.0%} "
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


def in_turn(names: list[str], *, short: bool) -> dict[str, Found]:
    """All that are there, in rounds that take them in turn; `short` is one over every fourth level."""
    rounds, seconds, chances, step = (1, 0.8, 2, 4) if short else (3, 3.0, 4, 1)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    for name in filter(missing, names):
        print(f"{name}: peer missing", flush=True)
    there = [name for name in names if not missing(name)]
    subjects = {name: Driven(name, cores[0]) for name in there}
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in there}
    try:
        for turn in range(rounds):
            for name in there[turn % len(there) :] + there[: turn % len(there)]:
                levels = FEW if name == "pyvoip" else MANY
                found[name].append(largest_clean(subjects[name], levels[::step], seconds, chances))
    finally:
        for subject in subjects.values():
            subject.end()
    return {
        name: Found(
            statistics.median(calls for calls, _ in each), round(statistics.median(cost for _, cost in each), 1)
        )
        for name, each in found.items()
    }


class Found(NamedTuple):
    """Medians: of the largest clean level, and of the core's time for a packet there."""

    calls: float
    us_a_packet: float


class Asked(NamedTuple):
    """How much is to be measured."""

    short: bool
    only: list[str]
    """Of the names that may be left out; empty for all."""


def serve_if_asked(names: Sequence[str] = ()) -> Asked:
    """What is asked for; or what a subject's process was started for, which ends with it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    if names:
        parser.add_argument("--only", nargs="+", choices=names, default=[])
    else:
        parser.set_defaults(only=[])
    parser.add_argument("--serve", choices=sorted(SUBJECTS))
    parser.add_argument("--core", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        import uvloop

        uvloop.run(serve(arguments.serve, arguments.core))
        sys.exit()
    return Asked(arguments.short, arguments.only)


def main() -> None:
    short, only = serve_if_asked(NAMES)
    found = in_turn(only or (NAMES[:-1] if short else NAMES), short=short)
    limit, ours, recorded = (found[name].calls if name in found else None for name in ("limit", "ours", "recorded"))
    line = {
        "name": "bridge",
        "value": ours,
        "limit": limit,
        "ratio": round(ours / limit, 3) if limit and ours is not None else None,
        "unit": "bridged calls on one core",
        "recorded_ratio": round(recorded / limit, 3) if limit and recorded is not None else None,
        "calls": {name: one.calls for name, one in found.items()},
        "core_us_a_packet": {name: one.us_a_packet for name, one in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
