"""`contract.Kin` in memory."""

from __future__ import annotations

from collections.abc import Sequence

from queueing.memory.world import World
from session.address import Address


class MemoryKin:
    """A dictionary."""

    def __init__(self, world: World) -> None:
        self._world, self._known = world, 0

    async def known(self) -> int:
        return self._known

    async def relate(self, since: int, upto: int, persons: Sequence[Sequence[Address]]) -> bool:
        if since != self._known:
            return False
        for person in persons:
            together = tuple(str(address) for address in person)
            self._world.kin.update(dict.fromkeys(together, together))
        self._known = upto
        return True
