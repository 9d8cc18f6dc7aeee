"""Reading a body to its end, or to the first byte too many."""

from __future__ import annotations

from aiohttp import StreamReader


async def read_whole(body: StreamReader, most_bytes: int) -> bytes | None:
    """All of it; None where there is more than that. (`StreamReader.read(n)` may give less than there is.)"""
    whole = bytearray()
    async for chunk in body.iter_any():
        whole += chunk
        if len(whole) > most_bytes:
            return None
    return bytes(whole)
