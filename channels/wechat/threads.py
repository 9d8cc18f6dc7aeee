"""Citizens' threads by their openids (微信会话)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache

from channels import threads
from channels.threads import Word
from channels.wechat.settings import WeChatSettings
from session.address import Address
from session.events import Event
from session.ids import LegId
from session.ports import Inbox, Note, SharedState

Said = Callable[[LegId], Event]
NameOf = Callable[[str], str]
"""What is known of an openid's nickname; empty for nothing."""


class Threads:
    """Of one account. An openid has over a hundred random bits, so that names of keys need no pepper to hide it."""

    def __init__(
        self,
        inbox: Inbox,
        shared: SharedState,
        settings: WeChatSettings,
        *,
        channel: str,
        scheme: str,
        name_of: NameOf = lambda _: "",
    ) -> None:
        self._scheme, self._appid, self._name_of = scheme, settings.appid, name_of
        self._threads = threads.Threads(
            inbox,
            shared,
            channel=channel,
            number=settings.number,
            name=f"wechat:{settings.appid}",
            pepper=b"",
            ttl_s=settings.thread_ttl_s,
        )

    def address(self, openid: str) -> Address:
        """The citizen's."""
        return _address(self._scheme, openid, self._appid)

    def turn(self, openid: str) -> asyncio.Lock:
        """See `channels.threads`."""
        return self._threads.turn(self.address(openid))

    def take(self, openid: str, said: Said, dedupe: str, *notes: Note) -> Awaitable[None]:
        """See `channels.threads`."""
        return self._threads.take(Word(self.address(openid), said, dedupe, notes=notes, name=self._name_of(openid)))

    async def say(self, openid: str, said: Said, dedupe: str) -> None:
        """See `channels.threads`."""
        await self._threads.say(Word(self.address(openid), said, dedupe, name=self._name_of(openid)))

    async def mention(self, openid: str, said: Said, dedupe: str) -> None:
        """See `channels.threads`."""
        await self._threads.mention(Word(self.address(openid), said, dedupe))

    async def leave(self, openid: str, said: Said, dedupe: str) -> None:
        """See `channels.threads`."""
        await self._threads.leave(Word(self.address(openid), said, dedupe))

    async def end(self, leg: LegId) -> None:
        """See `channels.threads`."""
        await self._threads.end(leg)

    async def citizen_of(self, leg: LegId) -> str | None:
        """The openid behind a leg; None for one that is not ours."""
        reached = await self._threads.reaches(leg)
        return reached[0].identifier if reached is not None else None


@lru_cache(maxsize=4096)
def _address(scheme: str, openid: str, appid: str) -> Address:
    """Of who wrote lately: to prove one sound takes as long as to write an event."""
    return Address(scheme, openid, appid)
