"""What a site that hosts the chat says of who its visitor is: a JSON Web Token (RFC 7519) that it has signed. Pure.

The key decides the algorithm, never the token: its header only names the key. Everything else that a token may hold is
left alone, so that nobody's name or mail comes to us by it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import jwt
from jwt.types import Options

from channels.webchat.errors import SignatureRefused, SitesAlike
from session.address import Address, MalformedAddress

SCHEME = "site"
LONGEST_TOKEN = 4096
LONGEST_LIFE_S = 300.0
"""From `iat` to `exp`: a token is made for one opening of a page."""
CLOCKS_DIFFER_S = 30.0
LONGEST_USER = LONGEST_ONCE = 128
_OPTIONS: Options = {
    "require": ["iss", "aud", "sub", "iat", "exp", "jti"],
    # Times are judged by the store's clock, which the library does not know; texts by bounds of ours.
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class SiteKey:
    """One key of a site: a shared secret, or the public half of an Ed25519 pair (RFC 8037) in base64url."""

    site: str
    name: str
    """Its `kid`."""
    algorithm: Literal["HS256", "EdDSA"]
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """A token that is good."""

    user: Address
    once: str
    """What stands for this token in names of keys."""
    expires_at: float


class Signatures:
    """Raises `SitesAlike` where two keys have one name."""

    def __init__(self, keys: Iterable[SiteKey], audience: str) -> None:
        self._audience = audience
        self._keys: dict[str, tuple[SiteKey, Any]] = {}
        for one in keys:
            if one.name in self._keys:
                raise SitesAlike(one.name)
            self._keys[one.name] = (one, _loaded(one))

    def read(self, token: str, now: float) -> Signed:
        """Whom a token is about. Raises `SignatureRefused`, whose code says to the site's developer what is wrong."""
        if not self._keys:
            raise SignatureRefused("token_not_taken")
        if len(token) > LONGEST_TOKEN or not token.isascii():
            raise SignatureRefused("token_malformed")
        site, claims = self._verified(token)
        issued_at, expires_at = _time(claims["iat"]), _time(claims["exp"])
        _judge(issued_at, expires_at, now)
        return Signed(_user(claims["sub"], site.site), _once(claims["jti"], site.site), expires_at)

    def _verified(self, token: str) -> tuple[SiteKey, Mapping[str, Any]]:
        try:
            header = jwt.get_unverified_header(token)
            known = self._keys.get(str(header.get("kid")))
            if known is None:
                raise SignatureRefused("token_key")
            site, key = known
            claims = jwt.decode(
                token,
                key,
                algorithms=[site.algorithm],
                audience=self._audience,
                issuer=site.site,
                options=_OPTIONS,
            )
        except jwt.InvalidSignatureError as error:
            raise SignatureRefused("token_signature") from error
        except jwt.InvalidAlgorithmError as error:
            raise SignatureRefused("token_algorithm") from error
        except jwt.InvalidAudienceError as error:
            raise SignatureRefused("token_audience") from error
        except jwt.InvalidIssuerError as error:
            raise SignatureRefused("token_key") from error
        # The library lets some of a parser's own errors through.
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise SignatureRefused("token_malformed") from error
        return site, claims


def _loaded(one: SiteKey) -> Any:
    if one.algorithm == "HS256":
        return one.key.encode()
    return jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": one.key}, algorithm="EdDSA").key


def _judge(issued_at: float, expires_at: float, now: float) -> None:
    if expires_at - issued_at > LONGEST_LIFE_S or expires_at <= issued_at:
        raise SignatureRefused("token_life")
    if issued_at > now + CLOCKS_DIFFER_S:
        raise SignatureRefused("token_early")
    if expires_at <= now - CLOCKS_DIFFER_S:
        raise SignatureRefused("token_expired")


def _time(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not math.isfinite(claim):
        raise SignatureRefused("token_malformed")
    return float(claim)


def _user(claim: object, site: str) -> Address:
    if not isinstance(claim, str) or len(claim) > LONGEST_USER:
        raise SignatureRefused("token_malformed")
    try:
        return Address(SCHEME, claim, site)
    except MalformedAddress:
        raise SignatureRefused("token_malformed") from None


def _once(claim: object, site: str) -> str:
    if not isinstance(claim, str) or not 0 < len(claim) <= LONGEST_ONCE:
        raise SignatureRefused("token_malformed")
    return hashlib.sha256(f"{site} {claim}".encode("utf-8", "replace")).hexdigest()[:40]
