"""A node dies at each command that it sends, once before the store has it and once before the reply; another goes on.

Killed at any instruction comes to the same: between two commands nothing that others can see has changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest

from queueing.library import source
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.ids import AssigneeId, LegId, NodeId, SessionId
from session.state import DialFailure, Leg, LegEnd, Medium, Party, Phase
from tests.queueing import laws, naive
from tests.queueing.house import NODE, Clock, House, agent, redis_store

HEIR = NodeId("n2")
SETTINGS = QueueSettings(settle_s=0.0)


class Died(Exception):
    """The node is gone in the middle of what it did."""


class Mortal:
    """Lets a node send so many commands."""

    def __init__(self, sends: Callable[..., Any], lives: int, *, reply: bool) -> None:
        self._sends, self._reply = sends, reply
        self.left = lives

    async def __call__(self, *command: Any) -> Any:
        self.left -= 1
        if self.left == 0 and not self._reply:
            raise Died
        answer = await self._sends(*command)
        if self.left <= 0:
            raise Died
        return answer


async def a_life(house: House) -> None:
    """From the first word to the write-up."""
    queue = house.store.queue
    await house.open("S1", word="m1")
    await house.absorb("S1")
    await queue.match()
    await house.absorb("S1")
    made = await house.offered("S1")
    assert made is not None
    await queue.accept(SessionId("S1"), *made)
    await house.absorb("S1")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP), "bye")
    await house.absorb("S1")
    await house.post("S1", ev.WrapFinished(by=made[0]), "wrap")
    await house.absorb("S1")


async def a_call_of_ones_own(house: House) -> None:
    """From an agent's dialling to the write-up."""
    await house.begin("S1", "a1")
    await house.absorb("S1")
    telephone = Leg(LegId("agent"), "phone", Medium.VOICE, Party.ASSIGNEE, NODE)
    await house.post("S1", ev.LegOpened(leg=telephone), "up")
    await house.absorb("S1")
    await house.post("S1", ev.DialFailed(leg=LegId("S1-own"), reason=DialFailure.BUSY), "dialled")
    await house.absorb("S1")
    await house.post("S1", ev.WrapFinished(by=AssigneeId("a1")), "wrap")
    await house.absorb("S1")


async def dies_at(
    store: RedisStore, clock: Clock, lives: int, life: Callable[[House], Awaitable[None]], *, reply: bool
) -> bool:
    """Whether the node died at that command; what it left is picked up, and must keep the laws."""
    await store.server.send("FLUSHDB")
    await clock.pass_s(0)
    house = House(store, clock)
    await store.mailboxes.beat(NODE, ttl_s=5)
    await house.staff(agent("a1", chat=1))
    house.sessions = []
    mortal = Mortal(store.server.call, lives, reply=reply)
    died = False
    with patch.object(store.server, "call", mortal):
        try:
            await life(house)
        except Died:
            died = True
    if await store.log.read(SessionId("S1")):
        house.sessions = ["S1"]
    await goes_on(house)
    return died


async def goes_on(house: House) -> None:
    """Another node takes over, and time passes: lost offers run out, who is left over is offered again."""
    store, clock = house.store, house.clock
    for _ in range(6):
        await clock.pass_s(4)
        await store.mailboxes.beat(HEIR, ttl_s=5)
        for orphan, _ in await store.mailboxes.orphans():
            await house.absorb(orphan, HEIR)
        for grown in await store.mailboxes.unabsorbed(HEIR):
            await house.absorb(grown, HEIR)
        await store.queue.sweep()
        for grown in await store.mailboxes.unabsorbed(HEIR):
            await house.absorb(grown, HEIR)
    sight = await house.sight((HEIR,))
    laws.hold(sight, None, SETTINGS)
    assert sight.unabsorbed[HEIR] == []
    for name, session in sight.snapshots.items():
        assert session is not None
        made = await house.offered(name)
        asked = [who for who, event in _asked(sight.logs[name])]
        assert session.phase is not Phase.QUEUED or asked, f"law 6: {name} was never offered to the one who is free"
        assert session.phase is not Phase.OFFERED or made, f"law 1: {name} thinks it is offered"
        assert session.phase is not Phase.NEW, f"law 1: {name} was never taken up"


def _asked(log: list[tuple[int, ev.Event]]) -> list[tuple[str, ev.Event]]:
    return [(event.assignee, event) for _, event in log if isinstance(event, ev.OfferMade)]


@pytest.mark.parametrize("reply", [False, True])
@pytest.mark.parametrize(("life", "commands"), [(a_life, 12), (a_call_of_ones_own, 10)])
async def test_whenever_a_node_dies_nothing_is_lost(
    valkey_url: str, life: Callable[[House], Awaitable[None]], commands: int, reply: bool
) -> None:
    clock = Clock()
    async with redis_store(valkey_url, clock, SETTINGS) as store:
        lives = 1
        while await dies_at(store, clock, lives, life, reply=reply):
            lives += 1
    assert lives > commands, "each command of a session's life was the last one once"


async def dies_in_match(store: RedisStore, clock: Clock, lives: int) -> bool:
    """As above, but for plain commands, of which only a naive queue sends any that change something."""
    await store.server.send("FLUSHDB")
    await clock.pass_s(0)
    house = House(store, clock)
    await store.mailboxes.beat(NODE, ttl_s=5)
    await house.staff(agent("a1", chat=1))
    await house.waiting("S1")
    died = False
    mortal = Mortal(store.server.send, lives, reply=True)
    with patch.object(store.server, "send", mortal):
        try:
            await store.queue.match()
        except Died:
            died = True
    await goes_on(house)
    return died


async def test_the_control_pop_then_write_loses_a_session(valkey_url: str) -> None:
    clock = Clock()
    async with redis_store(valkey_url, clock, SETTINGS, source() + naive.PARTS) as store:
        assert not await dies_in_match(store, clock, 2), "the real one sends no plain command there"
        store.queue = naive.NaiveQueue(store.server, "yihao:{test}:", SETTINGS)
        assert await dies_in_match(store, clock, 1)
        with pytest.raises(AssertionError, match="law 6"):
            await dies_in_match(store, clock, 2)
