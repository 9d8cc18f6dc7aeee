"""The rulebook as this house keeps it, and `yihao rules`: the same documents as files."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from accounts.passwords import Passwords
from accounts.roster import Roster
from config.settings import Settings
from gateway import workforce
from gateway.announcements import proof, read_sounds, write_sounds
from gateway.database import open_database
from rulebook.book import Rulebook
from rulebook.difference import Change, difference
from rulebook.document import LARGEST_BYTES, Document, written
from rulebook.hours import CITY
from rulebook.kinds import kinds
from session.errors import YihaoError
from storage.database import Database
from storage.policies import Policies

SOUNDS = "sounds"
"""The folder of the sounds that documents name, beside them."""
AUTHOR = "yihao"
"""Who changes something by the command."""


class RuleFileUnreadable(YihaoError):
    """A file that is none of a document."""

    def __init__(self, path: Path, fault: str) -> None:
        self.path, self.fault = path, fault
        super().__init__(f"{path}: {fault}")


async def open_rulebook(database: Database, roster: Roster, hours: Sequence[str]) -> Rulebook:
    """All kinds, with what is in force. `hours` are the settings', until others are written."""
    book = Rulebook(Policies(database), kinds(hours, proof(database)))
    book.add(workforce.roles_kind(roster))
    book.add(workforce.kind(roster, lambda: book.routing, lambda: book.roles))
    await book.look()
    return book


async def exported(settings: Settings, folder: Path) -> str:
    """`yihao rules export FOLDER`: what is in force, a file a kind."""
    async with opened(settings) as (book, database):
        found = {kind: await book.now(kind) for kind in book.kinds}
        await write_sounds(database, book.prompts, folder / SOUNDS)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    for kind, now in found.items():
        await asyncio.to_thread(_file(folder, kind).write_text, written(now.document), encoding="utf-8")
    return "\n".join(f"{_file(folder, kind)}  version {now.version}" for kind, now in found.items())


async def imported(settings: Settings, folder: Path, *, why: str, really: bool) -> str:
    """`yihao rules import FOLDER`: the differences, file by file; with `really` they come into force.

    All files are read before the first is put in force. Raises `DocumentMalformed`, `RuleFileUnreadable`.
    """
    lines = []
    async with opened(settings) as (book, database):
        found = {kind: _file(folder, kind) for kind in book.kinds if _file(folder, kind).is_file()}
        if not found:
            raise RuleFileUnreadable(
                folder, f"holds none of {', '.join(_file(folder, one).name for one in book.kinds)}"
            )
        await read_sounds(database, folder / SOUNDS, AUTHOR)  # which nobody hears until a document says so
        wanted: dict[str, Document] = {}
        for kind, path in found.items():
            with book.supposing(wanted):
                wanted[kind] = await book.read(kind, await asyncio.to_thread(_content, path))
        for kind, document in wanted.items():
            lines += await _put(book, kind, document, why, really=really)
    if not really:
        lines.append("nothing is changed; --yes puts it in force")
    return "\n".join(lines)


async def history(settings: Settings, kind: str) -> str:
    """`yihao rules history KIND`: a line a version, the newest first."""
    async with opened(settings) as (book, _):
        versions = await book.versions(kind)
    lines = [f"{one.version:>4}  {_clock(one.at)}  {one.author:12}  {one.why}" for one in versions]
    return "\n".join([*lines, "   0  the default"])


async def rolled_back(settings: Settings, kind: str, version: int, *, why: str) -> str:
    """`yihao rules rollback KIND VERSION`: that version's content in force again, as a new version."""
    async with opened(settings) as (book, _):
        earlier = msgspec.to_builtins(await book.version(kind, version))
        return "\n".join(await _put(book, kind, await book.read(kind, earlier), why, really=True))


async def _put(book: Rulebook, kind: str, document: Document, why: str, *, really: bool) -> list[str]:
    now = await book.now(kind)
    changes = difference(msgspec.to_builtins(now.document), msgspec.to_builtins(document))
    if not changes:
        return [f"{kind}: as it is"]
    if really:
        version = await book.put(kind, document, expected=now.version, author=AUTHOR, at=time.time(), why=why)
        return [f"{kind}: version {version}, in force within two seconds", *map(_line, changes)]
    return [f"{kind}: would change", *map(_line, changes)]


def _line(change: Change) -> str:
    before, after = (json.dumps(one, ensure_ascii=False) for one in (change.before, change.after))
    return f"  {'.'.join(change.at)}: {before} → {after}"


def _file(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.json"


def _content(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if len(data) > LARGEST_BYTES:
            raise RuleFileUnreadable(path, "larger than a megabyte")
        return json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise RuleFileUnreadable(path, str(error)) from error


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, CITY):%Y-%m-%d %H:%M}"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Rulebook, Database]]:
    """For a command: beside a running gateway too."""
    with Passwords() as passwords:
        async with open_database(settings) as database:
            roster = Roster(database, passwords, realm=settings.sip.realm)
            yield await open_rulebook(database, roster, settings.bots.hours), database
