"""Calls of pages that are loaded anew at another node than the one that has their sound (换节点重连).

Sound has a way of its own beside the page's socket. So a call stays where it is: the node that the page has come to
passes its new offer on, by a letter, and the answer back; the page then sends its sound straight to the node that has
the call, as before. Which node that is stands in the shared state, in the commit that brings the call to its session.
Whoever asks is named: a call is taken up by a page of the same person only.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Protocol

from channels.calls import Caller
from channels.contract import LegUnknown
from channels.phone.errands import Errands
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, NodeId, SessionId
from session.ports import NodeMail, Note, SharedState
from session.state import LegEnd

log = logging.getLogger(__name__)

_KEPT_S = 4 * 3600.0
"""How long it is remembered where a call is; a page that leaves its node later is told that the call is over."""
_ANSWERED_S = 5.0
_AGAIN, _ANSWER, _END, _OVER = b"page-again", b"page-answer", b"page-end", b"page-over"
_GONE, _REFUSED = b"gone", b"refused"


class OfferRefused(YihaoError):
    """The engine of the other node makes nothing of the page's offer."""

    def __init__(self) -> None:
        super().__init__("the other node's engine takes no such offer")


@dataclass(frozen=True, slots=True)
class TakenUp:
    """Our description for a page that is back in its call, and where that stands."""

    description: bytes
    session: SessionId | None


class Carries(Protocol):
    """The calls of pages that a node has."""

    async def take_back(self, leg: LegId, who: Address, offer: bytes) -> TakenUp:
        """That person's page offers anew. Raises `LegUnknown`, and what the engine says of the offer."""
        ...

    def end_for(self, leg: LegId, who: Address) -> None:
        """That person hangs up. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class _Away:
    """A call of another node whose page is here."""

    node: NodeId
    who: Address
    caller: Caller


class Abroad:
    """One node's side of it: as the one that has the call, and as the one that has the page."""

    def __init__(self, node: NodeId, shared: SharedState, mail: NodeMail, calls: Carries) -> None:
        self._node, self._shared, self._mail, self._calls = node, shared, mail, calls
        self._away: dict[LegId, _Away] = {}
        self._pages: dict[LegId, set[NodeId]] = {}
        """The nodes that pages of our calls have come to: each is told when it is over."""
        self._asked: dict[bytes, asyncio.Future[tuple[bytes, bytes]]] = {}
        self._errands = Errands()

    # -- where the call is -------------------------------------------------------------------------------------

    def note(self, leg: LegId) -> Note:
        """What is kept with a call of a page's that is here."""
        return Note(_key(leg), self._node.encode(), _KEPT_S)

    async def keep(self, leg: LegId) -> None:
        """The same of one that no commit brings. Raises `StoreUnavailable`."""
        await self._shared.put(_key(leg), self._node.encode(), ttl_s=_KEPT_S)

    def over(self, leg: LegId, reason: LegEnd) -> None:
        """A call of ours has ended: wherever its page has come to, it is to be told."""
        for node in self._pages.pop(leg, ()):
            self._write(node, b" ".join((_OVER, leg.encode(), reason.value.encode())))

    # -- where the page is -------------------------------------------------------------------------------------

    def has(self, leg: LegId) -> bool:
        """Whether it is a call of another node whose page is here."""
        return leg in self._away

    async def take_up(self, leg: LegId, who: Address, offer: bytes, caller: Caller) -> bytes:
        """A page comes here out of a call; gives the description for it.

        Raises `LegUnknown` where that call is over, not theirs, or its node dead; `OfferRefused`; `StoreUnavailable`.
        """
        node = NodeId((await self._shared.get(_key(leg)) or b"").decode())
        if node in ("", self._node):
            raise LegUnknown(leg)
        away = self._away[leg] = _Away(node, who, caller)
        try:
            return await self._ask(leg, away, offer)
        except YihaoError:
            self._away.pop(leg, None)
            raise

    async def again(self, leg: LegId, offer: bytes) -> bytes:
        """As `take_up`, by a page that has come here before."""
        try:
            return await self._ask(leg, self._away[leg], offer)
        except LegUnknown:
            self._end(leg, LegEnd.LOST)
            raise

    def hang_up(self, leg: LegId) -> None:
        """The page hangs up; a call that is none of these is no error."""
        away = self._away.get(leg)
        if away is not None:
            self._write(away.node, b" ".join((_END, leg.encode(), str(away.who).encode())))

    async def _ask(self, leg: LegId, away: _Away, offer: bytes) -> bytes:
        """What the node that has the call makes of the offer. One that is dead, or says nothing in time, has none."""
        said, description = await self._answer_of(leg, away, offer)
        if said == _GONE:
            raise LegUnknown(leg)
        if said == _REFUSED:
            raise OfferRefused
        if said:
            away.caller.admitted(SessionId(said.decode()))
        return description

    async def _answer_of(self, leg: LegId, away: _Away, offer: bytes) -> tuple[bytes, bytes]:
        turn = secrets.token_hex(8).encode()
        answer: asyncio.Future[tuple[bytes, bytes]] = asyncio.get_running_loop().create_future()
        self._asked[turn] = answer
        head = b" ".join((_AGAIN, self._node.encode(), turn, leg.encode(), str(away.who).encode()))
        try:
            async with asyncio.timeout(_ANSWERED_S):
                if await self._mail.send(away.node, head + b"\n" + offer):
                    return await answer
        except TimeoutError:
            log.warning("a node did not say whether it has a page's call", extra={"other": away.node})
        finally:
            del self._asked[turn]
        return _GONE, b""

    def _end(self, leg: LegId, reason: LegEnd) -> None:
        if (away := self._away.pop(leg, None)) is not None:
            away.caller.over(leg, reason)

    # -- letters -----------------------------------------------------------------------------------------------

    def take(self, letter: bytes) -> bool:
        """Read a letter; False for one that is about something else."""
        head, _, body = letter.partition(b"\n")
        match head.split(b" ", 4):
            case [what, sender, turn, leg, who] if what == _AGAIN:
                self._errands.run(self._answer(NodeId(sender.decode()), turn, LegId(leg.decode()), who.decode(), body))
            case [what, turn, said] if what == _ANSWER:
                if (asked := self._asked.get(turn)) is not None and not asked.done():
                    asked.set_result((said, body))
            case [what, leg, who] if what == _END:
                self._calls.end_for(LegId(leg.decode()), Address.parse(who.decode()))
            case [what, leg, reason] if what == _OVER:
                self._end(LegId(leg.decode()), LegEnd(reason.decode()))
            case _:
                return False
        return True

    async def close(self) -> None:
        """What is being written stays unsaid."""
        await self._errands.close()

    async def _answer(self, node: NodeId, turn: bytes, leg: LegId, who: str, offer: bytes) -> None:
        said, description = _GONE, b""
        try:
            taken = await self._calls.take_back(leg, Address.parse(who), offer)
            said, description = (taken.session or "").encode(), taken.description
            self._pages.setdefault(leg, set()).add(node)
        except LegUnknown:
            pass
        except YihaoError:
            said = _REFUSED
        await self._post(node, b" ".join((_ANSWER, turn, said)) + b"\n" + description)

    def _write(self, node: NodeId, letter: bytes) -> None:
        self._errands.run(self._post(node, letter))

    async def _post(self, node: NodeId, letter: bytes) -> None:
        try:
            await self._mail.send(node, letter)
        except YihaoError as error:
            log.warning("a page at another node was not told", extra={"why": type(error).__name__})


def _key(leg: LegId) -> str:
    return f"phone:page:{leg}"
