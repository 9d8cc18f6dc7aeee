"""A crowd at the telephones: both sides of hundreds of calls, from one socket each, in a process of their own.

What is said can be found again: twenty milliseconds are a page of one book, and each side of a call reads from a page
of its own on. So a recording tells of any moment which tick of whose speech it was.

The process takes a line of JSON for each call that is to be held, and tells of each that is over.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.bridge import FRAME_S, HEADER, SLOTS, Ear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.relays import Address

HOUSE = Path(__file__).resolve().parents[2]
PCMA = 8
FRAME = 160
"""Samples, and octets of A-law, in a packet."""
PAGES = 8192
"""Two minutes and a half until the same is said again."""
_STRIDE = 7919
"""Pages between where one voice begins and the next: the two of a call are never near each other."""
_BOOK = random.Random(12345).randbytes(PAGES * FRAME)
_LOUD = 0x2A
"""By which each page begins: whoever waits for the other's first word hears noise that is never so loud."""
_LEAVES = [bytes([_LOUD]) + _BOOK[at + 1 : at + FRAME] for at in range(0, len(_BOOK), FRAME)]
_FIRST_SEQUENCE = 65_000
_FIRST_TIMESTAMP = 2**32 - 20 * 8000
"""Both begin anew in every call: after eleven seconds, and after twenty."""


def voices(call: int) -> tuple[int, int]:
    """Of citizen and agent."""
    return 2 * call, 2 * call + 1


def page(voice: int, tick: int) -> bytes:
    """What it says then."""
    return _LEAVES[(voice * _STRIDE + tick) % PAGES]


class Side(Ear):
    """All citizens, or all agents."""

    def listen(self) -> None:
        buffer = bytearray(256)
        receive = self.socket.recv_into
        try:
            while True:
                receive(buffer)
                self.heard += buffer[12] == _LOUD
        except BlockingIOError:
            return

    def speak(self, voice: int, tick: int, target: Address) -> None:
        sequence = (_FIRST_SEQUENCE + tick) & 0xFFFF
        timestamp = (_FIRST_TIMESTAMP + tick * FRAME) & 0xFFFFFFFF
        head = HEADER.pack(0x80, PCMA, sequence, timestamp, voice + 1)
        self.socket.sendto(head + _LEAVES[(voice * _STRIDE + tick) % PAGES], target)
        self.sent += 1


@dataclass(eq=False, slots=True)
class _Talk:
    """A call, as far as it has come."""

    call: int
    citizen: Address
    agent: Address
    ticks: int
    tick: int = 0


class _Hall:
    """Where all of them are."""

    def __init__(self) -> None:
        self._citizens, self._agents = Side(PCMA), Side(PCMA)
        self._turns: list[list[_Talk]] = [[] for _ in range(SLOTS)]
        self._unread = b""
        self._late_s = 0.0
        os.set_blocking(0, False)

    def hold(self) -> None:
        """Speak and listen until nobody gives orders any more."""
        self._tell(addresses=[self._citizens.address, self._agents.address])
        begun_s = time.monotonic()
        tick = 0
        while self._take_orders():
            for place, turn in enumerate(self._turns):
                self._speak(turn)
                due_s = begun_s + (tick + (place + 1) / SLOTS) * FRAME_S
                time.sleep(max(0.0, due_s - time.monotonic()))  # to be woken by each packet would take twice the time
                self._citizens.listen()
                self._agents.listen()
            self._late_s = max(self._late_s, time.monotonic() - due_s)
            tick += 1

    def _speak(self, turn: list[_Talk]) -> None:
        over = [talk for talk in turn if talk.tick == talk.ticks]  # with the tick after its last, which lasts so long
        for talk in over:
            turn.remove(talk)
            self._tell_over(talk)
        for talk in turn:
            citizen, agent = voices(talk.call)
            self._citizens.speak(citizen, talk.tick, talk.citizen)
            self._agents.speak(agent, talk.tick, talk.agent)
            talk.tick += 1

    def _tell_over(self, talk: _Talk) -> None:
        sides = self._citizens, self._agents
        sent, heard = sum(side.sent for side in sides), sum(side.heard for side in sides)
        self._tell(call=talk.call, sent=sent, heard=heard, late_s=self._late_s)
        self._late_s = 0.0

    def _take_orders(self) -> bool:
        try:
            said = os.read(0, 65_536)
        except BlockingIOError:
            return True
        *lines, self._unread = (self._unread + said).split(b"\n")
        for line in lines:
            order = json.loads(line)
            citizen, agent = (("127.0.0.1", port) for port in order["ports"])
            emptiest = min(self._turns, key=len)
            emptiest.append(_Talk(order["call"], citizen, agent, order["ticks"]))
        return bool(said)

    @staticmethod
    def _tell(**said: object) -> None:
        print(json.dumps(said), flush=True)


class Crowd:
    """The process, as who asks it sees it; an async context manager."""

    def __init__(self) -> None:
        self.addresses: list[Address] = []
        """Where citizens and agents hear."""
        self.sent = self.heard = 0
        """Packets, as it said last."""
        self.late_s = 0.0
        """By how much it was behind its own clock at worst: whoever reads this may set it to nought."""
        self._talks: dict[int, asyncio.Future[None]] = {}

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        command = sys.executable, "-m", __name__
        self._process = await asyncio.create_subprocess_exec(*command, cwd=HOUSE, stdin=pipe, stdout=pipe)
        assert self._process.stdout is not None
        self.addresses = [(host, port) for host, port in json.loads(await self._process.stdout.readline())["addresses"]]
        self._hearing = asyncio.create_task(self._hear(self._process.stdout))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._hearing
        await self._process.wait()

    async def talk(self, call: int, ports: Sequence[int], ticks: int) -> None:
        """Both sides of a call, all the time; returns when they have said it."""
        assert self._process.stdin is not None
        over = self._talks[call] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(json.dumps({"call": call, "ports": ports, "ticks": ticks}).encode() + b"\n")
        await over

    async def _hear(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            told = json.loads(line)
            self.sent, self.heard = told["sent"], told["heard"]
            self.late_s = max(self.late_s, told["late_s"])
            self._talks.pop(told["call"]).set_result(None)
        for talk in self._talks.values():
            talk.set_exception(ConnectionError("the crowd has gone"))


if __name__ == "__main__":
    _Hall().hold()
