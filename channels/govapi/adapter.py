"""The API for government platforms as a channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from channels.contract import Badge, Capabilities, Content, Timeline
from channels.govapi.answers import Answers
from channels.govapi.callbacks import Callbacks
from channels.govapi.clients import check
from channels.govapi.counter import Counter
from channels.govapi.gate import Gate
from channels.govapi.matters import Matters
from channels.govapi.reception import Reception
from channels.govapi.settings import GovApiSettings
from channels.govapi.users import SCHEME, Users
from session.ids import LegId, SessionId
from session.ports import Attests, Entry, Files, Inbox, Lines, SharedState
from session.state import LegEnd, Medium

NAME = "govapi"


class GovApiChannel:
    """A `Channel` that follows the timeline: what platforms fetch, and what is brought to them, is read from there."""

    def __init__(
        self, settings: GovApiSettings, counter: Counter, reception: Reception, matters: Matters, callbacks: Callbacks
    ) -> None:
        """Use `open`."""
        self.name = NAME
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.MESSAGE,
            survives_node=True,
            follows_timeline=True,
            longest_text=settings.longest_text,
        )
        self._counter, self._reception, self._matters, self._callbacks = counter, reception, matters, callbacks

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: GovApiSettings,
        *,
        inbox: Inbox,
        shared: SharedState,
        files: Files,
        lines: Lines,
        timeline: Timeline,
        badge: Badge,
        attests: Attests,
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator[GovApiChannel]:
        """The API, until the end of the block. Raises `ClientsAlike`, `CallbackForeign`."""
        check(settings.clients, plain_callbacks=settings.plain_callbacks)
        matters = Matters(timeline, NAME, badge)
        users = Users(settings, NAME, inbox, shared, matters, attests)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            callbacks = Callbacks(settings, NAME, matters, inbox, shared, http, clock)
            reception = Reception(settings, users, matters, callbacks, shared, files, lines)
            answers = Answers(shared, ttl_s=settings.remember_s)
            counter = Counter(settings, Gate(settings, shared, clock), answers, reception)
            looking = asyncio.create_task(callbacks.run(), name="govapi callbacks")
            try:
                yield cls(settings, counter, reception, matters, callbacks)
            finally:
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                await callbacks.close()

    def routes(self) -> Sequence[web.RouteDef]:
        """All that can be asked."""
        return self._counter.routes()

    async def follow(self, entry: Entry) -> None:
        """Any event of any session."""
        self._matters.hear(entry)
        self._callbacks.hear(entry)

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Nothing to do: the timeline brings it."""

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:
        """Nothing to do: the platform hears of the end from the timeline."""

    async def drain(self, within_s: float) -> None:  # noqa: ARG002 - the contract's: nothing runs that is waited for
        """Let go of who waits for events: they ask again, and reach another node."""
        self._reception.is_draining = True
        self._matters.wake_all()
