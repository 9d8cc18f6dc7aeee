"""`session.ports.NodeMail` in memory."""

from __future__ import annotations

from collections.abc import Callable

from queueing.mail import bounded
from queueing.memory.world import World
from session.ids import NodeId


class MemoryMail:
    """A list a node."""

    def __init__(self, world: World, lives: Callable[[NodeId], bool]) -> None:
        self._world, self._lives = world, lives
        self._letters: dict[str, list[bytes]] = {}

    async def send(self, node: str, letter: bytes) -> bool:
        letter = bounded(letter)
        if not self._lives(NodeId(node)):
            return False
        self._letters.setdefault(node, []).append(letter)
        self._world.grow()
        return True

    async def lives(self, node: str) -> bool:
        return self._lives(NodeId(node))

    async def receive(self, node: str, after: str, *, block_s: float = 5.0) -> tuple[str, list[bytes]]:
        letters, seen = self._letters.setdefault(node, []), int(after)
        await self._world.until(lambda: len(letters) > seen, block_s)
        return str(len(letters)), letters[seen:]
