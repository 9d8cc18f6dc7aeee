"""Who sent a text, as an address."""

from __future__ import annotations

from functools import lru_cache

from session.address import Address, MalformedAddress
from session.number import SCHEME, e164


@lru_cache(maxsize=4096)
def address_of(sender: str) -> Address:
    """The citizen's address. A sender that is no number (a name, a short code) stands as it was sent."""
    try:
        return Address(SCHEME, e164(sender) or sender.strip())
    except MalformedAddress:
        return Address(SCHEME, "unknown")
