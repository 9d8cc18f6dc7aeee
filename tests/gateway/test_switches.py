"""Any sequence of switches, drops, redials and failures, on the real machine, mailboxes, queue and links.

One citizen and two agents over the store in memory, whose clock the test moves. After each act all comes to rest, and
is looked at: no message lost, doubled or reordered; the wait never shrinks; the agent never changes without an event
that says why; after the end no leg is left; and as long as the matter is open the citizen is somewhere: in line, with
somebody, set aside, or owed a call.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queueing.memory.log import MemoryLog
from queueing.memory.world import Kept, World
from session import events as ev
from session.ids import SessionId
from session.state import AssigneeKind, Leg, LegState, Medium, Session
from tests.gateway.switching import AGENTS, Day, Pick


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


# --- the test of the test ------------------------------------------------------------------------------------------

DAYS = 40
"""Of sixty acts each: some of them meet each defect."""


def complaints() -> Iterator[str]:
    """What is found on some days, each the same whenever it is lived."""
    for seed in range(DAYS):
        chance = random.Random(seed)
        try:
            asyncio.run(live(chance.randrange, 60))
        except AssertionError as error:
            yield str(error).partition("\n")[0]


def forgets_a_word(patch: pytest.MonkeyPatch) -> None:
    """A page's second message is taken for its first, sent again."""
    append = MemoryLog.append

    async def by_leg(
        self: MemoryLog, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **beside: Any
    ) -> int:
        if isinstance(event, ev.TextReceived):
            dedupe = f"word:{event.leg}"
        return await append(self, session, event, dedupe=dedupe, **beside)

    patch.setattr(MemoryLog, "append", by_leg)


def takes_a_word_twice(patch: pytest.MonkeyPatch) -> None:
    """A word that is sent again is another one."""
    append = MemoryLog.append

    async def each(
        self: MemoryLog, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **beside: Any
    ) -> int:
        return await append(
            self, session, event, dedupe=None if isinstance(event, ev.TextReceived) else dedupe, **beside
        )

    patch.setattr(MemoryLog, "append", each)


def puts_the_newest_first(patch: pytest.MonkeyPatch) -> None:
    """Two words that come together change places."""
    write = World.write

    def before_the_last(self: World, kept: Kept, event: ev.Event) -> int:
        version = write(self, kept, event)
        if isinstance(event, ev.TextReceived) and isinstance(kept.log[-2], ev.TextReceived):
            kept.log[-2:] = reversed(kept.log[-2:])
        return version

    patch.setattr(World, "write", before_the_last)


def waits_anew(patch: pytest.MonkeyPatch) -> None:
    """Who goes on elsewhere stands at the end of the line."""

    def forgotten(session: Session, now: float) -> Session:
        return replace(session, waiting_since=None, announced=0)

    patch.setattr("session.waiting.stop_waiting", forgotten)


def gives_it_to_another(patch: pytest.MonkeyPatch) -> None:
    """Asking for a picture puts the session before whoever is free."""
    append = MemoryLog.append

    async def to_another(
        self: MemoryLog, session: SessionId, event: ev.Event, *, dedupe: str | None = None, **beside: Any
    ) -> int:
        version = await append(self, session, event, dedupe=dedupe, **beside)
        if isinstance(event, ev.PictureRequested):
            other = next(agent for agent in AGENTS if agent != event.by)
            await append(self, session, ev.OfferAccepted(token=10_000, assignee=other, kind=AssigneeKind.AGENT))
        return version

    patch.setattr(MemoryLog, "append", to_another)


def leaves_a_leg(patch: pytest.MonkeyPatch) -> None:
    """Whoever ends a contact forgets the pages."""

    def calls_alone(legs: Iterable[Leg]) -> tuple[Leg, ...]:
        return tuple(replace(leg, state=LegState.ENDED) if leg.medium is Medium.VOICE else leg for leg in legs)

    patch.setattr("session.ending.ended", calls_alone)


def test_the_days_are_sound() -> None:
    assert list(complaints()) == []


@pytest.mark.parametrize(
    ("defect", "complaint"),
    [
        (forgets_a_word, "a message was lost, doubled or reordered"),
        (takes_a_word_twice, "a message was lost, doubled or reordered"),
        (puts_the_newest_first, "a message was lost, doubled or reordered"),
        (waits_anew, "the wait has shrunk"),
        (gives_it_to_another, "the agent changed and nothing says why"),
        (leaves_a_leg, "a leg is left after the end"),
    ],
)
def test_each_defect_is_found(
    defect: Callable[[pytest.MonkeyPatch], None], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defect(monkeypatch)
    assert complaint in complaints()
