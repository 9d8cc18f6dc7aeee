"""Which pages may talk to us. A browser says truly where a page came from; nothing else does, nor needs to."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit


def may_connect(origin: str | None, host: str, allowed: Collection[str]) -> bool:
    """Whether a page from `origin` (the header, or None) may open a socket to `host`, which it named itself.

    A missing or `null` origin (a sandboxed frame, a file) is nobody's, and refused: cross-site WebSocket hijacking.
    """
    if not origin or origin == "null":
        return False
    if origin in allowed:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and parts.netloc.lower() == host.lower()
