"""How a call that runs sounds: told every five seconds, and on the ladder no more often than it says something."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from channels.phone.ladder import Ladder, Row
from channels.phone.measuring import Measures, keep_listening
from session.audio import AudioQuality, AudioSession, Slot
from session.ids import LegId, SessionId
from tests.channels.phone.clockwork import run

SESSION = SessionId("S1")
CLEAN = AudioQuality(4.39, 0.0, 3.0, 12.0, heard=True)
WORSE = replace(CLEAN, mos=3.5, loss=0.05)
Told = tuple[SessionId, str, float, float, float]


@dataclass
class Talking:
    """A call in which two talk; the agent's end always sounds well."""

    citizens: Iterator[AudioQuality | None]
    is_joined: bool = True
    session: SessionId | None = SESSION
    rows: list[Row] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ladder = Ladder(lambda: 0.0, lambda _, row, __: self.rows.append(row))
        self.ladder.named("leg")

    async def quality(self, *, lately: bool = False) -> Mapping[Slot, AudioQuality]:
        citizens = next(self.citizens, CLEAN)
        agents = {Slot.AGENT: CLEAN, Slot.SUPERVISOR: CLEAN}
        return agents if citizens is None else {Slot.CITIZEN: citizens, **agents}

    async def listened_to(self, seconds: float) -> None:
        audio: AudioSession = self  # type: ignore[assignment]  # of a whole port this alone is asked
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await keep_listening(self, audio, lambda *what: self.told.append(what))

    def rungs(self, peer: str) -> list[str]:
        return [row.what for row in self.rows if row.peer == peer]


def test_a_rung_for_each_change_and_else_ever_fewer() -> None:
    call = Talking(iter([CLEAN, CLEAN, WORSE, WORSE, None, CLEAN]))
    run(call.listened_to(3596))
    assert call.rungs("citizen")[:3] == ["sounds good", "sounds good", "sounds poor"]
    assert len(call.rungs("agent")) == 10, "an hour of one grade"
    assert len(call.told) == 2 * 720 - 1, "and each figure was told"
    assert call.told[0] == ("S1", "citizen", 4.39, 0.0, 3.0)


def test_who_is_not_joined_is_not_listened_to() -> None:
    call = Talking(iter([]), is_joined=False)
    run(call.listened_to(55))
    assert (call.told, call.rows) == ([], [])


async def test_each_leg_is_measured_once_as_it_ends() -> None:
    call = Talking(iter([None, WORSE]))
    audio: AudioSession = call  # type: ignore[assignment]  # as above
    measures = Measures(audio, call.ladder)
    citizen, agent = LegId("citizen"), LegId("agent")
    told = await measures.of({Slot.CITIZEN: citizen, Slot.AGENT: agent})
    assert [(one.leg, one.mos) for one in told] == [(agent, 4.39)], "the citizen's end is not agreed on yet"
    told = await measures.of({Slot.CITIZEN: citizen, Slot.AGENT: agent})
    assert [(one.leg, one.mos, one.loss) for one in told] == [(citizen, 3.5, 0.05)]
    assert await measures.of({Slot.AGENT: agent}) == []
    assert [row.peer for row in call.rows] == ["agent", "citizen"]
