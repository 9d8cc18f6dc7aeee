"""Calls and chats come and go for a long time on two nodes that share a store: nothing grows that should not.

Every day for some seconds, `make soak` for an hour.
"""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.checker import findings, stories
from tests.chaos.world import World, each_takes_a_new_contact

PAGE = 4096
GROWS_MIB_AN_HOUR = 64
"""More than this is a leak; less may be an allocator's mood."""
SPARE_FILES = 40


@dataclass(frozen=True)
class Size:
    """Of one process."""

    resident_mib: float
    files: int

    @classmethod
    def of(cls, pid: int) -> "Size":
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * PAGE / 2**20, len(list(Path(f"/proc/{pid}/fd").iterdir())))


def sizes(world: World) -> list[Size]:
    return [Size.of(node.pid) for node in world.nodes]


async def looked_at(world: World, seconds: float) -> list[Size]:
    """The sizes behind that time; it says every minute how they are."""
    ends_at = time.monotonic() + seconds
    while (left_s := ends_at - time.monotonic()) > 0:
        await asyncio.sleep(min(60.0, left_s))
        print(f"{len(world.words)} words and {len(world.callers)} calls so far, {sizes(world)}", flush=True)
    return sizes(world)


@pytest.mark.soak
@pytest.mark.timeout(7200)
async def test_nothing_grows(short_folder: Path, long_run: bool) -> None:
    seconds = 3600.0 if long_run else 6.0
    async with World(short_folder) as world:
        idle = sizes(world)
        world.fill()
        warm = await looked_at(world, seconds / 3)
        late = await looked_at(world, seconds * 2 / 3)
        await world.rest()
        rested = sizes(world)
        evidence = await world.evidence()
        found = findings(evidence)
        print(
            f"{len(evidence.logs)} sessions in {seconds:.0f} s; idle {idle}, warm {warm}, late {late}, rested {rested}"
        )
        assert not found, stories(evidence, found)
        assert len(evidence.logs) > seconds / 3, "hardly anybody came: the soak has shown nothing"
        for before, after in zip(idle, rested, strict=True):
            assert after.files <= before.files + SPARE_FILES, "open files are left behind"
        if long_run:
            hours = seconds * 2 / 3 / 3600
            for before, after in zip(warm, late, strict=True):
                assert after.resident_mib - before.resident_mib <= GROWS_MIB_AN_HOUR * hours
        assert [agent async for agent in each_takes_a_new_contact(world)] == [], "these agents leaked"
