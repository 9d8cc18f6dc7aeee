"""The log and the history joined, while entries move from the one to the other."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import storage.timeline
from session.ids import SessionId
from session.ports import Entry
from storage.errors import TimelineGap
from storage.timeline import read_timeline
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import entries_of

A = SessionId("01A")
WHOLE = entries_of(A, stamped(STORIES["call answered"]))


class Part:
    """Holds some of a session's entries; before each reading, the world moves on."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries

    async def entries_after(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        return [entry for entry in self.entries if entry.version > after][:limit]


class World:
    """Log and history, between which an archiver works at moments that chance decides."""

    def __init__(self, archived: int, trimmed: int, seed: int) -> None:
        self.log, self.history = Part(WHOLE[trimmed:]), Part(WHOLE[:archived])
        self.archived, self.trimmed, self._chance = archived, trimmed, random.Random(seed)

    def move(self) -> None:
        self.archived = self._chance.randint(self.archived, len(WHOLE))
        self.trimmed = self._chance.randint(self.trimmed, self.archived)
        self.log.entries, self.history.entries = WHOLE[self.trimmed :], WHOLE[: self.archived]

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        self.move()
        return await self.log.entries_after(session, after, limit)

    async def timeline(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        self.move()
        return await self.history.entries_after(session, after, limit)


@given(
    places=st.tuples(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE))).map(sorted),
    after=st.integers(0, len(WHOLE)),
    page=st.integers(1, 20),
    seed=st.integers(0, 2**32),
)
async def test_it_is_whole_wherever_the_entries_are(places: list[int], after: int, page: int, seed: int) -> None:
    world = World(archived=places[1], trimmed=places[0], seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage.timeline, "PAGE", page)
        assert await read_timeline(world, world, A, after) == WHOLE[after:]


class Still:
    """Log and history at rest."""

    def __init__(self, live: list[Entry], kept: list[Entry]) -> None:
        self._live, self._kept = Part(live), Part(kept)

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        return await self._live.entries_after(session, after, limit)

    async def timeline(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        return await self._kept.entries_after(session, after, limit)


@pytest.mark.parametrize(
    ("live", "kept", "lacks"),
    [
        (WHOLE[6:], WHOLE[:4], 5),
        ([], WHOLE[:4] + WHOLE[6:], 5),
        (WHOLE[3:], [], 1),
        ([], WHOLE[1:], 1),
    ],
)
async def test_a_hole_is_never_passed_over(live: list[Entry], kept: list[Entry], lacks: int) -> None:
    world = Still(live, kept)
    with pytest.raises(TimelineGap) as gap:
        await read_timeline(world, world, A)
    assert gap.value.version == lacks


async def test_a_session_that_is_nowhere_has_no_timeline() -> None:
    assert await read_timeline(Still([], []), Still([], []), A) == []
