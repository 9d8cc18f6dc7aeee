"""Names that nobody can guess: tags, branches, Call-IDs."""

from __future__ import annotations

import os

_BLOCK = 4096
_left = memoryview(b"")


def token_hex(size: int) -> str:
    """So many random octets, as text: `secrets.token_hex`, but the system is asked once for some hundreds of them."""
    global _left  # noqa: PLW0603 - what is left of the last block
    if len(_left) < size:
        _left = memoryview(os.urandom(_BLOCK))
    token, _left = _left[:size].hex(), _left[size:]
    return token
