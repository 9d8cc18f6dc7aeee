"""How many REGISTERs a second one process takes from 5,000 registered telephones, and what each telephone costs.

- ours: the phone channel with its registrations in memory, on one core; each REGISTER refreshes one of them.
- limit: a bare uvloop socket that answers every REGISTER with a 200 and knows nothing.

This process, on another core, is all telephones: it keeps so many REGISTERs under way as `registered` does. Rounds take
the two in turn; medians are compared. Bytes for each telephone are those of the whole product with its store
(`registered`).

`--short` registers 1,000, for seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import cast

import uvloop

from benchmarks import registered
from benchmarks.hotline import Address
from benchmarks.registered import TOGETHER, Telephones
from benchmarks.setup import await_bound, free_port

ROOT = Path(__file__).parents[1]
KEPT = (b"Via", b"From", b"To", b"Call-ID", b"CSeq")


class Bare(asyncio.DatagramProtocol):
    """The limit."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        head = data.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        kept = [line for line in head if line.split(b":")[0] in KEPT]
        self.transport.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, b"", b""]), addr)


async def bare(port: int) -> None:
    """Until SIGTERM."""
    ends = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ends.set)
    transport, _ = await loop.create_datagram_endpoint(Bare, local_addr=("127.0.0.1", port))
    await ends.wait()
    transport.close()


async def rate(port: int, telephones: int, seconds: float) -> float:
    """REGISTERs a second, once all are known."""
    loop = asyncio.get_running_loop()
    transport, phones = await loop.create_datagram_endpoint(Telephones, local_addr=("127.0.0.1", 0))
    try:
        await _in_turn(phones, port, telephones, loop.time() + 3600, telephones)
        began = loop.time()
        done = await _in_turn(phones, port, telephones, began + seconds, None)
        return done / (loop.time() - began)
    finally:
        transport.close()


async def _in_turn(phones: Telephones, port: int, telephones: int, until: float, most: int | None) -> int:
    """Each in turn, so many at once, until then or until there were as many as wanted; gives how many."""
    loop = asyncio.get_running_loop()
    done = 0

    async def one_after_another(first: int) -> None:
        nonlocal done
        number = first
        while loop.time() < until and (most is None or number < most):
            await phones.register(100_000 + number % telephones, ("127.0.0.1", port))
            done += 1
            number += TOGETHER

    await asyncio.gather(*map(one_after_another, range(TOGETHER)))
    return done


def measured(name: str, cores: list[int], telephones: int, seconds: float) -> float:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="yihao-registrar-") as folder:
        ours = ["benchmarks.hotline", str(port), str(free_port()), str(cores[-1]), folder]
        words = ours if name == "ours" else ["benchmarks.registrar", "--bare", str(port)]
        child = subprocess.Popen(["taskset", "-c", str(cores[0]), sys.executable, "-m", *words], cwd=ROOT)
        try:
            await_bound(port, child)
            return uvloop.run(rate(port, telephones, seconds))
        finally:
            child.terminate()
            child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--bare", type=int)
    arguments = parser.parse_args()
    if arguments.bare:
        uvloop.run(bare(arguments.bare))
        return
    rounds, telephones, seconds = (1, 1000, 3.0) if arguments.short else (5, 5000, 10.0)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    found: dict[str, list[float]] = {"ours": [], "limit": []}
    for turn in range(rounds):
        for name in list(found)[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(measured(name, cores, telephones, seconds))
            print(f"{name:5} {found[name][-1]:8.0f} REGISTER/s", flush=True)
    os.sched_setaffinity(0, cores)
    phone = uvloop.run(registered.grown([200, 1000] if arguments.short else [500, 2000, 5000]))
    value, limit = (statistics.median(found[name]) for name in ("ours", "limit"))
    line = {
        "name": "registrar",
        "value": round(value),
        "limit": round(limit),
        "ratio": round(value / limit, 3),
        "unit": "REGISTERs a second on one core; limit: a bare socket that answers 200",
        "bytes_a_phone": round(phone),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
