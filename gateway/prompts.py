"""What callers hear (语音播报): how a node comes to play what the rulebook says, the sounds over HTTP, `yihao prompts`.

Every node looks each second what is heard now, since a notice begins and ends by itself; callers who hear the sound of
before hear it to its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from msgspec import structs

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from config.settings import Settings
from gateway.access import Access, refused
from gateway.announcements import LARGEST_BYTES, PromptRefused, SoundBook
from gateway.rules import AUTHOR, opened
from media.announcement import PIECES
from media.decoder import Decoder
from media.prompts import PromptLibrary, Sound, read_sound
from rulebook.book import Rulebook
from rulebook.document import Document
from rulebook.kinds import PROMPTS
from rulebook.prompts import Own, Prompts
from rulebook.roles import Permission
from session.errors import YihaoError
from storage.database import Database
from storage.sounds import Sounds, Uploaded

log = logging.getLogger(__name__)

LOOK_S = 1.0


class PromptShelf:
    """What this node's callers hear, kept as the rulebook has it."""

    def __init__(
        self,
        database: Database,
        decoder: Decoder,
        library: PromptLibrary,
        audit: Audit,
        prompts: Callable[[], Prompts],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sounds, self._uploads = Sounds(database), SoundBook(database, decoder)
        self._library, self._audit, self._prompts, self._clock = library, audit, prompts, clock
        self._heard: dict[str, tuple[str | None, ...]] = dict.fromkeys(PIECES, (None,))

    async def look(self) -> None:
        """Take up what is heard from now on. Raises `StorageError`, `PromptUnreadable`."""
        document, now = self._prompts(), self._clock()
        for piece in sorted(PIECES):
            wanted = document.heard(piece, now)
            if wanted == self._heard[piece]:
                continue
            self._library.put(piece, await self._joined(piece, wanted))
            self._heard[piece] = wanted

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except YihaoError as error:
                log.warning("prompts not read", extra={"why": type(error).__name__})
            await asyncio.sleep(LOOK_S)

    async def _joined(self, piece: str, wanted: tuple[str | None, ...]) -> Sound | None:
        """One after the other without a gap; None where it is the product's own alone."""
        if wanted == (None,):
            return None
        parts = [await self._one(piece, sound) for sound in wanted]
        return {law: b"".join(part[law] for part in parts) for law in parts[0]}

    async def _one(self, piece: str, sound: str | None) -> Sound:
        data = None if sound is None else await self._sounds.read(sound)
        return self._library.shipped[piece] if data is None else await asyncio.to_thread(read_sound, data)

    # --- over HTTP ----------------------------------------

    def routes(self, access: Access) -> list[web.RouteDef]:
        """For administrators alone: who changes these speaks to the whole city."""
        return [
            web.get("/api/prompts", access.permitted(Permission.RULES, self._list)),
            web.post("/api/prompts/sounds", access.permitted(Permission.RULES, self._add)),
            web.get("/api/prompts/sounds/{sound}", access.permitted(Permission.RULES, self._uploaded)),
            web.get("/api/prompts/{name}/sound", access.permitted(Permission.RULES, self._sound)),
        ]

    async def _list(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """Every piece, and how long lasts what is heard of it now."""
        shown = [{"name": name, "seconds": round(self._library.seconds(name), 1)} for name in sorted(PIECES)]
        return web.json_response({"now": self._clock(), "prompts": shown})

    async def _add(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """A sound in any usual form: the raw body, its name in `X-Filename`. It is heard once a document says so."""
        data = bytearray()
        async for chunk in request.content.iter_chunked(64 * 1024):
            data += chunk
            if len(data) > LARGEST_BYTES:
                return refused(413, "too_large")
        file = unquote(request.headers.get("X-Filename", ""))
        try:
            kept = await self._uploads.add(bytes(data), file=file, author=agent.login)
        except PromptRefused as error:
            return refused(415, error.code)
        await self._audit.note(agent.login, Deed.PROMPT, kept.id, kept.file)
        return web.json_response(_shown(kept))

    async def _uploaded(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """What was uploaded, as a WAVE file, whether it is heard or not."""
        sound = await self._sounds.read(request.match_info["sound"][:32])
        if sound is None:
            return refused(404, "unknown_sound")
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "private, max-age=3600"})

    async def _sound(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """What callers hear, as a WAVE file."""
        name = request.match_info["name"]
        if name not in PIECES:
            return refused(404, "unknown_prompt")
        sound = await asyncio.to_thread(self._library.wave, name)
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "no-store"})


def _shown(kept: Uploaded) -> dict[str, object]:
    return {"sound": kept.id, "file": kept.file, "seconds": round(kept.duration_s, 1)}


# --- the command ----------------------------------------


async def added(settings: Settings, name: str, path: Path) -> str:
    """`yihao prompts add`, beside a running gateway too."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise PromptRefused("unreadable", f"{path}: {error.strerror}") from error
    async with opened(settings) as (book, database):
        kept = await SoundBook(database, Decoder()).add(data, file=path.name, author=AUTHOR)
        own = Own(name=name, sound=kept.id, file=kept.file, seconds=round(kept.duration_s, 1))
        await _put(book, name, own)
    return f"{name}: {kept.duration_s:.1f} s; callers hear it within two seconds"


async def removed(settings: Settings, name: str) -> str:
    """`yihao prompts remove`."""
    async with opened(settings) as (book, _):
        await _put(book, name, None)
    return f"{name}: the product's own is heard again"


async def listed(settings: Settings) -> str:
    """`yihao prompts list`: a line a piece, and one a notice."""
    async with opened(settings) as (book, _):
        document = book.prompts
    own = {one.name: one for one in document.pieces}
    rows = [("NAME", "WHOSE", "SECONDS", "FILE")]
    for name in sorted(PIECES):
        one = own.get(name)
        rows.append((name, "ours", f"{one.seconds:.1f}", one.file) if one else (name, "product's", "", ""))
    for notice in document.notices:
        span = f"{notice.starts:%Y-%m-%d %H:%M} – {notice.ends:%Y-%m-%d %H:%M}"
        told = f"{notice.name}, {notice.file}, {span}"
        rows.append((notice.piece, notice.how.value, f"{notice.seconds:.1f}", told))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]).rstrip() for row in rows
    )


async def _put(book: Rulebook, name: str, own: Own | None) -> None:
    if name not in PIECES:
        raise PromptRefused("unknown_prompt", f"there is no prompt {name!r}; `yihao prompts list` names all")
    version = (await book.now(PROMPTS)).version
    others = [one for one in book.prompts.pieces if one.name != name]
    wanted: Document = structs.replace(book.prompts, pieces=(*others, *([own] if own else [])))
    document = await book.read(PROMPTS, wanted)
    why = f"{name} ← {own.file}" if own else f"{name}: the product's own"
    await book.put(PROMPTS, document, expected=version, author=AUTHOR, at=time.time(), why=why[:200])
