"""`session.ports.NodeMail` in Redis."""

from __future__ import annotations

from queueing.errors import TooLarge
from queueing.server import Server

LONGEST_LETTER_BYTES = 128 * 1024
BATCH = 100


class RedisMail:
    """One short stream a node, which nobody keeps: a letter is of use at once, or not at all."""

    def __init__(self, server: Server, prefix: str) -> None:
        self._server, self._prefix = server, prefix

    async def send(self, node: str, letter: bytes) -> bool:
        return bool(await self._server.call("mail", node, bounded(letter)))

    async def lives(self, node: str) -> bool:
        return bool(await self._server.call("lives", node))

    async def receive(self, node: str, after: str, *, block_s: float = 5.0) -> tuple[str, list[bytes]]:
        block_ms = max(1, round(block_s * 1000))
        stream = f"{self._prefix}mail:{node}"
        found = await self._server.wait_for(
            block_s, "XREAD", "COUNT", BATCH, "BLOCK", block_ms, "STREAMS", stream, after
        )
        if not found:
            return after, []
        ((_, items),) = found
        return items[-1][0].decode(), [letter for _, (_, letter) in items]


def bounded(letter: bytes) -> bytes:
    """The letter, if it may be sent."""
    if len(letter) > LONGEST_LETTER_BYTES:
        raise TooLarge("letter", len(letter), LONGEST_LETTER_BYTES)
    return letter
