"""Pulling what WeCom keeps for us, from a cursor that all nodes share; one node pulls at a time.

A callback only says that there is something. The cursor is moved after a page is durable, so a node that dies in
between leaves its page to the next, and what is taken twice is one word.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress

from channels.wechat.errors import PushRefused, WeChatError
from channels.wechat.intake import Intake
from channels.wechat.keys import Keys
from channels.wechat.kf.api import KfApi
from channels.wechat.kf.incoming import Pulled, read
from channels.wechat.kf.nicknames import Nicknames
from channels.wechat.kf.settings import KfSettings
from channels.wechat.threads import Threads
from session.errors import YihaoError
from session.ids import MessageId
from session.ports import SharedState

log = logging.getLogger(__name__)

_TOKEN_S = 600.0
_CURSOR_S = 30 * 24 * 3600.0
_LEASE_S = 60.0
_LET_GO_S = 0.001
_BUSY_S = 0.2
_PAGES = 1000
"""Of one pull: three days of a busy account; whatever is left is the next one's."""


class Puller:
    """One per node."""

    def __init__(
        self,
        settings: KfSettings,
        api: KfApi,
        shared: SharedState,
        intake: Intake,
        nicknames: Nicknames,
        threads: Threads,
    ) -> None:
        self._settings, self._api, self._shared, self._intake = settings, api, shared, intake
        self._nicknames, self._threads = nicknames, threads
        self._keys = Keys(settings.account.appid)
        self._holder = secrets.token_hex(8)
        self._called = asyncio.Event()

    async def called(self, token: str) -> None:
        """A callback has come: durable when it returns, since what it speaks of stays with WeCom for three days."""
        await self._shared.put(self._keys.pull_token, token.encode(), ttl_s=_TOKEN_S)
        self._called.set()

    async def run(self) -> None:
        """Pull when called, and now and then."""
        while True:
            pause_s = self._settings.pull_every_s
            self._called.clear()
            try:
                pause_s = pause_s if await self._pull() else _BUSY_S
            except YihaoError as error:
                log.warning("messages not pulled", extra={"why": type(error).__name__})
                pause_s = min(pause_s, error.retry_after_s or pause_s)
            except Exception:  # a task's top: one answer that breaks us must not end the pulling
                log.exception("messages not pulled")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._called.wait()

    async def _pull(self) -> bool:
        """All that there is; False where another node is at it, which may have passed what we were called for."""
        for _ in range(_PAGES):
            if await self._shared.lease(self._keys.cursor, self._holder, ttl_s=_LEASE_S) is None:
                return False
            if not await self._pull_page():
                break
        await self._shared.lease(self._keys.cursor, self._holder, ttl_s=_LET_GO_S)
        return True

    async def _pull_page(self) -> bool:
        """One page; whether there is more."""
        cursor, token = await asyncio.gather(
            self._shared.get(self._keys.cursor), self._shared.get(self._keys.pull_token)
        )
        page = await self._api.pull((cursor or b"").decode(), (token or b"").decode())
        came: dict[str, MessageId] = {}
        for message in page.messages:
            try:
                pulled = read(message)
            except PushRefused as error:
                log.warning("a pulled message is malformed", extra={"why": str(error)})
                continue
            await self._take(pulled)
            came[pulled.incoming.openid] = pulled.incoming.id
        await self._shared.put(self._keys.cursor, page.cursor.encode(), ttl_s=_CURSOR_S)
        await self._nicknames.tell(came, self._threads)
        return page.has_more

    async def _take(self, pulled: Pulled) -> None:
        text = await self._intake.take(pulled.incoming)
        if pulled.welcome:
            with suppress(WeChatError):  # a greeting that comes too late is none
                await self._api.welcome(pulled.welcome, text or self._settings.account.greeting)
