"""The rules, and that the scripts go by the same."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queueing import policy
from queueing.contract import Presence, Routing
from queueing.library import Library, source
from queueing.policy import Class, Exclusion, Service, Standing
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session.ids import AssigneeId
from session.state import AssigneeKind, Demand, Medium, Skill
from tests.queueing.house import PEPPER, TENANT, agent

SETTINGS = QueueSettings()
A, B, C = (AssigneeId(name) for name in "ABC")


def test_nobody_overtakes_by_waiting_and_priority_is_a_head_start() -> None:
    assert policy.line_key(1000, 0) < policy.line_key(1001, 0)
    assert policy.line_key(61_000, 60) == policy.line_key(1000, 0)


def test_the_order_of_skills_says_nothing() -> None:
    english, sign = Skill("english", 3), Skill("sign")
    one, other = (Class.of(Demand("q", 0, skills), Medium.CHAT) for skills in ((english, sign), (sign, english)))
    assert one == other
    assert Class.parse(one.key) == one


@pytest.mark.parametrize(
    ("ready", "prefer", "declined", "chosen"),
    [
        ([A, B], None, [], A),
        ([A, B], B, [], B),
        ([A, B], C, [], A),
        ([A, B], None, [A], B),
        ([A, B], A, [A], B),
        ([A, B], None, [A, B], A),
        ([], B, [], None),
    ],
)
def test_whom_to_ask(
    ready: list[AssigneeId], prefer: AssigneeId | None, declined: list[AssigneeId], chosen: AssigneeId | None
) -> None:
    assert policy.choose(ready, prefer, declined) == chosen


def test_routing_takes_the_first_that_holds() -> None:
    holding: dict[Routing, dict[str, Any]] = {
        Routing.ENGAGED: {"engaged": 1},
        Routing.WRAPPING: {"wrapping": 1},
        Routing.OFFERED: {"offered": 1},
        Routing.UNREACHABLE: {"reachable": frozenset[Medium]()},
        Routing.NOT_RESPONDING: {"not_responding": True},
        Routing.OFF: {"presence": Presence.BREAK},
    }
    sound: dict[str, Any] = {"presence": Presence.READY, "reachable": frozenset(Medium)}
    order = list(holding)
    for count in range(len(order) + 1):
        for held in itertools.combinations(order, count):
            facts = {**sound, **{key: value for one in held for key, value in holding[one].items()}}
            standing = Standing(AssigneeKind.AGENT, {}, **facts)
            assert policy.routing(standing) is (held[0] if held else Routing.READY)


def test_a_call_is_had_alone_and_bots_reach_everything() -> None:
    capacity = {Medium.VOICE: 1, Medium.CHAT: 2}
    calling = Standing(
        AssigneeKind.AGENT, capacity, Presence.READY, charged={Medium.VOICE: 1}, reachable=frozenset(Medium)
    )
    assert policy.exclusion(calling, Medium.CHAT) is Exclusion.BUSY
    assert policy.exclusion(Standing(AssigneeKind.BOT, capacity, Presence.READY), Medium.CHAT) is None
    assert (
        policy.exclusion(Standing(AssigneeKind.AGENT, capacity, Presence.READY), Medium.CHAT) is Exclusion.UNREACHABLE
    )


def test_skills_must_suffice() -> None:
    profile = agent("a1", skills=(Skill("english", 5),))
    assert policy.bonus(profile, Class("q", Medium.CHAT, (Skill("english", 3),)), SETTINGS) == 60_000
    assert policy.bonus(profile, Class("q", Medium.CHAT, (Skill("english", 6),)), SETTINGS) is None
    assert policy.bonus(profile, Class("q", Medium.CHAT, (Skill("sign"),)), SETTINGS) is None
    assert policy.bonus(profile, Class("other", Medium.CHAT), SETTINGS) is None
    assert policy.bonus(agent("a1", chat=0), Class("q", Medium.CHAT), SETTINGS) is None


def test_an_estimate_needs_measuring_and_follows_the_rate() -> None:
    service = Service()
    for _ in range(policy.MEASURED_ENOUGH):
        assert service.estimate_s(3) is None
        service = service.departed(10_000)
    assert service.estimate_s(3) == pytest.approx(30)
    for _ in range(200):
        service = service.departed(20_000)
    assert service.estimate_s(3) == pytest.approx(60, rel=0.01)


# --- the scripts' twin -------------------------------------------------------------------------------------------

ASK = """
-- kind, presence, silent, paused, reach, capacities and loads by medium, engaged, wrapping, offered, idle
-- -> routing, then each medium's standing, then the rank
entry('ask', function(args)
  local key = assignee.key('twin')
  redis.call('DEL', key)
  redis.call('HSET', key, 'profile', 'x', 'queues', 'q', 'kind', args[1], 'presence', args[2], 'reach', args[5],
    'cap:voice', args[6], 'cap:chat', args[7], 'cap:message', args[8], 'has:voice', args[9], 'has:chat', args[10],
    'has:message', args[11], 'engaged', args[12], 'wrapping', args[13], 'offered', args[14], 'idle', args[15],
    'routing', 'ready')
  if args[3] == '1' then redis.call('HSET', key, 'silent', 1) end
  if args[4] == '1' then redis.call('HSET', key, 'paused', 1) end
  assignee.refresh('twin')
  return redis.call('HMGET', key, 'routing', 'why:voice', 'why:chat', 'why:message', 'rank')
end)

entry('ask_line', function(args)
  return string.format('%d', line.key(tonumber(args[1]), tonumber(args[2])))
end)
"""

counts = st.integers(0, 3)
three = st.tuples(counts, counts, counts)
standings = st.builds(
    Standing,
    st.sampled_from(AssigneeKind),
    three.map(lambda many: dict(zip(Medium, many, strict=True))),
    st.sampled_from(Presence),
    st.booleans(),
    st.booleans(),
    st.frozensets(st.sampled_from(Medium)),
    three.map(lambda many: Counter(dict(zip(Medium, many, strict=True)))),
    counts,
    counts,
    counts,
)


async def reckons_alike(store: RedisStore, standing: Standing, idle: int, since: int, priority: int) -> None:
    answer = await store.server.call(
        "ask",
        standing.kind,
        standing.presence,
        int(standing.not_responding),
        int(standing.paused),
        ",".join(medium for medium in Medium if medium in standing.reachable),
        *(standing.capacity[medium] for medium in Medium),
        *(standing.charged[medium] for medium in Medium),
        standing.engaged,
        standing.wrapping,
        standing.offered,
        idle,
    )
    reasons = [policy.exclusion(standing, medium) or policy.READY for medium in Medium]
    assert [one.decode() for one in answer[:4]] == [policy.routing(standing), *reasons]
    assert int(answer[4]) == policy.assignee_key(idle, sum(standing.charged.values()), 0, SETTINGS)
    assert int(await store.server.call("ask_line", since, priority)) == policy.line_key(since, priority)


def test_the_scripts_reckon_as_the_policy_does(valkey_url: str) -> None:
    library = Library.of(SETTINGS, source() + ASK)
    instants = st.integers(0, 2**42)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        connecting = RedisStore.connect(valkey_url, tenant=TENANT, pepper=PEPPER, library=library)
        store = runner.run(stack.enter_async_context(connecting))

        @settings(max_examples=150, deadline=None, database=None)
        @given(standings, instants, instants, st.integers(-(10**6), 10**6))
        def ask(standing: Standing, idle: int, since: int, priority: int) -> None:
            runner.run(reckons_alike(store, standing, idle, since, priority))

        try:
            ask()
        finally:
            runner.run(stack.aclose())
