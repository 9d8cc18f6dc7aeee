"""Citizens who come by a link of ours: its page posts what stands behind the `#`, which no server and no log ever saw.

Fetching the page opens nothing, so a messenger that looks at links for a preview uses none up.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import web

from gateway.links import LEAST_CLAIM, LONGEST_CLAIM, Links
from realtime.origin import may_connect
from session.ports import SharedState, StoreUnavailable
from session.switch import LONGEST, LinkRefused

LARGEST_BODY = 1024
TRIES_PER_S, TRIES_BURST = 0.5, 20
"""Of one network address: people behind one address share it, and nobody guesses 128 bits by twenty tries."""
_STATUS = {"forged": 403, "used": 409, "expired": 410, "over": 410}


def routes(links: Links, shared: SharedState) -> list[web.RouteDef]:
    """One: a page asks to be let in."""

    async def arrive(request: web.Request) -> web.Response:
        """POST {token, claim}: gives what the page proves itself by from now on, and what the link is for."""
        try:
            return await _arrive(request, links, shared)
        except LinkRefused as refused:
            return web.json_response({"error": refused.why}, status=_STATUS.get(refused.why, 403))
        except StoreUnavailable:
            return web.json_response({"error": "not_accepted"}, status=503, headers={"Retry-After": "1"})

    return [web.post("/api/go", arrive)]


async def _arrive(request: web.Request, links: Links, shared: SharedState) -> web.Response:
    if not may_connect(request.headers.get("Origin"), request.host, ()):
        return web.json_response({"error": "origin"}, status=403)
    address = hashlib.sha256((request.remote or "").encode()).hexdigest()[:32]
    if not await shared.take(f"go:{address}", rate_per_s=TRIES_PER_S, burst=TRIES_BURST):
        return web.json_response({"error": "rate"}, status=429, headers={"Retry-After": "10"})
    token, claim = _asked(await request.content.read(LARGEST_BODY + 1))
    opened = await links.open(token, claim)
    return web.json_response({"visitor": opened.visit.proof, "purpose": opened.purpose.value})


def _asked(body: bytes) -> tuple[str, str]:
    """The token, and the word that the page chose. Raises `LinkRefused` for anything else."""
    try:
        whole: Any = json.loads(body) if len(body) <= LARGEST_BODY else None
    except (ValueError, RecursionError):
        whole = None
    match whole:
        case {"token": str(token), "claim": str(claim)} if len(token) <= LONGEST:
            if LEAST_CLAIM <= len(claim) <= LONGEST_CLAIM and claim.isascii():
                return token, claim
    raise LinkRefused("forged")
