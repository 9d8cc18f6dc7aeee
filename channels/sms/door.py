"""What a webhook without a signature is let in by: a path that nobody guesses, and the carrier's own networks.

Aliyun and Tencent document no signature of their callbacks. Both proofs are asked for where networks are named.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from channels.sms.errors import CallRefused
from channels.sms.media import Network

LARGEST_BODY_BYTES = 256 * 1024
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Door:
    """Of one carrier."""

    secret: str = field(repr=False)
    """The part of the path that proves the caller; at least 24 characters."""
    networks: tuple[Network, ...] = ()
    """Whence it calls; empty lets any address try the secret."""

    def __post_init__(self) -> None:
        if len(self.secret) < 24:
            raise ValueError("a webhook's secret needs 24 characters or more")

    async def body(self, request: web.Request) -> bytes:
        """The body of a call that may come in. Raises `CallRefused`, the same for every missing proof."""
        given = request.match_info.get("secret", "")
        is_known = hmac.compare_digest(given.encode(), self.secret.encode())
        if not (is_known and self._is_from_the_carrier(request.remote or "")):
            raise CallRefused(404, "no proof")
        return await bounded_body(request)

    def _is_from_the_carrier(self, remote: str) -> bool:
        if not self.networks:
            return True
        try:
            address = ipaddress.ip_address(remote)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped.version == network.version and mapped in network for network in self.networks)


async def bounded_body(request: web.Request) -> bytes:
    """The body, up to a bound. Raises `CallRefused`."""
    if "Content-Encoding" in request.headers:  # no carrier packs; aiohttp would unpack it for whoever asks
        raise CallRefused(400, "packed")
    whole = bytearray()
    try:
        async for chunk in request.content.iter_any():
            whole += chunk
            if len(whole) > LARGEST_BODY_BYTES:
                raise CallRefused(413, "too large")
    except web.RequestPayloadError:
        raise CallRefused(400, "cut off") from None
    return bytes(whole)


def json_of(body: bytes) -> Any:
    """The JSON of a body, of bounded depth. Raises `CallRefused`."""
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        raise CallRefused(400, "no JSON") from None
    if _depth(whole) > _DEEPEST:
        raise CallRefused(400, "too deep")
    return whole


def _depth(value: Any) -> int:
    """Levels of nesting, counted level by level, since depth is just what a recursion must not be trusted with."""
    level, depth = [value], 0
    while level:
        depth += 1
        inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [one for many in inner for one in many]
    return depth
