"""How a leg sounds while it is joined, and how it sounded, as the desk, the core and the ladder are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from channels.phone.ladder import Ladder
from channels.phone.ports import Sounded
from session.audio import AudioQuality, AudioSession, Slot
from session.events import QualityMeasured
from session.ids import LegId, SessionId
from session.state import Party


class Measures:
    """How the legs of a call sounded: of each once, as it ends."""

    def __init__(self, audio: AudioSession, ladder: Ladder) -> None:
        self._audio, self._ladder = audio, ladder
        self._taken: set[LegId] = set()

    async def of(self, ends: Mapping[Slot, LegId]) -> list[QualityMeasured]:
        """To be asked before a slot is given to another; onto the ladder too. None of a leg that agreed on nothing."""
        if self._taken.issuperset(ends.values()):
            return []
        quality = await self._audio.quality()
        heard = {slot: leg for slot, leg in ends.items() if slot in quality and leg not in self._taken}
        self._taken.update(heard.values())
        for slot in heard:
            self._ladder.note("sound heard", _in_words(quality[slot]), slot)
        return [_measured(quality[slot], leg) for slot, leg in heard.items()]


def _in_words(quality: AudioQuality) -> str:
    packets = f"{quality.packets_received} packets, {quality.packets_lost} lost"
    return f"{packets}, jitter {quality.jitter_ms:.1f} ms, MOS {quality.mos:.1f}"


def _measured(quality: AudioQuality, leg: LegId) -> QualityMeasured:
    return QualityMeasured(
        leg=leg,
        mos=round(quality.mos, 2),
        loss=round(quality.loss, 4),
        jitter_ms=round(quality.jitter_ms, 1),
        round_trip_ms=None if quality.round_trip_ms is None else round(quality.round_trip_ms, 1),
        heard=quality.heard,
    )


LOOK_S = 5.0
"""From the beginning of a call to the first look at how it sounds, and between two."""
_ENDS = {Slot.CITIZEN: Party.CITIZEN, Slot.AGENT: Party.ASSIGNEE}


class Joined(Protocol):
    """A call in which two may hear each other."""

    is_joined: bool
    session: SessionId | None
    ladder: Ladder


class Grade(StrEnum):
    """As people would say it: they are content with `good`, and complain of `bad` (ITU-T G.107, annex B)."""

    GOOD = "good"
    POOR = "poor"
    BAD = "bad"

    @classmethod
    def of(cls, mos: float) -> Grade:
        """Of a mean opinion."""
        return cls.GOOD if mos >= 4.0 else cls.POOR if mos >= 3.1 else cls.BAD


async def keep_listening(call: Joined, audio: AudioSession, sounded: Sounded) -> None:
    """Until cancelled: tell how each end of a joined call sounds, every few seconds.

    The ladder gets a rung when the grade changes, and else at pauses that double: an hour is a dozen rungs.
    """
    rungs: dict[Slot, tuple[Grade, int]] = {}
    looks = 0
    while True:
        if call.is_joined and call.session is not None:
            looks += 1
            await _look(call, call.session, audio, sounded, rungs, looks)
        else:
            rungs.clear()
            looks = 0
        await asyncio.sleep(LOOK_S)


async def _look(
    call: Joined,
    session: SessionId,
    audio: AudioSession,
    sounded: Sounded,
    rungs: dict[Slot, tuple[Grade, int]],
    looks: int,
) -> None:
    for slot, quality in (await audio.quality(lately=True)).items():
        party = _ENDS.get(slot)
        if party is None:
            continue
        sounded(session, party.value, round(quality.mos, 2), round(quality.loss, 4), round(quality.jitter_ms, 1))
        grade = Grade.of(quality.mos)
        before, due = rungs.get(slot, (None, 0))
        if grade is not before or looks >= due:
            rungs[slot] = grade, 2 * looks
            figures = f"MOS {quality.mos:.1f}, {quality.loss:.1%} lost, jitter {quality.jitter_ms:.0f} ms"
            call.ladder.note(f"sounds {grade}", figures, slot)


async def received(audio: AudioSession, slot: Slot) -> int:
    """Packets of sound that have come from a slot's telephone."""
    return (await audio.stats(slot)).packets_received
