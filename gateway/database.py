"""The database that the settings name."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from config.settings import Settings
from storage.database import Database, sqlite_url


def open_database(settings: Settings) -> AbstractAsyncContextManager[Database]:
    """PostgreSQL by its address, or SQLite in the data folder. Raises as `Database.open` does."""
    return Database.open(settings.storage.url.reveal() or sqlite_url(settings.data))
