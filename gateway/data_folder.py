"""The folder that all is kept in: the store, the history, recordings, files, secrets."""

from __future__ import annotations

import os
from pathlib import Path

from config.errors import NoDataFolder


def prepare(data: Path) -> None:
    """Make it, for its owner alone, unless it is there. Raises `NoDataFolder`."""
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise NoDataFolder(data, error.strerror or "it cannot be made") from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise NoDataFolder(data, "it cannot be written")
