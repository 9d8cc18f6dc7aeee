"""Small things that a node does again and again while its store can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bots.runner import BotRunner
from gateway.node import Node
from queueing.contract import Presence, Store
from session.ports import StoreUnavailable

RETRY_S = 0.5
ATTEND_S = 5.0


async def until_taken(write: Callable[[], Awaitable[object]]) -> None:
    """Until the store has it."""
    while True:
        try:
            await write()
            return
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)


async def match(store: Store, node: Node) -> None:
    """Make offers the moment that something changed; the sweep makes those whose hint was lost."""
    while True:
        try:
            async for _ in store.wakes():
                if not node.draining:
                    await store.queue.match()
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)


async def attend(store: Store, bots: BotRunner) -> None:
    """A bot that missed an offer, with the node that ran it, is there again: it has no own act to wait for."""
    while True:
        await asyncio.sleep(ATTEND_S)
        with suppress(StoreUnavailable):
            for bot in bots.bots:
                await store.queue.present(bot.name, Presence.READY)
