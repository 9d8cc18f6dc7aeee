"""The official account's calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import aiohttp

from channels.wechat.access import AccessToken
from channels.wechat.calls import FILE_PATIENCE, Calls, Json, text_in, with_token, written
from channels.wechat.errors import SceneMalformed
from channels.wechat.incoming import MediaKind
from channels.wechat.keys import Keys
from channels.wechat.settings import WeChatSettings
from session.ports import SharedState

_LONGEST_SCENE = 64
_LONGEST_MESSAGE_ID = 32
"""Of `client_msg_id`, by which WeChat knows for ten minutes what is sent again."""
_QR_S = (60, 30 * 24 * 3600)

T = TypeVar("T")


class Sender(Protocol):
    """What brings messages and files to citizens. Every method raises `WeChatError` and `StoreUnavailable`."""

    async def send(self, to: str, message: Json, name: str) -> None:
        """One message to a citizen. After `OutcomeUnknown` it may have been sent. `name` is its own, for ever."""
        ...

    async def upload(self, kind: MediaKind, content: bytes, name: str, content_type: str) -> str:
        """Keep a file with WeChat for three days; gives its media id."""
        ...


@dataclass(frozen=True, slots=True)
class QrCode:
    """A temporary QR code (临时二维码): `content` is what to draw; whoever scans it reaches the account."""

    content: str
    ticket: str
    expires_s: int


class MediaCalls:
    """Files, in and out: the same on both of WeChat's servers."""

    def __init__(self, calls: Calls, access: AccessToken) -> None:
        self._calls, self._access = calls, access

    async def upload(self, kind: MediaKind, content: bytes, name: str, content_type: str) -> str:
        """Keep a file with WeChat for three days; gives its media id."""

        async def ask(token: str) -> Json:
            form = aiohttp.FormData()
            form.add_field("media", content, filename=name, content_type=content_type)
            params = {"access_token": token, "type": kind.value}
            return await self._calls.ask("POST", "/cgi-bin/media/upload", params=params, data=form)

        return text_in(await with_token(self._access, ask), "media_id")

    @asynccontextmanager
    async def media(self, media: str, token: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """What WeChat gives for a media id: the file, or JSON (see `answer_in`)."""
        params = {"access_token": token, "media_id": media}
        async with self._calls.reach("GET", "/cgi-bin/media/get", params=params, patience=FILE_PATIENCE) as response:
            yield response

    async def with_token(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """See `calls.with_token`."""
        return await with_token(self._access, ask)


class Api(MediaCalls):
    """One account's calls. Every method raises `WeChatError` and `StoreUnavailable`."""

    def __init__(self, settings: WeChatSettings, http: aiohttp.ClientSession, shared: SharedState) -> None:
        self._settings = settings
        calls = Calls(settings.api, http, timeout_s=settings.api_timeout_s)
        patience_s = 2 * settings.api_timeout_s
        access = AccessToken(shared, Keys(settings.appid), self._stable_token, patience_s=patience_s)
        super().__init__(calls, access)

    async def send(self, to: str, message: Json, name: str) -> None:  # noqa: ARG002 - it knows no names of messages
        """One customer-service message (客服消息). After `OutcomeUnknown` it may have been sent."""
        await self._calls.post(self._access, "/cgi-bin/message/custom/send", {"touser": to, **message})

    async def send_reviewed(self, to: str, path: str, body: Json, name: str) -> None:
        """A template message (模板消息) or a subscribed one (订阅通知); `OutcomeUnknown`: it may have been sent."""
        own = {"client_msg_id": name[-_LONGEST_MESSAGE_ID:]} if path.endswith("/template/send") else {}
        await self._calls.post(self._access, path, {"touser": to, **own, **body})

    async def qr_code(self, scene: str, ttl_s: int) -> QrCode:
        """A temporary QR code: a scan of it is told with its scene, to followers and newcomers alike."""
        if not 1 <= len(scene) <= _LONGEST_SCENE or not scene.isprintable():
            raise SceneMalformed(f"a scene has 1 to {_LONGEST_SCENE} characters")
        if not _QR_S[0] <= ttl_s <= _QR_S[1]:
            raise SceneMalformed(f"it lives from {_QR_S[0]} s to 30 days")
        body = {
            "expire_seconds": ttl_s,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene}},
        }
        answer = await self._calls.post(self._access, "/cgi-bin/qrcode/create", body)
        expires_s = answer.get("expire_seconds", ttl_s)
        return QrCode(
            content=text_in(answer, "url"),
            ticket=text_in(answer, "ticket"),
            expires_s=expires_s if isinstance(expires_s, int) else ttl_s,
        )

    async def set_menu(self, menu: Json) -> None:
        """Show this menu from now on; followers see it within a day, or when they follow anew."""
        await self._calls.post(self._access, "/cgi-bin/menu/create", menu)

    async def _stable_token(self, *, force: bool) -> tuple[str, float]:
        body = {
            "grant_type": "client_credential",
            "appid": self._settings.appid,
            "secret": self._settings.secret,
            "force_refresh": force,
        }
        answer = await self._calls.ask("POST", "/cgi-bin/stable_token", params={}, data=written(body))
        good_s = answer.get("expires_in")
        return text_in(answer, "access_token"), float(good_s) if isinstance(good_s, int | float) else 0.0
