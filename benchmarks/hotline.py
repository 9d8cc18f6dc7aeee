"""The phone channel alone, with a core in memory: each call rings one telephone, and is joined when that picks up.

Started by `benchmarks.setup` and `benchmarks.registrar`, on one core; the sound has a process on another.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path

import uvloop

from benchmarks.registered import Telephones
from channels.phone.adapter import PhoneChannel
from channels.phone.guard import GuardSettings
from channels.phone.settings import PhoneSettings
from gateway.process import allow_many_files, collect_seldom, take_short_turns
from gateway.sound import Outfit
from media.crew import Crew
from media.engine import Limits
from media.prompts import PromptLibrary
from session.events import Event, LegOpened
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.ports import Admission, Contact
from session.state import Party
from tests.channels.phone.core import Core

Address = tuple[str, int]
AGENT = AssigneeId("a8001")
MANY = 100_000


class Town(Core):
    """Keeps nothing of what it is told but what is needed to go on."""

    phone: PhoneChannel

    def __init__(self) -> None:
        super().__init__()
        self.token = 0
        self.running: set[asyncio.Task[None]] = set()

    async def open(self, contact: Contact) -> Admission:
        session = SessionId(f"session-{contact.leg}")
        asyncio.get_running_loop().call_soon(self._ring, session, contact.leg)
        return Admission(session, contact.leg, fresh=True)

    def _ring(self, session: SessionId, leg: LegId) -> None:
        self.token += 1
        self._run(self.phone.ring(session, leg, AGENT, self.token, time.time() + 20))

    async def post(self, session: SessionId, event: Event, **_: object) -> int:
        if isinstance(event, LegOpened) and event.leg.party is Party.ASSIGNEE:
            citizen = LegId(session.removeprefix("session-"))
            self._run(self.phone.join(session, citizen, event.leg.id, RecordingId(f"r-{citizen}")))
        return 1

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)


async def known(server: Address, telephone: int) -> None:
    """Register the telephone from the port at which it will be: who calls it needs no more."""
    loop = asyncio.get_running_loop()
    transport, phones = await loop.create_datagram_endpoint(Telephones, local_addr=("127.0.0.1", telephone))
    await phones.register(8001, server)
    transport.close()


async def serve(port: int, telephone: int, other: int, folder: Path) -> None:
    """Until SIGTERM."""
    ends = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ends.set)
    town = Town()
    settings = PhoneSettings(
        port=port,
        trunks=("127.0.0.0/8",),
        authenticate=False,
        max_calls=MANY,
        max_calls_per_s=MANY,
        debts=folder / "debts",
        ladders=folder / "ladders",
        guard=GuardSettings(stranger_burst=MANY, known_burst=MANY),
    )
    outfit = Outfit(("127.0.0.1",), (0, 0), "", "error", "plain", Limits(sessions=MANY))
    command = ["taskset", "-c", str(other), *outfit.command()]
    async with (
        Crew(PromptLibrary.load(), 1, lambda _: command) as audio,
        PhoneChannel(
            settings,
            node=NodeId("bench"),
            inbox=town,
            audio=audio,
            shared=town,
            telephones=town,
            reachability=town,
            recording_path=None,
        ) as town.phone,
    ):
        await known(town.phone.bound, telephone)
        collect_seldom()
        await ends.wait()
        os._exit(0)  # calls that a trial has left behind need no goodbye


if __name__ == "__main__":
    allow_many_files()
    take_short_turns()
    at, rings_at, other_core = map(int, sys.argv[1:4])
    uvloop.run(serve(at, rings_at, other_core, Path(sys.argv[4])))
