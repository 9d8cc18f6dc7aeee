"""Who a browser is to us: a random name that we signed, kept by the page. No login, no cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from channels.webchat.errors import VisitorRefused
from realtime.errors import TokenRefused
from realtime.tokens import Signer
from session.address import Address
from session.ids import LegId

SCHEME = "web"


class Visitors:
    """Gives names to browsers and knows them again, on any node that has the key."""

    def __init__(self, key: bytes, *, ttl_s: float) -> None:
        self._signer = Signer(key, "visitor")
        self._key, self._ttl_s = key, ttl_s

    def token(self, visitor: str) -> str:
        """What the page keeps. Renewed at each visit."""
        return self._signer.seal(visitor, ttl_s=self._ttl_s, now=time.time())

    def by_link(self, visit: str) -> str:
        """The visitor who came by a link; the same visit is the same visitor, on any node."""
        return hmac.digest(self._key, f"link {visit}".encode(), "sha256").hex()[:32]

    def known(self, token: str) -> str:
        """The visitor of a token. Raises `VisitorRefused`."""
        try:
            (visitor,) = self._signer.open(token, now=time.time())
        except (TokenRefused, ValueError):
            raise VisitorRefused from None
        return visitor

    def key_of_ip(self, ip: str) -> str:
        """What stands for a network address in the names of stored things: there are too few for a bare hash."""
        return hmac.digest(self._key, f"ip {ip}".encode(), "sha256").hex()[:32]


def new_visitor() -> str:
    """A name that says nothing, and that nobody guesses."""
    return secrets.token_hex(16)


def address_of(visitor: str) -> Address:
    """The visitor's address."""
    return Address(SCHEME, visitor)


def key_of(visitor: str) -> str:
    """What stands for a visitor in the names of stored things; nobody can act as them who reads it."""
    return hashlib.sha256(visitor.encode()).hexdigest()[:32]


def leg_for(visitor: str, command_id: str) -> LegId:
    """The leg that a visitor's command opens: the same for the same command sent again, never another visitor's."""
    digest = hashlib.sha256(f"{visitor}\n{command_id}".encode()).hexdigest()
    return LegId(f"{SCHEME}-{digest[:32]}")
