"""Files that WeChat has and we do not yet: noted by all nodes, fetched by one, until they are here or gone."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from channels.wechat.incoming import MediaKind
from channels.wechat.keys import Keys
from channels.wechat.media import Media, is_final
from channels.wechat.telling import lost, received
from channels.wechat.threads import Threads
from session.errors import YihaoError
from session.ids import MessageId
from session.ports import SharedState, StoreUnavailable

log = logging.getLogger(__name__)

KEPT_S = 3 * 24 * 3600.0
"""So long does WeChat keep a file."""
_LEASE_S = 60.0
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True)
class Debt:
    """One file."""

    openid: str
    message: str
    kind: str
    media: str
    since: float
    next_at: float
    tries: int = 0

    def put_off(self, now: float) -> Debt:
        """To be tried again, later each time."""
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self.tries)
        return replace(self, tries=self.tries + 1, next_at=now + pause_s)


class Owed:
    """At most 64 at a time, as the map in the shared state holds no more."""

    def __init__(self, shared: SharedState, keys: Keys, media: Media, threads: Threads, *, every_s: float) -> None:
        self._shared, self._keys, self._media, self._threads = shared, keys, media, threads
        self._every_s = every_s
        self._holder = secrets.token_hex(8)
        self._noted = asyncio.Event()

    async def note(self, openid: str, message: MessageId, kind: MediaKind, media: str) -> bool:
        """Owe a file; False where too many are owed already. Durable when it returns."""
        now = await self._shared.now()
        debt = Debt(openid, message, kind.value, media, since=now, next_at=now)
        try:
            await self._keep(debt)
        except StoreUnavailable:
            raise
        except YihaoError:  # the map is full
            return False
        self._noted.set()
        return True

    async def run(self) -> None:
        """Fetch what is owed, for ever."""
        while True:
            try:
                await self._round()
            except YihaoError as error:
                log.warning("owed files could not be fetched", extra={"why": type(error).__name__})
            except Exception:  # a task's top: one file that breaks us must not end the fetching of others
                log.exception("owed files could not be fetched")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._noted.wait()
            self._noted.clear()

    async def _round(self) -> None:
        if await self._shared.lease(self._keys.owed, self._holder, ttl_s=_LEASE_S) is None:
            return
        now = await self._shared.now()
        for value in (await self._shared.fields(self._keys.owed)).values():
            debt = Debt(**json.loads(value))
            if debt.next_at <= now:
                await self._pay(debt, now)

    async def _pay(self, debt: Debt, now: float) -> None:
        try:
            event = received(await self._media.fetch(debt.media), MediaKind(debt.kind), MessageId(debt.message))
        except StoreUnavailable:
            raise
        except YihaoError as error:
            if not is_final(error) and now - debt.since < KEPT_S:
                await self._keep(debt.put_off(now))
                return
            log.warning("owed file given up", extra={"why": type(error).__name__})
            event = lost(MediaKind(debt.kind), MessageId(f"{debt.message}-lost"))
        await self._threads.say(debt.openid, event, debt.message)
        await self._shared.delete_field(self._keys.owed, debt.message)

    async def _keep(self, debt: Debt) -> None:
        value = json.dumps(asdict(debt)).encode()
        await self._shared.put_field(self._keys.owed, debt.message, value, ttl_s=2 * KEPT_S)
