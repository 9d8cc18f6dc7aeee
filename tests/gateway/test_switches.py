"""Any sequence of switches, drops, redials and failures, on the real machine, mailboxes, queue and links.

One citizen and two agents over the store in memory, whose clock the test moves. After each act all comes to rest, and
is looked at: no message lost, doubled or reordered; the wait never shrinks; the agent never changes without an event
that says why; after the end no leg is left; and as long as the matter is open the citizen is somewhere: in line, with
somebody, set aside, or owed a call.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from session import events as ev
from session.ids import LegId, MessageId
from session.state import Phase
from tests.gateway.switching import Day, Pick


async def live(pick: Pick, steps: int) -> None:
    day = Day(pick)
    await day.begin()
    act: Callable[[Day], Awaitable[None]] = Day.calls
    for _ in range(steps):
        await act(day)
        await day.rest()
        await day.look()
        act = Day.ACTS[pick(len(Day.ACTS))]
    await day.post.mailboxes.stop()


def run(data: st.DataObject, steps: int) -> None:
    asyncio.run(live(lambda limit: data.draw(st.integers(0, limit - 1)), steps))


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), steps=st.integers(5, 40))
def test_nothing_is_lost_whatever_they_switch_to(data: st.DataObject, steps: int) -> None:
    run(data, steps)


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(3600)
@settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), steps=st.integers(5, 80))
def test_nothing_is_lost_in_many_days(data: st.DataObject, steps: int) -> None:
    run(data, steps)


def test_the_look_finds_what_is_wrong() -> None:
    """The test of the test: a message that the log has twice, and a leg that outlives its session."""

    async def broken(spoil: Callable[[Day], None]) -> None:
        day = Day(lambda _: 0)
        await day.begin()
        await day.calls()
        await day.rest()
        spoil(day)
        await day.look()

    def doubled(day: Day) -> None:
        (kept,) = day.store.log._world.sessions.values()
        kept.log.append(ev.TextReceived(leg=LegId("x"), message=MessageId("m"), text="m"))

    def left(day: Day) -> None:
        (kept,) = day.store.log._world.sessions.values()
        assert kept.snapshot is not None
        kept.snapshot = replace(kept.snapshot, phase=Phase.CLOSED)

    for spoil in (doubled, left):
        with pytest.raises(AssertionError):
            asyncio.run(broken(spoil))
