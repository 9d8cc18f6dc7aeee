"""`contract.Kin` in Redis."""

from __future__ import annotations

from collections.abc import Sequence

import msgpack

from queueing.server import Server
from queueing.wire import Blinding
from session.address import Address


class RedisKin:
    """A key for each address that is not alone."""

    def __init__(self, server: Server, blinding: Blinding) -> None:
        self._server, self._blinding = server, blinding

    async def known(self) -> int:
        return int(await self._server.call("kin_known"))

    async def relate(self, since: int, upto: int, persons: Sequence[Sequence[Address]]) -> bool:
        blinded = [[self._blinding.citizen(address) for address in person] for person in persons]
        return bool(await self._server.call("relate", since, upto, msgpack.packb(blinded)))
