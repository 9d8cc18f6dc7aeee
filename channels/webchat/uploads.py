"""The citizen's files over plain HTTP: taken, looked at, and given back to those whose conversation they are in."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import unquote

from aiohttp import web

from channels.webchat.answers import refused
from channels.webchat.conversation import Conversation, upload_key
from channels.webchat.errors import FileNotTheirs, TooOften, UploadTooLarge
from channels.webchat.settings import WebChatSettings
from channels.webchat.visitor import Visitors, key_of
from session.errors import YihaoError
from session.ids import FileId
from session.ports import Files, SharedState

_CHUNK_BYTES = 64 * 1024
_FILE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""What a browser may show in place; all else it is to save."""

Recalled = Callable[[str], Awaitable[Conversation]]
"""The conversation of a visitor, wherever it was begun."""


class Uploads:
    """Two handlers. What is in a file is the store's to judge; a name and a claimed type are the sender's words."""

    def __init__(
        self, settings: WebChatSettings, visitors: Visitors, shared: SharedState, files: Files, recalled: Recalled
    ) -> None:
        self._settings, self._visitors, self._shared, self._files = settings, visitors, shared, files
        self._recalled = recalled

    async def take(self, request: web.Request) -> web.Response:
        """POST: a raw body with its `Content-Type`, and its name url-encoded in `X-Filename`."""
        try:
            visitor = self._visitors.known(request.headers.get("X-Visitor", ""))
            if not await self._shared.take(f"webchat:uploads:{key_of(visitor)}", rate_per_s=0.5, burst=10):
                raise TooOften(retry_after_s=10.0)
            if (request.content_length or 0) > self._settings.sockets.file_bytes:
                raise UploadTooLarge(self._settings.sockets.file_bytes)
            stored = await self._files.keep(self._chunks(request), request.content_type)
            record = {"visitor": key_of(visitor), "content_type": stored.content_type, "size": stored.size_bytes}
            ttl_s = self._settings.upload_ttl_s
            await self._shared.put(upload_key(stored.id), json.dumps(record).encode(), ttl_s=ttl_s)
        except YihaoError as error:
            return refused(error, otherwise=(415, "kind"))
        answer = {"file": stored.id, "name": _name(request), "content_type": stored.content_type}
        return web.json_response({**answer, "size": stored.size_bytes})

    async def _chunks(self, request: web.Request) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
            size += len(chunk)
            if size > self._settings.sockets.file_bytes:
                raise UploadTooLarge(self._settings.sockets.file_bytes)
            yield chunk

    async def give(self, request: web.Request) -> web.StreamResponse:
        """GET: only for the visitor who uploaded it, or in whose conversation it is; who else asks hears 404."""
        file = request.match_info["file"]
        try:
            visitor = self._visitors.known(request.headers.get("X-Visitor", ""))
            if not _FILE_ID.match(file) or not await self._may_have(visitor, file):
                raise FileNotTheirs
            stored, chunks = await self._files.read(FileId(file))
        except YihaoError as error:
            return refused(error, otherwise=(404, "unknown_file"))
        place = "inline" if stored.content_type in _SHOWN else "attachment"
        response = web.StreamResponse(
            headers={
                "Content-Type": stored.content_type,
                "Content-Length": str(stored.size_bytes),
                "Content-Disposition": place,
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cross-Origin-Resource-Policy": "same-origin",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, max-age=86400",
            }
        )
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _may_have(self, visitor: str, file: str) -> bool:
        stored = await self._shared.get(upload_key(file))
        if stored is not None and json.loads(stored)["visitor"] == key_of(visitor):
            return True
        conversation = await self._recalled(visitor)
        return conversation.transcript is not None and conversation.transcript.has_file(file)


def _name(request: web.Request) -> str:
    """The sender's name for the file, without what is no part of a name."""
    given = unquote(request.headers.get("X-Filename", ""), errors="replace")
    return _CONTROLS.sub("", given.replace("\\", "/").rpartition("/")[2])[:255] or "file"
