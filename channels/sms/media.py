"""Fetches files that a message names, from the hosts of its carrier and nowhere else.

No request leaves the list of hosts, whatever a redirect says; a host's address is looked up once, must be one of the
public internet, and is the one connected to, so that a name that answers differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from channels.sms.errors import MediaAway, MediaRefused

_CHUNK_BYTES = 64 * 1024
_MOST_HOPS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""IPv6 that leads to any IPv4 address, private ones included (RFC 6052, RFC 8215)."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """Times in seconds."""

    hosts: tuple[str, ...] = ()
    """Exact names. A carrier's own store of files (its CDN) has to be named too."""
    most_bytes: int = 10 * 1024 * 1024
    timeout_s: float = 8.0
    schemes: tuple[str, ...] = ("https",)
    inside: tuple[Network, ...] = ()
    """Networks that are not public and may be asked all the same."""


@dataclass(frozen=True, slots=True)
class MediaFetch:
    """Fetches for one carrier. `authorization` goes to the first host only, never to where it redirects."""

    settings: MediaSettings
    authorization: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def chunks(self, url: str) -> AsyncGenerator[bytes, None]:
        """The file at `url`. Raises `MediaRefused`, `MediaAway`."""
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout_s)
        connector = aiohttp.TCPConnector(resolver=_PinnedResolver(self.settings.inside), use_dns_cache=False)
        try:
            async with aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as http:
                async for chunk in self._follow(http, url):
                    yield chunk
        except MediaRefused:
            raise
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _Inside):
                raise MediaRefused("an address that is not public") from error
            raise MediaAway from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise MediaAway from error

    async def _follow(self, http: aiohttp.ClientSession, url: str) -> AsyncGenerator[bytes, None]:
        where, headers = self._checked(url, None), dict(self.authorization)
        for _ in range(_MOST_HOPS):
            async with http.get(where, headers=headers, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    where, headers = self._checked(response.headers.get("Location", ""), where), {}
                    continue
                if response.status >= 500 or response.status == 429:
                    raise MediaAway
                if response.status != 200:
                    raise MediaRefused(f"its host answered {response.status}")
                async for chunk in self._bounded(response):
                    yield chunk
                return
        raise MediaRefused("too many redirects")

    async def _bounded(self, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
        size_bytes = 0
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            size_bytes += len(chunk)
            if size_bytes > self.settings.most_bytes:
                raise MediaRefused(f"over {self.settings.most_bytes} bytes")
            yield chunk

    def _checked(self, text: str, came_from: URL | None) -> URL:
        try:
            url = URL(text) if came_from is None else came_from.join(URL(text))
        except ValueError:
            raise MediaRefused("no address") from None
        if url.scheme not in self.settings.schemes or url.host not in self.settings.hosts or url.user is not None:
            raise MediaRefused("a host that is not on the list")
        # Connected to by address where the host is one: then no resolver is asked.
        _public(url.host, self.settings.inside)
        return url


class _Inside(OSError):
    """A name that leads to an address that is not public."""


class _PinnedResolver(AbstractResolver):
    """Looks a name up, and gives only addresses that may be connected to; the connector connects to these."""

    def __init__(self, inside: tuple[Network, ...]) -> None:
        self._inside = inside

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        results = []
        for kind, _, protocol, _, address in found:
            numeric = str(address[0])
            if not _may_connect(numeric, self._inside):
                raise _Inside
            results.append(
                ResolveResult(
                    hostname=host, host=numeric, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        return results

    async def close(self) -> None:
        """Nothing is held."""


def _public(host: str | None, inside: tuple[Network, ...]) -> None:
    """Raises `MediaRefused` for a host that is itself an address inside."""
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return
    if not _may_connect(host or "", inside):
        raise MediaRefused("an address that is not public")


def _may_connect(numeric: str, inside: tuple[Network, ...]) -> bool:
    address = ipaddress.ip_address(numeric.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped if mapped is not None else address
    if any(address.version == network.version and address in network for network in inside):
        return True
    return address.is_global and not address.is_multicast and not any(address in network for network in _TRANSLATED)
