"""A citizen who dials again may come to another node than the one that still holds their dead call (重拨).

Which node holds the newest call of a number stands in the shared state, written in the commit that brings the call to
its session. The node that a later call comes to asks that one to look (`channels.phone.redial`), by a letter, and waits
until it has: else the core would take both for two people's calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from channels.phone.errands import Errands
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, NodeId
from session.ports import Contact, NodeMail, Note, SharedState

log = logging.getLogger(__name__)

KNOWN_S = 4 * 3600.0
"""How long a call is remembered; who is on the line for longer begins anew."""
LOOKED_S = 5.0
"""For the other node to look and to tell the core; after that the new call begins a session of its own."""
_LOOK, _LOOKED = b"look", b"looked"

Bury = Callable[[LegId], Awaitable[None]]
"""End the calls from the number of that call of ours which nobody holds any more."""


class Elsewhere:
    """One node's side of it, asking and asked."""

    def __init__(self, node: NodeId, shared: SharedState, mail: NodeMail, secret: bytes, bury: Bury) -> None:
        """`secret` is shared by the nodes: it blinds numbers in names of keys."""
        self._node, self._shared, self._mail, self._secret, self._bury = node, shared, mail, secret, bury
        self._awaited: dict[LegId, asyncio.Event] = {}
        self._errands = Errands()

    def note(self, address: Address, leg: LegId) -> Note:
        """What is kept with a call whose number the network vouches for."""
        return Note(self._key(address), f"{self._node} {leg}".encode(), KNOWN_S)

    async def bury(self, contact: Contact) -> None:
        """Let the node that holds an older call from this number see whether anybody still holds that."""
        if not contact.asserted:
            return
        with suppress(YihaoError, TimeoutError):
            node, _, leg = (await self._shared.get(self._key(contact.address)) or b"").decode().partition(" ")
            if leg and node != self._node:
                await self._ask(NodeId(node), LegId(leg))

    def take(self, letter: bytes) -> bool:
        """Read a letter; False for one that is about something else."""
        match letter.split(b" "):
            case [what, sender, leg] if what == _LOOK:
                self._errands.run(self._look(sender.decode(), LegId(leg.decode())))
            case [what, leg] if what == _LOOKED:
                if (awaited := self._awaited.get(LegId(leg.decode()))) is not None:
                    awaited.set()
            case _:
                return False
        return True

    async def close(self) -> None:
        """Nobody waits for what is still being looked at here longer than they would for a dead node."""
        await self._errands.close()

    async def _ask(self, node: NodeId, leg: LegId) -> None:
        looked = self._awaited.setdefault(leg, asyncio.Event())
        try:
            async with asyncio.timeout(LOOKED_S):
                if await self._mail.send(node, b" ".join((_LOOK, self._node.encode(), leg.encode()))):
                    await looked.wait()
        finally:
            if self._awaited.get(leg) is looked:
                del self._awaited[leg]

    async def _look(self, asker: str, leg: LegId) -> None:
        try:
            await self._bury(leg)
            await self._mail.send(asker, b" ".join((_LOOKED, leg.encode())))
        except YihaoError as error:
            log.warning("an older call was not looked at", extra={"why": type(error).__name__})

    def _key(self, address: Address) -> str:
        return f"phone:call:{hmac.digest(self._secret, f'call {address}'.encode(), hashlib.sha256).hex()[:40]}"
