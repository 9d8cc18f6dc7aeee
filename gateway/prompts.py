"""The operator's own announcements and music (提示音): `yihao prompts`, the same over HTTP, and how nodes learn of it.

What is uploaded is made into the telephone's form once, when it comes, and kept in the database. Every node reads what
is new every few seconds; callers who hear the old one hear it to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from accounts.role import Role
from config.settings import Settings
from gateway.access import Access, refused
from gateway.database import open_database
from media.announcement import PIECES
from media.decoder import Decoder
from media.errors import PromptUnreadable, Undecodable
from media.g711 import SAMPLE_RATE, Law
from media.prompts import PromptLibrary, Sound, read_sound
from session.errors import YihaoError
from storage.database import Database
from storage.prompts import Prompt, Prompts

log = logging.getLogger(__name__)

LARGEST_BYTES = 10 * 1024 * 1024
LONGEST_MUSIC_S = 600.0
LONGEST_S = 60.0
SHORTEST_S = 0.1
MUSIC = "music"
LOOK_S = 2.0
_LONGEST_FILE_NAME = 255


class PromptRefused(YihaoError):
    """A sound that is not put in place. `code` is for the page's dictionary."""

    def __init__(self, code: str, why: str) -> None:
        self.code = code
        super().__init__(why)


class PromptBook:
    """All pieces, and whose is heard."""

    def __init__(self, database: Database, decoder: Decoder) -> None:
        self._prompts = Prompts(database)
        self._decoder = decoder

    async def add(self, name: str, data: bytes, *, file: str, author: str) -> Prompt:
        """Put a sound in place of a piece. Raises `PromptRefused`, `StorageError`."""
        _demand_known(name)
        if len(data) > LARGEST_BYTES:
            raise PromptRefused("too_large", f"at most {LARGEST_BYTES // 2**20} MiB")
        longest_s = LONGEST_MUSIC_S if name == MUSIC else LONGEST_S
        try:
            sound = await self._decoder.wave(data, rate_hz=SAMPLE_RATE, longest_s=longest_s)
            law = (await asyncio.to_thread(read_sound, sound))[Law.PCMA]
        except (Undecodable, PromptUnreadable) as error:
            raise PromptRefused("no_sound", f"{error} (at most {longest_s:.0f} s)") from error
        duration_s = len(law) / SAMPLE_RATE
        if duration_s < SHORTEST_S:
            raise PromptRefused("too_short", f"at least {SHORTEST_S} s")
        return await self._prompts.put(
            Prompt(name, 0, duration_s, file[:_LONGEST_FILE_NAME], author, time.time(), sound)
        )

    async def remove(self, name: str, *, author: str) -> Prompt:
        """Let the product's own be heard again. Raises `PromptRefused`, `StorageError`."""
        _demand_known(name)
        return await self._prompts.put(Prompt(name, 0, 0.0, "", author, time.time()))

    async def own(self) -> dict[str, Prompt]:
        """The operator's, by the piece's name."""
        return {one.name: one for one in await self._prompts.listed()}

    async def since(self, version: int) -> list[Prompt]:
        """What came after a version."""
        return await self._prompts.since(version)


class PromptShelf:
    """What this node's callers hear, kept as the database has it."""

    def __init__(self, book: PromptBook, library: PromptLibrary, audit: Audit) -> None:
        self._book, self._library, self._audit = book, library, audit
        self._version = 0

    async def look(self) -> None:
        """Take up what is new. Raises `StorageError`, `PromptUnreadable`."""
        for prompt in await self._book.since(self._version):
            sound: Sound | None = None
            if prompt.sound is not None:
                sound = await asyncio.to_thread(read_sound, prompt.sound)
            if prompt.name in PIECES:  # another release may have other pieces
                self._library.put(prompt.name, sound)
            self._version = prompt.version

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except YihaoError as error:
                log.warning("prompts not read", extra={"why": type(error).__name__})
            await asyncio.sleep(LOOK_S)

    # --- over HTTP ----------------------------------------

    def routes(self, access: Access) -> list[web.RouteDef]:
        """For administrators alone: who changes these speaks to the whole city."""
        return [
            web.get("/api/prompts", access.for_role(Role.ADMINISTRATOR, self._list)),
            web.post("/api/prompts/{name}", access.for_role(Role.ADMINISTRATOR, self._add)),
            web.delete("/api/prompts/{name}", access.for_role(Role.ADMINISTRATOR, self._remove)),
            web.get("/api/prompts/{name}/sound", access.for_role(Role.ADMINISTRATOR, self._sound)),
        ]

    async def _list(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """Every piece: how long it lasts, and whose it is."""
        own = await self._book.own()
        return web.json_response({"prompts": [self._shown(name, own.get(name)) for name in sorted(PIECES)]})

    async def _add(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """A sound in any usual form: the raw body, its name in `X-Filename`."""
        data = bytearray()
        async for chunk in request.content.iter_chunked(64 * 1024):
            data += chunk
            if len(data) > LARGEST_BYTES:
                return refused(413, "too_large")
        file = unquote(request.headers.get("X-Filename", ""))
        try:
            put = await self._book.add(request.match_info["name"], bytes(data), file=file, author=agent.login)
        except PromptRefused as error:
            return refused(404 if error.code == "unknown_prompt" else 415, error.code)
        await self._audit.note(agent.login, Deed.PROMPT, put.name, put.file)
        await self.look()
        return web.json_response(self._shown(put.name, put))

    async def _remove(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """The product's own again."""
        try:
            await self._book.remove(request.match_info["name"], author=agent.login)
        except PromptRefused as error:
            return refused(404, error.code)
        await self._audit.note(agent.login, Deed.PROMPT, request.match_info["name"])
        await self.look()
        return web.json_response(self._shown(request.match_info["name"], None))

    async def _sound(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """What callers hear, as a WAVE file."""
        name = request.match_info["name"]
        if name not in PIECES:
            return refused(404, "unknown_prompt")
        sound = await asyncio.to_thread(self._library.wave, name)
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "no-store"})

    def _shown(self, name: str, own: Prompt | None) -> dict[str, object]:
        if own is None:
            return {"name": name, "own": False, "duration_s": round(self._library.seconds(name), 1)}
        return {
            "name": name,
            "own": True,
            "duration_s": round(own.duration_s, 1),
            "file": own.file,
            "author": own.author,
            "at": own.at,
        }


# --- the command ----------------------------------------


async def added(settings: Settings, name: str, path: Path) -> str:
    """`yihao prompts add`, beside a running gateway too."""
    _demand_known(name)
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise PromptRefused("unreadable", f"{path}: {error.strerror}") from error
    async with _book(settings) as book:
        put = await book.add(name, data, file=path.name, author="yihao")
    return f"{name}: {put.duration_s:.1f} s; callers hear it within {LOOK_S:.0f} s"


async def removed(settings: Settings, name: str) -> str:
    """`yihao prompts remove`."""
    async with _book(settings) as book:
        await book.remove(name, author="yihao")
    return f"{name}: the product's own is heard again"


async def listed(settings: Settings) -> str:
    """`yihao prompts list`: a line a piece."""
    async with _book(settings) as book:
        own = await book.own()
    rows = [("NAME", "WHOSE", "SECONDS", "FILE")]
    for name in sorted(PIECES):
        one = own.get(name)
        rows.append((name, "ours", f"{one.duration_s:.1f}", one.file) if one else (name, "product's", "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]).rstrip() for row in rows
    )


@contextlib.asynccontextmanager
async def _book(settings: Settings) -> AsyncIterator[PromptBook]:
    async with open_database(settings) as database:
        yield PromptBook(database, Decoder())


def _demand_known(name: str) -> None:
    if name not in PIECES:
        raise PromptRefused("unknown_prompt", f"there is no prompt {name!r}; `yihao prompts list` names all")
