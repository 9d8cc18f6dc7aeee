"""The access token that every call needs: one for all processes, refreshed by one, never in a loop.

By `stable_token`: a refresh in the normal way gives the same token while it is good; one by force makes it void, and
is allowed 20 times a day, 30 s apart. The old `token` call would void the token of every other process at each fetch.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Protocol

from channels.wechat.errors import TokenRefused
from channels.wechat.keys import Keys
from session.ports import SharedState

_LEASE_S = 8.0
_LET_GO_S = 0.001
_LOOK_EVERY_S = 0.05
_FORCE_APART_S = 30.0
_RENEW_BEFORE_S = 240.0
"""Within the five minutes in which WeChat gives the next token and still takes the old."""
_LEAST_TTL_S = 30.0


class Fetch(Protocol):
    """Asks WeChat for a token: the token, and for how many seconds it is good."""

    async def __call__(self, *, force: bool) -> tuple[str, float]:
        """Raises `WeChatError`."""
        ...


class AccessToken:
    """What this process knows of it is in the shared state, so nothing here grows old."""

    def __init__(self, shared: SharedState, keys: Keys, fetch: Fetch, *, patience_s: float) -> None:
        self._shared, self._keys, self._fetch = shared, keys, fetch
        self._patience_s = patience_s
        self._holder = secrets.token_hex(8)
        self._fetching = asyncio.Lock()

    async def current(self) -> str:
        """A token that should be good. Raises `WeChatError`, `StoreUnavailable`."""
        return await self._known() or await self._replaced(None)

    async def renew(self, refused: str) -> str:
        """Another token than one that WeChat has refused. Raises `TokenRefused` where there is none to be had."""
        known = await self._known()
        return known if known is not None and known != refused else await self._replaced(refused)

    async def _known(self) -> str | None:
        stored = await self._shared.get(self._keys.token)
        return stored.decode() if stored is not None else None

    async def _replaced(self, refused: str | None) -> str:
        """One of this process asks, one of all processes fetches, the others read what it has fetched."""
        async with self._fetching:
            ends_at = asyncio.get_running_loop().time() + self._patience_s
            while asyncio.get_running_loop().time() < ends_at:
                known = await self._known()
                if known is not None and known != refused:
                    return known
                if await self._shared.lease(self._keys.token, self._holder, ttl_s=_LEASE_S) is not None:
                    try:
                        return await self._fetched(refused)
                    finally:
                        await self._shared.lease(self._keys.token, self._holder, ttl_s=_LET_GO_S)
                await asyncio.sleep(_LOOK_EVERY_S)
        raise TokenRefused

    async def _fetched(self, refused: str | None) -> str:
        token, good_s = await self._fetch(force=False)
        if token == refused:
            if not await self._shared.put_new(self._keys.forced, b"", ttl_s=_FORCE_APART_S):
                raise TokenRefused
            token, good_s = await self._fetch(force=True)
        ttl_s = max(_LEAST_TTL_S, good_s - _RENEW_BEFORE_S)
        await self._shared.put(self._keys.token, token.encode(), ttl_s=ttl_s)
        return token
