"""A site that hosts the chat and signs who its visitor is, as its developer would without a library (RFC 7515)."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SITE, KEY_NAME = "portal", "2026a"
SECRET = "a-secret-that-the-portal-and-the-hotline-share"
AUDIENCE = "yihao"
SETTINGS = {"webchat.sites": f'[{{id = "{SITE}", secrets = ["{KEY_NAME}={SECRET}"]}}]'}
"""Of a gateway that knows it."""


def claims(user: str, **other: object) -> dict[str, object]:
    """Good ones, but for what is said otherwise; None leaves a claim out."""
    now = time.time()
    once = secrets.token_hex(8)
    good = {"iss": SITE, "aud": AUDIENCE, "sub": user, "iat": now, "exp": now + 120, "jti": once}
    return {name: value for name, value in {**good, **other}.items() if value is not None}


def signed(body: object, key: str | Ed25519PrivateKey = SECRET, **header: object) -> str:
    """A token."""
    algorithm = "HS256" if isinstance(key, str) else "EdDSA"
    head = {"typ": "JWT", "alg": algorithm, "kid": KEY_NAME, **header}
    text = f"{_part(head)}.{_part(body)}"
    made = hmac.digest(key.encode(), text.encode(), hashlib.sha256) if isinstance(key, str) else key.sign(text.encode())
    return f"{text}.{_base64(made)}"


def token(user: str, **other: object) -> str:
    """A token for a user of the site."""
    return signed(claims(user, **other))


def _part(value: Any) -> str:
    return _base64(value if isinstance(value, bytes) else json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
