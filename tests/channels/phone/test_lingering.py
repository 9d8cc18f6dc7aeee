"""What is over is remembered for its time, and no longer."""

import asyncio

from channels.phone.lingering import Lingering
from tests.channels.phone.clockwork import run


def test_each_goes_when_its_time_has_come_and_is_told_of() -> None:
    gone: list[tuple[str, int]] = []

    async def story() -> None:
        lingering = Lingering[str, int](32.0, lambda key, value: gone.append((key, value)))
        lingering.put("first", 1)
        await asyncio.sleep(31.0)
        lingering.put("second", 2)
        assert (lingering.get("first"), lingering.get("third")) == (1, None)
        await asyncio.sleep(1.6)
        assert (list(lingering), gone) == (["second"], [("first", 1)])
        await asyncio.sleep(32.0)
        assert (len(lingering), gone) == (0, [("first", 1), ("second", 2)])
        lingering.put("third", 3)
        await asyncio.sleep(33.0)
        assert "third" not in lingering, "its timer begins anew"

    run(story())


def test_the_oldest_gives_way_once_it_is_old_enough() -> None:
    async def story() -> None:
        lingering = Lingering[str, int](32.0)
        lingering.put("first", 1)
        lingering.put("second", 2)
        assert not lingering.give_way(5.0)
        await asyncio.sleep(6.0)
        assert lingering.give_way(5.0)
        assert list(lingering) == ["second"]
        lingering.stop()
        assert not lingering

    run(story())
