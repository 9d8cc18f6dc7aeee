"""How many whole sessions a second go through the queue, beside the bare scripts.

A cycle is a contact, its place in line, an offer, its acceptance, the end and the write-up: 14 commands. The limit is
the very same commands, recorded, sent again by the same client with nothing reckoned or read in Python. Both on a
Valkey that has every write on disk before it answers, in interleaved rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import uvloop

from queueing.contract import Commit, Presence, Profile
from queueing.embedded import EmbeddedValkey
from queueing.policy import Class
from queueing.server import Argument
from queueing.store import RedisStore
from session import events as ev
from session.address import Address
from session.effects import LegEffect, QueueChange
from session.ids import AssigneeId, LegId, NodeId, SessionId
from session.machine import advance
from session.state import AssigneeKind, Demand, Leg, LegEnd, Medium, Party, Phase, Session

NODE, WHO = NodeId("bench"), AssigneeId("everybody")
AT_ONCE = 64

Command = tuple[Argument, ...]


async def staff(store: RedisStore) -> None:
    await store.mailboxes.beat(NODE, ttl_s=3600)
    await store.queue.enlist(Profile(WHO, AssigneeKind.BOT, ("q",), {Medium.CHAT: 1000}))
    await store.queue.present(WHO, Presence.READY)


async def cycle(store: RedisStore, name: SessionId) -> None:
    address = Address("web", name)
    leg = Leg(LegId(f"{name}-leg"), "webchat", Medium.CHAT, Party.CITIZEN, NODE, address)
    opened = ev.SessionOpened(citizen=address, number="12345", demand=Demand("q"))
    await store.log.open(name, NODE, opened, ev.LegOpened(leg=leg), dedupe=leg.id)
    box = await store.mailboxes.claim(name, NODE)
    assert box is not None
    session = await absorb(store, box.session, box.fence)
    await store.queue.match()
    session = await absorb(store, session, box.fence)
    assert session.offer is not None
    assert (await store.queue.accept(name, WHO, session.offer.token)).granted
    session = await absorb(store, session, box.fence)
    await store.log.append(name, ev.LegClosed(leg=leg.id, reason=LegEnd.HANGUP))
    await store.log.append(name, ev.WrapFinished(by=WHO))
    session = await absorb(store, session, box.fence)
    assert session.phase is Phase.CLOSED


async def absorb(store: RedisStore, session: Session, fence: int) -> Session:
    before = session.version
    changes: list[QueueChange] = []
    effects: list[tuple[str, LegEffect]] = []
    for entry in await store.log.read(session.id, after=before):
        session, wanted = advance(session, entry.event)
        for index, effect in enumerate(wanted):
            if isinstance(effect, LegEffect):
                effects.append((f"{session.version}.{index}", effect))
            else:
                changes.append(effect)
    await store.mailboxes.absorb(Commit(session, before, fence, tuple(changes), tuple(effects)))
    return session


async def record(store: RedisStore, name: SessionId) -> list[Command]:
    """The commands of one cycle."""
    sent: list[Command] = []
    call, send = store.server.call, store.server.send

    def called(function: str, *arguments: Argument) -> Awaitable[Any]:
        sent.append(("call", function, *arguments))
        return call(function, *arguments)

    def commanded(*command: Argument) -> Awaitable[Any]:
        sent.append(("send", *command))
        return send(*command)

    with patch.object(store.server, "call", called), patch.object(store.server, "send", commanded):
        await cycle(store, name)
    return sent


async def bare(store: RedisStore, commands: Sequence[Command]) -> None:
    for how, first, *arguments in commands:
        if how == "call":
            await store.server.call(str(first), *arguments)
        else:
            await store.server.send(first, *arguments)


async def rate(cycles: Sequence[Callable[[], Awaitable[None]]]) -> float:
    """Cycles a second, `AT_ONCE` under way."""
    left = iter(cycles)

    async def work() -> None:
        for one in left:
            await one()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return len(cycles) / (time.perf_counter() - began)


async def fresh(store: RedisStore) -> None:
    await store.server.send("FLUSHDB")
    await staff(store)
    await store.queue.open_class(Class("q", Medium.CHAT))


async def measure(url: str, rounds: int, size: int) -> None:
    async with RedisStore.connect(url, tenant="bench", pepper=b"bench") as store:
        names = [SessionId(f"S{number:06}") for number in range(size)]
        await fresh(store)
        recorded = [await record(store, name) for name in names]
        ours: list[float] = []
        limits: list[float] = []
        for number in range(rounds):
            await fresh(store)
            ours.append(await rate([partial(cycle, store, name) for name in names]))
            await fresh(store)
            limits.append(await rate([partial(bare, store, sent) for sent in recorded]))
            ended = int(await store.server.send("ZCARD", "yihao:{bench}:closed"))
            assert ended == size, f"the recorded cycles ended {ended} sessions of {size}"
            print(f"round {number + 1}: {ours[-1]:.0f} cycles/s, bare scripts {limits[-1]:.0f}")
        value, limit = statistics.median(ours), statistics.median(limits)
        print(f"{len(recorded[0])} commands a cycle, {AT_ONCE} sessions at once; wanted: a ratio of at least 0.7")
        told = {"name": "queue", "value": round(value, 1), "limit": round(limit, 1), "ratio": round(value / limit, 3)}
        print(json.dumps({**told, "unit": "cycles/s"}))


async def main(short: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        async with EmbeddedValkey(Path(folder)) as valkey:
            await measure(valkey.url, rounds=3 if short else 9, size=400 if short else 2000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    uvloop.run(main(parser.parse_args().short))
