"""What becomes of a push: put into a session, and all that follows from it, once for all of WeChat's tries."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from channels.door import Recognised
from channels.wechat.budget import Budget, Cause
from channels.wechat.incoming import (
    Clicked,
    Followed,
    Incoming,
    Left,
    Located,
    Noticed,
    Said,
    Scanned,
    SentMedia,
    Word,
)
from channels.wechat.keys import Keys
from channels.wechat.media import Media, is_final
from channels.wechat.owed import Owed
from channels.wechat.settings import WeChatSettings
from channels.wechat.telling import Telling, asked_for_human, late, left, lost, noted, placed, received, wrote
from channels.wechat.threads import Threads
from session.address import Address
from session.errors import YihaoError
from session.ids import MessageId
from session.ports import SharedState, StoredFile, StoreUnavailable

log = logging.getLogger(__name__)

_DONE_S = 24 * 3600.0
"""So long is a push known again (law 8)."""

ScanSeen = Callable[[Address, str], Awaitable[Recognised | None]]
"""Told that a citizen has scanned a QR code with that scene; durable when it returns, since WeChat's next try is then
taken for done. Told twice if the store fails in between. Raises `StoreUnavailable`.
"""


class Intake:
    """Everything is idempotent by the push's id up to the last step, which marks it as done."""

    def __init__(
        self,
        settings: WeChatSettings,
        shared: SharedState,
        threads: Threads,
        budget: Budget,
        media: Media,
        owed: Owed,
        on_scan: ScanSeen,
        name: str,
    ) -> None:
        self._settings, self._shared, self._threads = settings, shared, threads
        self._budget, self._media, self._owed = budget, media, owed
        self._on_scan, self._name = on_scan, name
        self._keys = Keys(settings.appid)

    async def take(self, one: Incoming) -> str:
        """Take it; durable when this returns. Gives what to tell the citizen at once, or nothing.

        Raises `StoreUnavailable`, `ThreadUnsettled`: then WeChat is to send it again.
        """
        if isinstance(one.word, Said):
            # By far the most of all, and nothing is told at once: the session knows it again by its id, so no mark of
            # it is read and set, and what it allows is kept in its own commit.
            window = self._budget.opened(one.openid, Cause.WORD, one.id)
            await self._threads.take(one.openid, wrote(one.word.text, one.id), one.id, window)
            return ""
        key = self._keys.done(one.openid, one.id)
        # A file is fetched while earlier words of the same citizen are still being taken, so that several pictures
        # at once need no longer than one.
        fetch = self._begin_fetch(one.word)
        try:
            async with self._threads.turn(one.openid):
                done = await self._shared.get(key)
                if done is not None:
                    return done.decode()
                # First: whoever sees the word in its session may ask at once what it allows.
                await self._allow(one)
                reply = await self._do(one, fetch)
                await self._shared.put(key, reply.encode(), ttl_s=_DONE_S)
                return reply
        finally:
            if fetch is not None:
                fetch.cancel()
                await asyncio.gather(fetch, return_exceptions=True)

    def _begin_fetch(self, word: Word) -> asyncio.Task[StoredFile] | None:
        if not isinstance(word, SentMedia):
            return None
        return asyncio.create_task(self._fetch(word.media))

    async def _fetch(self, media: str) -> StoredFile:
        async with asyncio.timeout(self._settings.media_patience_s):
            return await self._media.fetch(media)

    async def _do(self, one: Incoming, fetch: asyncio.Task[StoredFile] | None) -> str:
        reply: str | None = None
        match one.word:
            case SentMedia() if fetch is not None:
                await self._take_file(one, one.word, fetch)
            case Located():
                await self._say(one, placed(one.word, one.id))
            case Clicked(key) if key == self._settings.human_key:
                await self._say(one, asked_for_human())
            case Clicked(key):
                await self._say(one, wrote(f"[菜单] {key}", one.id))
            case Followed(scene):
                reply = await self._scanned(one, scene, "关注了公众号") or self._settings.greeting
            case Scanned(scene):
                reply = await self._scanned(one, scene, "扫了二维码")
            case Noticed(what):
                await self._mention(one, what)
            case Left():
                await self._threads.leave(one.openid, left(), one.id)
                await self._budget.close(one.openid)
        return reply or ""

    async def _allow(self, one: Incoming) -> None:
        match one.word:
            case SentMedia() | Located():
                await self._budget.allow(one.openid, Cause.WORD, one.id)
            case Followed() | Scanned(frees=True) | Clicked() | Noticed(frees=True):
                await self._budget.allow(one.openid, Cause.ACT, one.id)

    async def _scanned(self, one: Incoming, scene: str, what: str) -> str | None:
        """Where it was a code by which a session goes on here, this is the first that it hears of this leg."""
        recognised = await self._on_scan(self._threads.address(one.openid), scene) if scene else None
        if recognised is not None and recognised.goes_on:
            await self._say(one, noted(self._name, what))
        else:
            await self._mention(one, what)
        return recognised.answer if recognised is not None else None

    async def _take_file(self, one: Incoming, word: SentMedia, fetch: asyncio.Task[StoredFile]) -> None:
        try:
            await self._say(one, received(await fetch, word.kind, one.id))
        except StoreUnavailable:
            raise
        except (YihaoError, TimeoutError) as error:
            await self._say_why(one, word, error)
        if word.heard:
            text = f"[语音识别] {word.heard}"
            await self._threads.say(one.openid, wrote(text, MessageId(f"{one.id}-heard")), f"{one.id}:heard")

    async def _say_why(self, one: Incoming, word: SentMedia, error: YihaoError | TimeoutError) -> None:
        """A file that is not here, whatever the reason, is a message all the same."""
        log.warning("file not fetched with its message", extra={"why": type(error).__name__})
        may_come = isinstance(error, TimeoutError) or not is_final(error)
        if may_come and await self._owed.note(one.openid, one.id, word.kind, word.media):
            await self._threads.say(one.openid, late(word.kind, one.id), f"{one.id}:late")
        else:
            await self._say(one, lost(word.kind, one.id))

    async def _say(self, one: Incoming, telling: Telling) -> None:
        await self._threads.say(one.openid, telling, one.id)

    async def _mention(self, one: Incoming, what: str) -> None:
        await self._threads.mention(one.openid, noted(self._name, what), one.id)
