"""The opening handshake of a WebSocket, as a server answers it (RFC 6455, section 4.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib

from aiohttp import web

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_VERSION = "13"


def accepted(request: web.Request) -> bytes:
    """The head that opens the socket. Raises `web.HTTPException` for a request that asks for none."""
    headers = request.headers
    connection = {word.strip().lower() for line in headers.getall("Connection", ()) for word in line.split(",")}
    if headers.get("Upgrade", "").strip().lower() != "websocket" or "upgrade" not in connection:
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"})
    if headers.get("Sec-WebSocket-Version") != _VERSION:
        raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket", "Sec-WebSocket-Version": _VERSION})
    key = headers.get("Sec-WebSocket-Key", "")
    if not _is_key(key):
        raise web.HTTPBadRequest
    answer = base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % answer
    )


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
