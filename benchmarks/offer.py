"""How soon an assignee who becomes ready has an offer, with 10,000 assignees and 100,000 waiting sessions.

Also: what it costs to look up a place in a line of 1,000, 10,000 and 100,000, and how well the estimated wait foretells
the true one. The limit of an offer is the issue's 50 ms; its ratio is limit over value.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import uvloop

from queueing.contract import Presence, Profile
from queueing.embedded import EmbeddedValkey
from queueing.library import Library, source
from queueing.policy import Class, Service
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.ids import AssigneeId, SessionId
from session.state import AssigneeKind, Medium

AGENTS, WAITING = 10_000, 100_000
LIMIT_MS = 50.0
CHUNK = 500

SEED = """
-- from, to, class: sessions that wait, as `open` and `absorb` leave them; only to fill the store before measuring
entry('seed', function(args)
  for number = tonumber(args[1]), tonumber(args[2]) do
    local id = string.format('S%06d', number)
    redis.call('HSET', journal.session_key(id), 'open', 1, 'log', 0, 'snap', 0, 'vital', 0, 'fence', 1, 'token', 0,
      'node', 'bench', 'citizen', id, 'began', NOW)
    line.join(id, { class = args[3], queue = 'q', medium = 'chat', accrued = 1000000 - number, priority = 0,
      prefer = '' })
  end
  return 1
end)
"""


async def enlist(store: RedisStore) -> None:
    for start in range(0, AGENTS, CHUNK):
        await asyncio.gather(*(one_agent(store, number) for number in range(start, start + CHUNK)))


async def one_agent(store: RedisStore, number: int) -> None:
    who = AssigneeId(f"agent{number:05}")
    await store.queue.enlist(Profile(who, AssigneeKind.AGENT, ("q",), {Medium.VOICE: 1, Medium.CHAT: 1}))
    await store.queue.reach(who, "desk", frozenset(Medium), ttl_s=3600)


async def fill(store: RedisStore, first: int, last: int, demand: Class) -> None:
    for start in range(first, last, CHUNK):  # one after the other: each takes as long as a hundred calls
        await store.server.call("seed", start, min(start + CHUNK, last) - 1, demand.key)


async def lookup_ms(store: RedisStore, size: int, times: int) -> float:
    """The median time of one look-up, one after the other."""
    spans = []
    for _ in range(times):
        session = SessionId(f"S{random.randrange(size):06}")
        began = time.perf_counter()
        place = await store.queue.place(session)
        spans.append((time.perf_counter() - began) * 1000)
        assert place is not None
        assert place.waiting == size
    return statistics.median(spans)


async def offer_ms(store: RedisStore, number: int) -> float:
    """From an assignee's "ready" to the offer in a session's log."""
    who = AssigneeId(f"agent{number:05}")
    expected = SessionId(f"S{number:06}")
    began = time.perf_counter()
    await store.queue.present(who, Presence.READY)
    assert await store.queue.match() == 1
    span = (time.perf_counter() - began) * 1000
    (made,) = await store.log.read(expected)
    assert isinstance(made.event, ev.OfferMade), "the first in line is asked for first"
    assert made.event.assignee == who
    return span


def estimate_error(sessions: int, agents: int, chance: random.Random) -> float:
    """The median of |estimate - wait| / wait in a simulated, slightly overloaded hotline with exponential talks."""
    talk_s, now = 180.0, 0.0
    free_at = [0.0] * agents
    service, last, began, line = Service(), 0.0, 0.0, list[float]()
    errors: list[float] = []
    for _ in range(sessions):
        now += chance.expovariate(agents / talk_s * 1.02)
        while line and line[0] <= now:  # only what has happened by now is known
            served_at = line.pop(0)
            service = service.departed(round((served_at - max(last, began)) * 1000))
            last = served_at
        if not line:
            began = now
        served_at = max(now, heapq.heappop(free_at))
        heapq.heappush(free_at, served_at + chance.expovariate(1 / talk_s))
        estimate = service.estimate_s(len(line) + 1)
        if line and estimate is not None:
            errors.append(abs(estimate - (served_at - now)) / (served_at - now))
        line.append(served_at)
    return statistics.median(errors)


async def measure(store: RedisStore, rounds: int, lookups: int) -> None:
    demand = Class("q", Medium.CHAT)
    began = time.perf_counter()
    await enlist(store)
    await store.queue.open_class(demand)
    size = 0
    for wanted in (1000, 10_000, WAITING):
        await fill(store, size, wanted, demand)
        size = wanted
        print(f"place in a line of {size}: {await lookup_ms(store, size, lookups):.2f} ms")
    print(f"{AGENTS} assignees and {WAITING} waiting after {time.perf_counter() - began:.1f} s")
    await store.server.send("CONFIG", "SET", "appendfsync", "always")
    spans = sorted([await offer_ms(store, number) for number in range(rounds)])
    p50, p99 = spans[len(spans) // 2], spans[int(len(spans) * 0.99)]
    print(f"offer after ready: median {p50:.2f} ms, p99 {p99:.2f} ms, worst {spans[-1]:.2f} ms over {rounds}")
    error = estimate_error(20_000, 40, random.Random(12345))
    print(f"estimated wait: median error {error:.0%} of the true wait (simulated, 40 agents, 2 % overload)")
    told = {"name": "offer", "value": round(p99, 2), "limit": LIMIT_MS, "ratio": round(LIMIT_MS / p99, 2)}
    print(json.dumps({**told, "unit": "ms"}))


async def main(short: bool) -> None:
    settings = QueueSettings(lease_s=600)
    library = Library.of(settings, source() + SEED)
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        async with (
            EmbeddedValkey(Path(folder)) as valkey,
            RedisStore.connect(
                valkey.url, tenant="bench", pepper=b"bench", settings=settings, library=library
            ) as store,
        ):
            await store.server.send("CONFIG", "SET", "appendfsync", "no")  # while it is filled
            await measure(store, rounds=500 if short else 5000, lookups=200 if short else 2000)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    uvloop.run(main(parser.parse_args().short))
