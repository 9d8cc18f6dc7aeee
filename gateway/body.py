"""What a request's body says, read strictly and no further than it may go."""

from __future__ import annotations

import json
from typing import TypeGuard

from aiohttp import web

LARGEST_BYTES = 4096


async def small_json(request: web.Request, largest: int = LARGEST_BYTES) -> dict[str, object]:
    """The object that the body writes; an empty one for what is larger than `largest` bytes, or none."""
    body = bytearray()
    while chunk := await request.content.read(largest + 1 - len(body)):
        body += chunk
    try:
        given = json.loads(body) if len(body) <= largest else None
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def is_text(value: object) -> TypeGuard[str]:
    """JSON can write half of a character, which nothing can hash, and a zero, which not every database takes."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
