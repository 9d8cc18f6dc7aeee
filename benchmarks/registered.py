"""Telephones that are registered and idle: what each costs the gateway and its store, in resident bytes.

`yihao up` runs as a child in the profile without authentication, since thousands of accounts are not what is measured.
Each telephone is an extension of its own with one binding. Gateway and store are counted together.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import cast

TOGETHER = 50
"""REGISTERs under way at once."""
GIVES_UP_S = 5.0


class Telephones(asyncio.DatagramProtocol):
    """Every telephone behind one socket, told apart by their Call-ID."""

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[bytes]] = {}
        self._turns = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        del addr
        call = next((line[9:].decode() for line in data.split(b"\r\n") if line.startswith(b"Call-ID: ")), "")
        waiting = self.waiting.pop(call, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(data)

    async def register(self, number: int, server: tuple[str, int]) -> None:
        """One extension, first or again; raises where it is not taken."""
        call, turn = f"r{number}", next(self._turns)
        self.waiting[call] = answer = asyncio.get_running_loop().create_future()
        lines = (
            f"REGISTER sip:{server[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call}-{turn}",
            f"From: <sip:{number}@yihao>;tag={call}",
            f"To: <sip:{number}@yihao>",
            f"Call-ID: {call}",
            f"CSeq: {turn} REGISTER",
            f"Contact: <sip:{number}@127.0.0.1:{self.port}>;expires=3600",
            "Max-Forwards: 70",
            "Content-Length: 0",
        )
        self.transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), server)
        async with asyncio.timeout(GIVES_UP_S):
            reply = await answer
        assert reply.startswith(b"SIP/2.0 200 "), reply[:40]


def resident(pid: int) -> int:
    """Bytes of a process and of its children."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return pages * 4096 + sum(resident(int(child)) for child in children)


async def grown(steps: list[int]) -> float:
    """Bytes for each more telephone."""
    with tempfile.TemporaryDirectory() as data:
        sets = ("http.port=0", "sip.port=0", "sip.authenticate=false")
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway.cli", "up", "--ready-json", "--data", data),
            *(word for one in sets for word in ("--set", one)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            assert child.stdout is not None
            host, _, port = json.loads(await child.stdout.readline())["sip_udp"].rpartition(":")
            return await _fill(child.pid, (host, int(port)), steps)
        finally:
            child.terminate()
            await child.wait()


async def _fill(pid: int, server: tuple[str, int], steps: list[int]) -> float:
    loop = asyncio.get_running_loop()
    transport, phones = await loop.create_datagram_endpoint(Telephones, local_addr=("127.0.0.1", 0))
    found: list[int] = []
    there = 0
    try:
        for step in steps:
            for first in range(there, step, TOGETHER):
                numbers = range(100_000 + first, 100_000 + min(first + TOGETHER, step))
                await asyncio.gather(*(phones.register(number, server) for number in numbers))
                await asyncio.sleep(TOGETHER / 400)  # below what the guard lets one address send
            there = step
            await asyncio.sleep(1.0)
            found.append(await asyncio.to_thread(resident, pid))
            print(f"phone {step:6} registered {found[-1] / 2**20:8.1f} MiB")
    finally:
        transport.close()
    return (found[-1] - found[0]) / (steps[-1] - steps[0])
