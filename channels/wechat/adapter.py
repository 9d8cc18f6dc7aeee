"""The official account as a channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from channels.contract import Allowance, Capabilities, Content
from channels.wechat.api import Api
from channels.wechat.budget import Budget
from channels.wechat.cipher import MessageKey
from channels.wechat.intake import Intake, ScanSeen
from channels.wechat.keys import Keys
from channels.wechat.media import Media, public_session
from channels.wechat.menu import Entry, menu
from channels.wechat.notices import Notices
from channels.wechat.outbox import Outbox
from channels.wechat.owed import Owed
from channels.wechat.push import Account
from channels.wechat.settings import WeChatSettings
from channels.wechat.threads import Threads
from channels.wechat.webhook import Webhook
from session.address import Address
from session.ids import LegId, SessionId
from session.notice import Notice
from session.ports import Files, Inbox, SharedState
from session.state import LegEnd, Medium

NAME = SCHEME = "wechat"


class WeChatChannel:
    """A `Channel`. Its legs are no node's own: any node takes a push, and any node sends."""

    def __init__(
        self,
        settings: WeChatSettings,
        name: str,
        webhook: Webhook,
        outbox: Outbox,
        notices: Notices,
        threads: Threads,
        api: Api,
    ) -> None:
        """Use `open`."""
        self.name = name
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.MESSAGE,
            survives_node=True,
            follows_timeline=False,
            longest_text=settings.longest_text,
        )
        self._webhook, self._outbox, self._notices = webhook, outbox, notices
        self._threads, self._api = threads, api

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: WeChatSettings,
        *,
        inbox: Inbox,
        shared: SharedState,
        files: Files,
        on_scan: ScanSeen,
        clock: Callable[[], float] = time.time,
        name: str = NAME,
    ) -> AsyncIterator[WeChatChannel]:
        """An account that takes and sends, until the end of the block. Raises `ValueError` for a malformed key."""
        keys = Keys(settings.appid)
        account = Account(
            settings.token,
            [MessageKey.parse(encoded, settings.appid) for encoded in settings.aes_keys],
            settings.fresh_s,
        )
        threads = Threads(inbox, shared, settings, channel=name, scheme=SCHEME)
        budget = Budget(shared, keys, clock)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http, public_session() as elsewhere:
            api = Api(settings, http, shared)
            media = Media(settings, api, elsewhere, files)
            owed = Owed(shared, keys, media, threads, every_s=settings.owed_every_s)
            intake = Intake(settings, shared, threads, budget, media, owed, on_scan, name)
            webhook = Webhook(settings, account, shared, intake, clock)
            outbox = Outbox(settings, api, inbox, shared, files, media, threads, budget, name)
            notices = Notices(settings, SCHEME, budget, outbox, api.send_reviewed)
            fetching = asyncio.create_task(owed.run(), name="wechat owed files")
            try:
                yield cls(settings, name, webhook, outbox, notices, threads, api)
            finally:
                fetching.cancel()
                await asyncio.gather(fetching, return_exceptions=True)

    def routes(self) -> Sequence[web.RouteDef]:
        """The webhook."""
        return self._webhook.routes()

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Send by the customer-service API. Raises `ChannelError`; what WeChat has taken is told in the session."""
        await self._outbox.send(session, leg, content)

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract's
        """The citizen's next word begins another leg. Nothing is sent: it would cost a message."""
        await self._threads.end(leg)

    async def drain(self, within_s: float) -> None:
        """Nothing runs here between two pushes; another node takes the next."""

    async def may_notify(self, to: Address, template: str) -> bool:
        """See `Notifies`."""
        return await self._notices.may_send(to, template)

    async def notify(self, to: Address, notice: Notice) -> None:
        """See `Notifies`."""
        await self._notices.send(to, notice)

    async def allowance(self, leg: LegId) -> Allowance:
        """See `Rations`."""
        return await self._outbox.allowance(leg)

    async def show_code(self, scene: str, ttl_s: int) -> str:
        """A temporary QR code; whoever scans it is told of with `scene`."""
        return (await self._api.qr_code(scene, ttl_s)).content

    async def set_menu(self, entries: Sequence[Entry]) -> None:
        """Show this menu in the account."""
        await self._api.set_menu(menu(entries))
