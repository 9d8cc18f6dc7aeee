"""How many messages may still be sent to a citizen (客服消息下发额度), counted before each is sent, by all nodes.

Since 2023-06-12: five within 48 h after a citizen's message; three within a minute after a follow, a scan or a click
on the menu. Whether two messages of a citizen's allow ten is not documented; so the last one counts alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from channels.contract import Allowance
from channels.wechat.keys import Keys
from session.ids import MessageId
from session.ports import Note, SharedState


class Cause(StrEnum):
    """What allows messages."""

    WORD = "word"
    ACT = "act"
    """A follow, a scan, a click."""

    @property
    def messages(self) -> int:
        return 5 if self is Cause.WORD else 3

    @property
    def lasts_s(self) -> float:
        return 48 * 3600.0 if self is Cause.WORD else 60.0


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which messages may be sent."""

    cause: Cause
    id: str
    """What opened it: the same act again opens no other."""
    until: float
    """When it closes, about."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One message that was taken out of a window."""

    key: str


class Budget:
    """A window is a key that runs out by the store's clock; each message is a key of its own, so none is used twice."""

    def __init__(self, shared: SharedState, keys: Keys, clock: Callable[[], float]) -> None:
        self._shared, self._keys, self._clock = shared, keys, clock

    async def allow(self, openid: str, cause: Cause, by: MessageId) -> None:
        """The citizen did something that allows messages."""
        opened = self.opened(openid, cause, by)
        await self._shared.put(opened.key, opened.value, ttl_s=opened.ttl_s)

    def opened(self, openid: str, cause: Cause, by: MessageId) -> Note:
        """The window that it opens."""
        # The key's own end is by the store's clock, and is what counts; the time in it is for people's eyes.
        until = round(self._clock() + cause.lasts_s)
        return Note(self._keys.window(openid, cause), f"{until} {by}".encode(), cause.lasts_s)

    async def left(self, openid: str) -> int:
        """How many messages may be sent now."""
        return (await self.allowance(openid)).left

    async def allowance(self, openid: str) -> Allowance:
        """How many messages may be sent now, and when the last of them lapses."""
        windows = await self._windows(openid)
        lefts = await asyncio.gather(*(self._left_in(openid, window) for window in windows))
        ends = [window.until for window, left in zip(windows, lefts, strict=True) if left]
        return Allowance(sum(lefts), max(ends, default=None))

    async def is_open(self, openid: str) -> bool:
        """Whether anything allows messages now, used up or not."""
        return bool(await self._windows(openid))

    async def take(self, openid: str) -> Slot | None:
        """Use one message, of the window that closes first; None where there is none."""
        for window in await self._windows(openid):
            for number in range(window.cause.messages):
                key = self._keys.slot(openid, window.id, number)
                if await self._shared.put_new(key, b"", ttl_s=window.cause.lasts_s):
                    return Slot(key)
        return None

    async def give_back(self, slot: Slot) -> None:
        """The message was certainly not sent."""
        await self._shared.delete(slot.key)

    async def exhaust(self, openid: str) -> None:
        """WeChat has counted more than we: somebody else sends for this account too."""
        while await self.take(openid) is not None:
            pass

    async def close(self, openid: str) -> None:
        """WeChat says that nothing may be sent."""
        await asyncio.gather(*(self._shared.delete(self._keys.window(openid, cause)) for cause in Cause))

    async def _windows(self, openid: str) -> list[Window]:
        """Those that are open; the minute before the two days."""
        causes = (Cause.ACT, Cause.WORD)
        found = await asyncio.gather(*(self._shared.get(self._keys.window(openid, cause)) for cause in causes))
        return [_window(cause, stored) for cause, stored in zip(causes, found, strict=True) if stored is not None]

    async def _left_in(self, openid: str, window: Window) -> int:
        keys = [self._keys.slot(openid, window.id, number) for number in range(window.cause.messages)]
        used = await asyncio.gather(*(self._shared.get(key) for key in keys))
        return used.count(None)


def _window(cause: Cause, stored: bytes) -> Window:
    until, _, by = stored.decode().partition(" ")
    return Window(cause, by, float(until))
