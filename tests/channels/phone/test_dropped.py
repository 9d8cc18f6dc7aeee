"""An agent hears that the citizen's call broke off: until they have heard it or are gone, and not for ever."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from channels.phone.dropped import Dropped
from session.audio import CITIZEN_DROPPED, Announcement, AudioSession, Slot
from tests.channels.phone.clockwork import run


@dataclass
class Heard:
    """Of an audio session's port, what is asked of it here."""

    played: list[tuple[Slot, tuple[Announcement, ...]]] = field(default_factory=list)
    is_parted: bool = False

    async def part(self) -> None:
        self.is_parted = True

    async def play(self, slot: Slot, items: Sequence[Announcement]) -> None:
        self.played.append((slot, tuple(items)))


def told(enough_after_s: float | None) -> float:
    """How long the agent is told, by the clock of the test."""
    took: list[float] = []

    async def story() -> None:
        heard = Heard()
        audio: AudioSession = heard  # type: ignore[assignment]  # of a whole port these alone are asked
        dropped, loop = Dropped(audio, asyncio.Lock()), asyncio.get_running_loop()
        dropped.enough()
        assert not dropped.is_told
        if enough_after_s is not None:
            loop.call_later(enough_after_s, dropped.enough)
        began = loop.time()
        await dropped.tell()
        took.append(loop.time() - began)
        assert (heard.is_parted, heard.played) == (True, [(Slot.AGENT, (CITIZEN_DROPPED,))])
        assert dropped.is_told

    run(story())
    return took[0]


def test_it_ends_when_they_have_heard_it() -> None:
    assert 2.9 < told(enough_after_s=3.0) < 3.5


def test_it_ends_by_itself() -> None:
    assert 7.9 < told(enough_after_s=None) < 8.5
