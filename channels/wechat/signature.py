"""Who signed a push: SHA-1 over the sorted parts (消息推送, 校验签名)."""

from __future__ import annotations

import hashlib
import hmac


def sign(*parts: str) -> str:
    """The signature over a token, a timestamp, a nonce and, where there is one, the cipher text."""
    # SHA-1 is WeChat's choice. Its collisions do not help here: the token is secret and first or last by chance.
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()  # noqa: S324 - the protocol's own


def is_signed(signature: str, *parts: str) -> bool:
    """Whether the signature is right, compared in constant time."""
    return hmac.compare_digest(signature.encode(), sign(*parts).encode())
