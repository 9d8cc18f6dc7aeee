"""Files that citizens send: fetched from WeChat, and from nowhere else that a push or an answer may name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from yarl import URL

from channels.wechat.api import MediaCalls
from channels.wechat.calls import FILE_PATIENCE, answer_in
from channels.wechat.errors import ApiUnreachable, MediaRefused, OutcomeUnknown
from channels.wechat.settings import WeChatSettings
from session.errors import YihaoError
from session.ports import Files, StoredFile

_CHUNK_BYTES = 64 * 1024
_REDIRECTS = 3
_CARRYING = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"),
        "fec0::/10",
    )
)
"""IPv6 networks whose addresses carry an IPv4 address, perhaps one of ours (RFC 4291, 2765, 6052, 8215, 4380, 3056);
and the site-local ones of old (RFC 3879), which Python holds for public.
"""
_JSON_TYPES = frozenset({"application/json", "text/plain"})


class GlobalAddresses(AbstractResolver):
    """Gives only addresses of the public network, so that a name on the list cannot be made to mean our own.

    What it gives is what is connected to; a name is not looked up a second time in between (DNS rebinding).
    """

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises `OSError` where nothing public is left, as for a name that does not exist."""
        found = [one for one in await self._inner.resolve(host, port, family) if _is_global(one["host"])]
        if not found:
            raise OSError(None, "no public address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _is_global(address: str) -> bool:
    one = ipaddress.ip_address(address.partition("%")[0])
    return one.is_global and not one.is_multicast and not any(one in network for network in _CARRYING)


class Media:
    """Fetches and keeps. `elsewhere` is the session for addresses that an answer names."""

    def __init__(
        self, settings: WeChatSettings, api: MediaCalls, elsewhere: aiohttp.ClientSession, files: Files
    ) -> None:
        self._settings, self._api, self._elsewhere, self._files = settings, api, elsewhere, files
        self._origins = frozenset(str(URL(origin).origin()) for origin in settings.media_origins)
        self._timeout = aiohttp.ClientTimeout(total=FILE_PATIENCE * settings.api_timeout_s)

    async def fetch(self, media: str) -> StoredFile:
        """Keep the file of a media id. Raises `WeChatError`, and what `Files.keep` refuses by."""
        found = await self._api.with_token(lambda token: self._asked(media, token))
        return found if isinstance(found, StoredFile) else await self._followed(found)

    async def read(self, chunks: AsyncIterator[bytes]) -> bytes:
        """A whole file that is to be sent. Raises `MediaRefused` for one that is too large."""
        return b"".join([chunk async for chunk in self._bounded(chunks)])

    async def _asked(self, media: str, token: str) -> StoredFile | str:
        """The file, or the address that WeChat names instead, as it does for videos."""
        async with self._api.media(media, token) as response:
            if response.status == 200 and response.content_type not in _JSON_TYPES:
                return await self._kept(response)
            address = (await answer_in(response)).get("video_url")
        if not isinstance(address, str):
            raise MediaRefused("an answer without a file")
        return address

    async def _followed(self, address: str) -> StoredFile:
        """Each step is looked at anew: a redirect from a place on the list may lead off it."""
        for _ in range(_REDIRECTS):
            url = self._allowed(address)
            try:
                async with self._elsewhere.get(url, timeout=self._timeout, allow_redirects=False) as response:
                    if response.status == 200:
                        return await self._kept(response)
                    address = str(url.join(URL(response.headers.get("Location", ""))))
                    if not 300 <= response.status < 400:
                        raise OutcomeUnknown("a file")
            except (aiohttp.ClientError, TimeoutError):
                raise ApiUnreachable from None
        raise MediaRefused("too many redirects")

    def _allowed(self, address: str) -> URL:
        try:
            url = URL(address)
            origin = str(url.origin())
        except ValueError:
            raise MediaRefused("an address that is none") from None
        if origin not in self._origins or url.user is not None:
            raise MediaRefused("a foreign place")
        return url

    async def _kept(self, response: aiohttp.ClientResponse) -> StoredFile:
        # Claiming no type: only what the file is by its bytes counts. WeChat calls AMR "voice/amr" here and there.
        return await self._files.keep(self._bounded(response.content.iter_chunked(_CHUNK_BYTES)), "")

    async def _bounded(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > self._settings.media_bytes:
                raise MediaRefused(f"over {self._settings.media_bytes} bytes")
            yield chunk


def is_final(error: YihaoError) -> bool:
    """Whether asking again for a file is of no use."""
    return not error.retryable and not isinstance(error, OutcomeUnknown)


def public_session() -> aiohttp.ClientSession:
    """For addresses that others name: public ones only, without cookies or proxies of ours."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=GlobalAddresses(), use_dns_cache=False),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
