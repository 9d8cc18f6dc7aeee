"""Which ladder a message belongs to: found by its Call-ID, for as long as anything of the call may come."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from channels.phone.ladder import Ladder, Way

if TYPE_CHECKING:
    from channels.phone.flow import Flow
    from channels.phone.ladders import Ladders
    from channels.phone.sip.message import Message


class Tracer:
    """One endpoint's."""

    def __init__(self, ladders: Ladders | None, after_s: float) -> None:
        """`after_s`: how long behind a call's end messages of it still come. Without ladders nobody sees any."""
        self._ladders = ladders
        self._after_s = after_s
        self._traced: dict[str, Ladder] = {}
        self._over: deque[tuple[float, str]] = deque()
        """Calls that have ended, each with the time when nothing more of it can come. A timer for each would be three
        objects more that every look of the collector passes.
        """

    def begin(self) -> Ladder:
        """The ladder of a call that comes."""
        return self._ladders.begin() if self._ladders is not None else Ladder.unseen()

    def trace(self, call_id: str, ladder: Ladder, peer: str) -> None:
        """Messages of that Call-ID, exchanged with that peer, are the ladder's."""
        if self._ladders is not None:
            ladder.meet(call_id, peer)
            self._traced[call_id] = ladder

    def saw(self, message: Message, flow: Flow, way: Way) -> None:
        """A message has come or gone."""
        ladder = self._traced.get(message.call_id)
        if ladder is not None:
            ladder.saw(message, flow, way)

    def end(self, call_id: str) -> None:
        """That call is over. One that never got its name is forgotten at once: it was refused."""
        now = asyncio.get_running_loop().time()
        ladder = self._traced.get(call_id)
        if ladder is not None and ladder.name:
            self._over.append((now + self._after_s, call_id))
        elif ladder is not None:
            asyncio.get_running_loop().call_soon(self._traced.pop, call_id, None)
        while self._over and self._over[0][0] <= now:
            self._traced.pop(self._over.popleft()[1], None)
