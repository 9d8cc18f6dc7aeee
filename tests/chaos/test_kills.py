"""SIGKILLs of gateways and of the store with calls and chats under way: nothing that was promised is lost."""

from pathlib import Path

import pytest

from tests.chaos.checker import findings, stories
from tests.chaos.world import World, each_takes_a_new_contact


@pytest.mark.chaos
@pytest.mark.timeout(3600)
async def test_kills_lose_nothing(short_folder: Path, long_run: bool) -> None:
    node_kills, store_kills = (100, 20) if long_run else (10, 3)
    async with World(short_folder) as world:
        world.fill()
        for number in range(node_kills):
            await world.pause(0.2, 1.0)
            await world.kill_node(number % 2)
            if (number + 1) * store_kills // node_kills > number * store_kills // node_kills:
                await world.pause(0.1, 0.5)
                await world.kill_store()
        await world.pause(0.5, 1.0)
        await world.rest()
        evidence = await world.evidence()
        print(f"{len(evidence.logs)} sessions, {len(evidence.words)} words, {len(evidence.callers)} calls answered,")
        print(f"{world.answered} chats accepted, {node_kills} gateways and {store_kills} stores killed")
        assert world.faults == []
        found = findings(evidence)
        assert not found, stories(evidence, found)
        assert len(evidence.words) >= 3 * node_kills, "hardly anybody wrote: the kills have shown nothing"
        assert len(evidence.callers) >= node_kills, "hardly anybody called: the kills have shown nothing"
        assert world.answered >= node_kills, "hardly anybody was answered: the kills have shown nothing"
        assert [agent async for agent in each_takes_a_new_contact(world)] == [], "these agents leaked"
        await world.rest()
        evidence = await world.evidence()
        found = findings(evidence)
        assert not found, stories(evidence, found)
