"""What nodes tell each other in passing: who writes, whose desk was opened where. Lost, it is not missed.

Whatever matters stands in the log, which every node reads. This is told at once and kept nowhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec

import msgpack

from queueing.contract import Store
from session.ids import NodeId
from session.ports import StoreUnavailable

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Hearsay:
    """Of one node."""

    def __init__(self, store: Store, node: NodeId) -> None:
        self._store, self._node = store, node
        self._heard: dict[str, Callable[..., None]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def everywhere(self, what: str, heard: Callable[P, None]) -> Callable[P, None]:
        """The same, done here at once and at every other node as soon as it hears of it. What it is given are texts and
        numbers; `what` is a promise between nodes.
        """
        self._heard[what] = heard

        def tell(*about: P.args, **named: P.kwargs) -> None:
            heard(*about, **named)
            task = asyncio.get_running_loop().create_task(self._tell(what, about))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

        return tell

    async def run(self) -> None:
        """Until cancelled: do what other nodes tell."""
        async for word in self._store.words():
            try:
                self._take(word)
            except Exception:  # a task's top: the next word is another's
                log.exception("a word could not be read")

    def _take(self, word: bytes) -> None:
        node, what, *about = msgpack.unpackb(word)
        heard = self._heard.get(what)
        if node != self._node and heard is not None:
            heard(*about)

    async def _tell(self, what: str, about: tuple[Any, ...]) -> None:
        with suppress(StoreUnavailable):
            await self._store.say(msgpack.packb([self._node, what, *about]))
