"""Citizens: they come by themselves, write or call, wait as long as they can bear, and rate what they got."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

import aiohttp

from gateway.demo.count import Count
from gateway.demo.matters import MATTERS, Matter
from gateway.demo.pace import Pace
from gateway.demo.page import CitizenPage, Frame, NotTaken
from gateway.demo.telephone import NoAnswer, Telephone

MOST_AT_ONCE = 60
"""People of one kind in the city at one time."""


async def keep_coming(between_s: float, pace: Pace, count: Count, visit: Callable[[], Awaitable[None]]) -> None:
    """Let one after the other come, until cancelled. What befalls one of them is not the others' matter."""
    visits: set[asyncio.Task[None]] = set()

    async def whole() -> None:
        try:
            await visit()
        except (NotTaken, NoAnswer, TimeoutError, OSError, aiohttp.ClientError):
            count["trouble"] += 1

    try:
        while True:
            await asyncio.sleep(pace.arrival(between_s))
            if len(visits) < MOST_AT_ONCE:
                task = asyncio.create_task(whole())
                visits.add(task)
                task.add_done_callback(visits.discard)
    finally:
        for task in visits:
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)


class Writer:
    """One who uses the page."""

    def __init__(self, server: str, pace: Pace, count: Count) -> None:
        self._pace, self._count = pace, count
        self._page = CitizenPage(server, self._hear)
        self._answers: asyncio.Queue[None] = asyncio.Queue()
        self._over = asyncio.Event()

    async def visit(self) -> None:
        """From the first word to the rating."""
        self._count["chats"] += 1
        matter: Matter = random.choice(MATTERS)
        async with self._page:
            await self._page.send("msg.send", text=matter.words[0])
            try:
                await asyncio.wait_for(self._answers.get(), self._pace.about(self._pace.patience_s))
                self._count["answered"] += 1
                await self._talk(matter)
            except TimeoutError:
                self._count["gave_up"] += 1
                await self._page.send("session.end")
                return
            except asyncio.CancelledError:
                # The demonstration ends: nobody is left waiting for one who does not come back.
                await self._page.send("session.end")
                raise
            if random.random() < 0.7:
                await self._page.send("rating.give", score=random.choice((5, 5, 5, 4, 4, 3, 2)), comment="")

    async def _talk(self, matter: Matter) -> None:
        for words in matter.words[1:]:
            await self._page.mention("typing")
            await asyncio.sleep(self._pace.about(self._pace.reading_s))
            if self._over.is_set():
                return
            await self._page.send("msg.send", text=words)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._answers.get(), self._pace.about(self._pace.patience_s))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), self._pace.about(self._pace.patience_s))

    def _hear(self, frame: Frame) -> None:
        if frame["t"] == "msg.new" and frame["from"] == "agent":
            self._answers.put_nowait(None)
        if frame["t"] == "session.state" and frame["phase"] == "ended":
            self._over.set()
            self._answers.put_nowait(None)


class Caller:
    """One who dials."""

    def __init__(self, server: tuple[str, int], number: str, pace: Pace, count: Count) -> None:
        self._server, self._number, self._pace, self._count = server, number, pace, count

    async def visit(self) -> None:
        """Dial, speak, hang up. The house answers at once and plays music: who waits too long gives up."""
        self._count["calls"] += 1
        own = f"1{random.choice('35789')}{random.randrange(10**9):09}"
        telephone = await Telephone.open(self._server, own)
        try:
            await telephone.dial(self._number)
            stays_s = self._pace.about(self._pace.patience_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(telephone.over.wait(), stays_s)
        finally:
            await telephone.hang_up()
            telephone.close()
