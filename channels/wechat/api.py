"""Calls to WeChat's API. Tokens stand in the addresses, as WeChat wants it: no address goes to a log."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import aiohttp

from channels.wechat.access import AccessToken
from channels.wechat.errors import (
    ApiBusy,
    ApiUnreachable,
    OutcomeUnknown,
    SceneMalformed,
    TokenRefused,
    said,
)
from channels.wechat.incoming import MediaKind
from channels.wechat.keys import Keys
from channels.wechat.settings import WeChatSettings
from channels.wechat.whole import read_whole
from session.ports import SharedState

_LARGEST_ANSWER = 64 * 1024
FILE_PATIENCE = 6.0
"""A file may take so many times as long as an answer."""
_LONGEST_SCENE = 64
_QR_S = (60, 30 * 24 * 3600)

T = TypeVar("T")
Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class QrCode:
    """A temporary QR code (临时二维码): `content` is what to draw; whoever scans it reaches the account."""

    content: str
    ticket: str
    expires_s: int


class Api:
    """One account's calls. Every method raises `WeChatError` and `StoreUnavailable`."""

    def __init__(self, settings: WeChatSettings, http: aiohttp.ClientSession, shared: SharedState) -> None:
        self._settings, self._http = settings, http
        patience_s = 2 * settings.api_timeout_s
        self.access = AccessToken(shared, Keys(settings.appid), self._stable_token, patience_s=patience_s)

    async def send(self, message: Json) -> None:
        """One customer-service message (客服消息). After `OutcomeUnknown` it may have been sent."""
        await self._post("/cgi-bin/message/custom/send", message)

    async def upload(self, kind: MediaKind, content: bytes, name: str, content_type: str) -> str:
        """Keep a file with WeChat for three days; gives its media id."""

        async def ask(token: str) -> Json:
            form = aiohttp.FormData()
            form.add_field("media", content, filename=name, content_type=content_type)
            params = {"access_token": token, "type": kind.value}
            return await self._ask("/cgi-bin/media/upload", params=params, data=form)

        answer = await self.with_token(ask)
        return _text_in(answer, "media_id")

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
        answer = await self._post("/cgi-bin/qrcode/create", body)
        expires_s = answer.get("expire_seconds", ttl_s)
        return QrCode(
            content=_text_in(answer, "url"),
            ticket=_text_in(answer, "ticket"),
            expires_s=expires_s if isinstance(expires_s, int) else ttl_s,
        )

    async def set_menu(self, menu: Json) -> None:
        """Show this menu from now on; followers see it within a day, or when they follow anew."""
        await self._post("/cgi-bin/menu/create", menu)

    @asynccontextmanager
    async def media(self, media: str, token: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """What WeChat gives for a media id: the file, or JSON (see `answer_in`)."""
        params = {"access_token": token, "media_id": media}
        async with self._reach("GET", "/cgi-bin/media/get", params=params, patience=FILE_PATIENCE) as response:
            yield response

    async def with_token(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """Ask with a token, and once more with another where that one was refused; never a third time."""
        token = await self.access.current()
        try:
            return await ask(token)
        except TokenRefused:
            return await ask(await self.access.renew(token))

    async def _post(self, path: str, body: Json) -> Json:
        async def ask(token: str) -> Json:
            return await self._ask(path, params={"access_token": token}, data=_written(body))

        return await self.with_token(ask)

    async def _stable_token(self, *, force: bool) -> tuple[str, float]:
        body = {
            "grant_type": "client_credential",
            "appid": self._settings.appid,
            "secret": self._settings.secret,
            "force_refresh": force,
        }
        answer = await self._ask("/cgi-bin/stable_token", params={}, data=_written(body))
        good_s = answer.get("expires_in")
        return _text_in(answer, "access_token"), float(good_s) if isinstance(good_s, int | float) else 0.0

    async def _ask(self, path: str, *, params: Mapping[str, str], data: bytes | aiohttp.FormData) -> Json:
        async with self._reach("POST", path, params=params, data=data) as response:
            return await answer_in(response)

    @asynccontextmanager
    async def _reach(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        data: bytes | aiohttp.FormData | None = None,
        patience: float = 1.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Content-Type": "application/json; charset=utf-8"} if isinstance(data, bytes) else None
        try:
            async with self._http.request(
                method,
                self._settings.api + path,
                params=params,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=patience * self._settings.api_timeout_s),
                allow_redirects=False,
            ) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise ApiUnreachable from None
        except (aiohttp.ClientError, TimeoutError):
            raise OutcomeUnknown(path) from None


async def answer_in(response: aiohttp.ClientResponse) -> Json:
    """The JSON of an answer. Raises what its errcode means."""
    if response.status in (429, 503):
        raise ApiBusy(response.status, retry_after_s=_retry_after_s(response))
    if response.status != 200:
        raise OutcomeUnknown(response.url.path)
    data = await read_whole(response.content, _LARGEST_ANSWER)
    try:
        answer = json.loads(data or b"")
    except (ValueError, RecursionError):
        raise OutcomeUnknown(response.url.path) from None
    if not isinstance(answer, dict):
        raise OutcomeUnknown(response.url.path)
    code = answer.get("errcode", 0)
    if code != 0:
        raise said(code if isinstance(code, int) else 0)
    return answer


def _retry_after_s(response: aiohttp.ClientResponse) -> float:
    """Of the header's two forms only the seconds: WeChat's own way stations send no dates."""
    given = response.headers.get("Retry-After", "")
    return min(60.0, float(given)) if given.isascii() and given.isdigit() else 1.0


def _written(body: Json) -> bytes:
    """Chinese as it is: WeChat shows JSON's escapes to citizens as they stand."""
    return json.dumps(body, ensure_ascii=False).encode()


def _text_in(answer: Json, name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise OutcomeUnknown(name)
    return value
