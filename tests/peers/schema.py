"""Our schema in a database, made once and copied for each test that needs one."""

import asyncio
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from storage.database import Database, sqlite_url


def make(url: str) -> None:
    """Bring the database at this address up to date."""

    async def opened() -> None:
        async with Database.open(url):
            pass

    asyncio.run(opened())


def in_sqlite() -> bytes:
    """SQLite's file with the schema in it and no more."""
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        url = sqlite_url(Path(folder))
        make(url)
        return _file(url).read_bytes()


def copied(schema: bytes, folder: Path) -> str:
    """The address of a copy in this folder."""
    url = sqlite_url(folder)
    _file(url).write_bytes(schema)
    _file(url).chmod(0o600)
    return url


def _file(url: str) -> Path:
    return Path(make_url(url).database or "")
