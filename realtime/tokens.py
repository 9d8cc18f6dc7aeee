"""Texts that we sign and get back: who a visitor is, which link to resume, a ticket to open one socket.

A token is `payload.mac`: a JSON list [expiry, parts…] and the first 192 bits of its HMAC-SHA256, both base64url. The
purpose is part of what is signed, so that no token serves for another end. It holds no secret, only cannot be made.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from realtime.errors import TokenRefused
from session.ports import SharedState

_LONGEST = 1024
_MAC_BYTES = 24


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and opens the tokens of one purpose. `key` is a secret of at least 16 bytes, shared by all nodes."""

    key: bytes
    purpose: str

    def __post_init__(self) -> None:
        if len(self.key) < 16:
            raise ValueError("a key of under 16 bytes signs nothing")

    def __repr__(self) -> str:
        return f"Signer({self.purpose})"

    def seal(self, *parts: str, ttl_s: float, now: float) -> str:
        """A token that holds `parts` until `ttl_s` after `now` (seconds since 1970)."""
        payload = _text(json.dumps([round(now + ttl_s), *parts], separators=(",", ":")).encode())
        return f"{payload}.{_text(self._mac(payload))}"

    def open(self, token: str, *, now: float) -> tuple[str, ...]:
        """The parts. Raises `TokenRefused`."""
        payload, _, mac = token.partition(".")
        if len(token) > _LONGEST or not token.isascii():
            raise TokenRefused(self.purpose)
        if not hmac.compare_digest(_text(self._mac(payload)), mac):
            raise TokenRefused(self.purpose)
        expiry, *parts = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        if expiry <= now:
            raise TokenRefused(self.purpose)
        return tuple(parts)

    def _mac(self, payload: str) -> bytes:
        return hmac.digest(self.key, f"{self.purpose}.{payload}".encode(), "sha256")[:_MAC_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Tickets:
    """One-time tickets for opening a socket: cookies are not asked, so a foreign page cannot ride on them.

    Any node redeems what another issued; the shared state remembers which were used.
    """

    def __init__(self, key: bytes, state: SharedState, *, ttl_s: float = 60.0) -> None:
        self._signer = Signer(key, "ticket")
        self._state = state
        self._ttl_s = ttl_s

    def issue(self, subject: str) -> str:
        """A ticket for one socket of `subject`."""
        return self._signer.seal(subject, secrets.token_urlsafe(12), ttl_s=self._ttl_s, now=time.time())

    async def redeem(self, ticket: str) -> str:
        """Whose ticket it is. Raises `TokenRefused`, also for one that was used; `StoreUnavailable`."""
        subject, nonce = self._signer.open(ticket, now=time.time())
        used = f"ticket:{hashlib.sha256(nonce.encode()).hexdigest()[:32]}"
        if not await self._state.put_new(used, b"1", ttl_s=self._ttl_s + 5.0):
            raise TokenRefused("ticket")
        return subject
