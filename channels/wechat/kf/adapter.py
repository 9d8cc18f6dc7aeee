"""WeChat customer service as a channel. All but the way in is the official account's."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from channels.contract import Allowance, Capabilities, Content
from channels.deadline import Deadline
from channels.wechat.budget import Budget
from channels.wechat.cipher import MessageKey
from channels.wechat.errors import PushRefused
from channels.wechat.intake import Intake, ScanSeen
from channels.wechat.keys import Keys
from channels.wechat.kf.api import KfApi
from channels.wechat.kf.nicknames import Nicknames
from channels.wechat.kf.pull import Puller
from channels.wechat.kf.settings import KfSettings
from channels.wechat.media import Media, public_session
from channels.wechat.notices import Notices
from channels.wechat.outbox import Outbox
from channels.wechat.owed import Owed
from channels.wechat.push import Account, open_push, sealed_challenge
from channels.wechat.reply import DONE
from channels.wechat.threads import Threads
from channels.wechat.webhook import body_of, refused
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, SessionId
from session.notice import Notice
from session.ports import Files, Inbox, SharedState
from session.state import LegEnd, Medium

log = logging.getLogger(__name__)

NAME = SCHEME = "wechat-kf"


class KfChannel:
    """A `Channel`."""

    def __init__(
        self,
        settings: KfSettings,
        name: str,
        puller: Puller,
        outbox: Outbox,
        notices: Notices,
        threads: Threads,
        clock: Callable[[], float],
    ) -> None:
        """Use `open`."""
        self.name = name
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.MESSAGE,
            survives_node=True,
            follows_timeline=False,
            longest_text=settings.account.longest_text,
        )
        account = settings.account
        keys = [MessageKey.parse(encoded, settings.corpid) for encoded in account.aes_keys]
        self._account = Account(account.token, keys, account.fresh_s)
        self._settings, self._puller, self._clock = account, puller, clock
        self._outbox, self._notices, self._threads = outbox, notices, threads
        self._deadline = Deadline(account.answer_s)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: KfSettings,
        *,
        inbox: Inbox,
        shared: SharedState,
        files: Files,
        on_scan: ScanSeen,
        clock: Callable[[], float] = time.time,
        name: str = NAME,
    ) -> AsyncIterator[KfChannel]:
        """An account that takes and sends, until the end of the block. Raises `ValueError` for a malformed key, or
        for none: WeCom knows no plaintext mode.
        """
        if not settings.account.aes_keys:
            raise ValueError("an account of WeCom has an EncodingAESKey")
        account, keys = settings.account, Keys(settings.account.appid)
        budget = Budget(shared, keys, clock)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http, public_session() as elsewhere:
            api = KfApi(settings, http, shared)
            nicknames = Nicknames(api)
            threads = Threads(inbox, shared, account, channel=name, scheme=SCHEME, name_of=nicknames.of)
            media = Media(account, api, elsewhere, files)
            owed = Owed(shared, keys, media, threads, every_s=account.owed_every_s)
            intake = Intake(account, shared, threads, budget, media, owed, on_scan, name)
            puller = Puller(settings, api, shared, intake, nicknames, threads)
            outbox = Outbox(account, api, inbox, shared, files, media, threads, budget, name)
            notices = Notices(account, SCHEME, budget, outbox)
            channel = cls(settings, name, puller, outbox, notices, threads, clock)
            tasks = [asyncio.create_task(work) for work in (owed.run(), puller.run())]
            try:
                yield channel
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def routes(self) -> Sequence[web.RouteDef]:
        """The callback."""
        path = self._settings.path
        return [web.get(path, self._prove, allow_head=False), web.post(path, self._called)]

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Send. Raises `ChannelError`; what WeChat has taken is told in the session."""
        await self._outbox.send(session, leg, content)

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract's
        """The citizen's next word begins another leg."""
        await self._threads.end(leg)

    async def drain(self, within_s: float) -> None:
        """Another node pulls on."""

    async def may_notify(self, to: Address, template: str) -> bool:
        """See `Notifies`."""
        return await self._notices.may_send(to, template)

    async def notify(self, to: Address, notice: Notice) -> None:
        """See `Notifies`."""
        await self._notices.send(to, notice)

    async def allowance(self, leg: LegId) -> Allowance:
        """See `Rations`."""
        return await self._outbox.allowance(leg)

    async def _prove(self, request: web.Request) -> web.Response:
        try:
            return web.Response(text=sealed_challenge(self._account, request.query, self._clock()))
        except PushRefused as error:
            return refused(error)

    async def _called(self, request: web.Request) -> web.Response:
        try:
            with self._deadline.begin():
                fields = open_push(self._account, request.query, await body_of(request), self._clock()).fields
                is_ours = fields.get("OpenKfId", self._settings.appid) == self._settings.appid
                if fields.get("Event") == "kf_msg_or_event" and is_ours:
                    await self._puller.called(fields.get("Token", ""))
        except PushRefused as error:
            return refused(error)
        except (YihaoError, TimeoutError) as error:
            log.warning("callback not taken", extra={"why": type(error).__name__})
            return web.Response(status=503, text="not accepted yet")
        return web.Response(text=DONE)
