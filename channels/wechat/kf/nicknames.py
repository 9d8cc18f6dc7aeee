"""By which nicknames citizens call themselves in WeChat (昵称): asked for once their words are taken, never before."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping

from channels.wechat.errors import WeChatError
from channels.wechat.kf.api import MOST_ASKED, KfApi
from channels.wechat.telling import called
from channels.wechat.threads import Threads
from session.ids import MessageId
from session.naming import self_given

log = logging.getLogger(__name__)

_REMEMBERED = 4096
_REST_S = 60.0
"""So long nobody is asked about after WeCom has failed to answer: words are pulled behind it."""


class Nicknames:
    """What this node knows of them. One that a session was begun with is told by the session's own beginning."""

    def __init__(self, api: KfApi) -> None:
        self._api = api
        self._known: OrderedDict[str, str] = OrderedDict()
        self._rests_until = 0.0

    def of(self, citizen: str) -> str:
        """What is known of that one."""
        return self._known.get(citizen, "")

    async def tell(self, came: Mapping[str, MessageId], threads: Threads) -> None:
        """Ask about whoever came, and tell in their sessions what is new. Raises `StoreUnavailable`.

        `came` has the last message of each: by it the same news are known again.
        """
        now = asyncio.get_running_loop().time()
        if not came or now < self._rests_until:
            return
        citizens = list(came)
        for start in range(0, len(citizens), MOST_ASKED):
            try:
                names = await self._api.nicknames(citizens[start : start + MOST_ASKED])
            except WeChatError as error:
                log.warning("nicknames not known", extra={"why": type(error).__name__})
                self._rests_until = now + _REST_S
                return
            for citizen, given in names.items():
                name = self_given(given)
                if name and name != self.of(citizen):
                    await threads.mention(citizen, called(name), f"{came[citizen]}:name")
                    self._remember(citizen, name)

    def _remember(self, citizen: str, name: str) -> None:
        self._known[citizen] = name
        self._known.move_to_end(citizen)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
