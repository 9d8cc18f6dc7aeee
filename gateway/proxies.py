"""Who truly asks, where a proxy of ours stands between: only those that the operator names are believed."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def believing(networks: Sequence[str]) -> Middleware:
    """Takes the address and the scheme from `X-Forwarded-For` and `-Proto`, where a trusted proxy wrote them."""
    trusted = [ipaddress.ip_network(one) for one in networks]

    @web.middleware
    async def believe(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_in(request.remote or "", trusted):
            return await handler(request)
        scheme = request.headers.get("X-Forwarded-Proto", "").lower()
        farthest = _farthest(request.headers.getall("X-Forwarded-For", []), trusted)
        meant = request.clone(
            scheme=scheme if scheme in ("http", "https") else request.scheme, remote=farthest or request.remote or ""
        )
        return await handler(meant)

    return believe


def _farthest(headers: Sequence[str], trusted: Sequence[Network]) -> str:
    """The last address that no proxy of ours has; what stands before it, anybody may have written."""
    for one in reversed([part.strip() for header in headers for part in header.split(",")]):
        if not _is_in(one, trusted):
            return one if _is_address(one) else ""
    return ""


def _is_in(text: str, networks: Sequence[Network]) -> bool:
    return _is_address(text) and any(ipaddress.ip_address(text) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
