"""Asking WeChat: one call, its token, its errors.

Tokens stand in the addresses, as WeChat wants it: no address goes to a log.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from channels.wechat.access import AccessToken
from channels.wechat.errors import ApiBusy, ApiUnreachable, OutcomeUnknown, TokenRefused, said
from channels.wechat.whole import read_whole

LARGEST_ANSWER = 2 * 1024 * 1024
"""A page of a hundred messages has at most a tenth of it."""
FILE_PATIENCE = 6.0
"""A file may take so many times as long as an answer."""

T = TypeVar("T")
Json = Mapping[str, object]


class Calls:
    """Calls to one server for one account. Every method raises `WeChatError` and `StoreUnavailable`."""

    def __init__(self, base: str, http: aiohttp.ClientSession, *, timeout_s: float) -> None:
        self._base, self._http, self._timeout_s = base, http, timeout_s

    async def post(self, access: AccessToken, path: str, body: Json) -> Json:
        """A call with a token and a JSON body."""

        async def ask(token: str) -> Json:
            return await self.ask("POST", path, params={"access_token": token}, data=written(body))

        return await with_token(access, ask)

    async def ask(
        self, method: str, path: str, *, params: Mapping[str, str], data: bytes | aiohttp.FormData | None = None
    ) -> Json:
        """A call whose answer is JSON."""
        async with self.reach(method, path, params=params, data=data) as response:
            return await answer_in(response)

    @asynccontextmanager
    async def reach(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str],
        data: bytes | aiohttp.FormData | None = None,
        patience: float = 1.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A call whose answer the caller reads."""
        headers = {"Content-Type": "application/json; charset=utf-8"} if isinstance(data, bytes) else None
        try:
            async with self._http.request(
                method,
                self._base + path,
                params=params,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=patience * self._timeout_s),
                allow_redirects=False,
            ) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise ApiUnreachable from None
        except (aiohttp.ClientError, TimeoutError):
            raise OutcomeUnknown(path) from None


async def with_token(access: AccessToken, ask: Callable[[str], Awaitable[T]]) -> T:
    """Ask with a token, and once more with another where that one was refused; never a third time."""
    token = await access.current()
    try:
        return await ask(token)
    except TokenRefused:
        return await ask(await access.renew(token))


async def answer_in(response: aiohttp.ClientResponse) -> Json:
    """The JSON of an answer. Raises what its errcode means."""
    if response.status in (429, 503):
        raise ApiBusy(response.status, retry_after_s=_retry_after_s(response))
    if response.status != 200:
        raise OutcomeUnknown(response.url.path)
    data = await read_whole(response.content, LARGEST_ANSWER)
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


def written(body: Json) -> bytes:
    """Chinese as it is: WeChat shows JSON's escapes to citizens as they stand."""
    return json.dumps(body, ensure_ascii=False).encode()


def text_in(answer: Json, name: str) -> str:
    """A text that an answer has to have."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise OutcomeUnknown(name)
    return value
