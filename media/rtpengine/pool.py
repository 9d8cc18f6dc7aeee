"""Several rtpengines: which of them live, and who takes the next call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from media.errors import EngineFull, EngineLost, EngineSlow
from media.rtpengine.bencode import Said, Value
from media.rtpengine.ng import Ng

log = logging.getLogger(__name__)

_LOOK_S = 1.0
_MISSED = 2
"""Pings in a row without an answer, while no sound came through it either: it hangs, and its calls are dead air."""
_PAUSES_S = (0.2, 1.0, 5.0)
"""Before another try to reach it."""


class Anchored(Protocol):
    """A call that goes through one of them."""

    def heard(self) -> int:
        """How many packets of sound have come through it so far, from ends that are still there."""
        ...

    def lost(self) -> None:
        """That one is no more."""
        ...


@dataclass(eq=False)
class Anchor:
    """One rtpengine. Its calls are its own: none of them outlives the connection by which they were made."""

    host: str
    port: int
    calls: set[Anchored] = field(default_factory=set)
    ng: Ng | None = None
    is_slow: bool = False
    """It has let a ping wait, and has its hands full with what it carries."""

    async def ask(self, command: str, fields: dict[str, Said] | None = None) -> dict[str, Value]:
        """As `Ng.ask`."""
        if self.ng is None:
            raise EngineLost
        try:
            return await self.ng.ask(command, fields)
        except EngineFull as full:
            raise EngineFull(len(self.calls)) from full

    async def keep(self, reached: asyncio.Event) -> None:
        """Hold a connection, and look whether anybody is behind it, until cancelled."""
        failures = 0
        while True:
            with suppress(EngineLost):
                ng = await Ng.connected(self.host, self.port)
                hearing = asyncio.create_task(ng.run())
                try:
                    await ng.ask("ping")
                    self.ng, failures = ng, 0
                    log.info("an rtpengine is there")
                    reached.set()
                    await self._watch(ng)
                    self._parted()
                finally:
                    ng.close()
                    await asyncio.wait({hearing})
            reached.set()
            failures += 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])

    async def _watch(self, ng: Ng) -> None:
        """Until it is gone, or hangs. One that is busy answers late, and what it is there for goes on."""
        missed = 0
        while missed < _MISSED and not ng.is_gone:
            before = self._heard()
            try:
                await ng.ask("ping")
                missed, self.is_slow = 0, False
            except EngineSlow:
                is_carrying = any(heard > before.get(call, heard) for call, heard in self._heard().items())
                missed, self.is_slow = (0 if is_carrying else missed + 1), True
            except EngineLost:
                return
            await asyncio.sleep(_LOOK_S if not missed else 0)

    def _heard(self) -> dict[Anchored, int]:
        return {call: call.heard() for call in self.calls}

    def _parted(self) -> None:
        self.ng = None
        lost, self.calls = self.calls, set()
        log.log(logging.ERROR if lost else logging.WARNING, "an rtpengine is gone", extra={"calls": len(lost)})
        for call in lost:
            call.lost()


class Pool:
    """An async context manager. Entered, each has been tried once; those that were silent are tried again and again."""

    def __init__(self, addresses: Sequence[tuple[str, int]]) -> None:
        self.anchors = tuple(Anchor(host, port) for host, port in addresses)
        self._keeping: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Reach them."""
        tried = [asyncio.Event() for _ in self.anchors]
        self._keeping = [
            asyncio.create_task(anchor.keep(event)) for anchor, event in zip(self.anchors, tried, strict=True)
        ]
        await asyncio.gather(*(event.wait() for event in tried))

    async def close(self) -> None:
        """Part with all of them."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)

    def freest(self) -> Anchor:
        """The one with the fewest calls of ours, of those that answer as they should where there are any.

        Raises `EngineLost` where none lives.
        """
        living = [anchor for anchor in self.anchors if anchor.ng is not None]
        if not living:
            raise EngineLost
        return min(living, key=lambda anchor: (anchor.is_slow, len(anchor.calls)))
