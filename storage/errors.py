"""What storage refuses or fails at."""

from __future__ import annotations

from collections.abc import Mapping

from session.errors import YihaoError
from session.ids import FileId, SessionId


class StorageError(YihaoError):
    """The root of this folder's errors."""


class StorageUnavailable(StorageError):
    """The database cannot be reached, is locked for too long, or did not confirm."""

    retryable = True
    retry_after_s = 1.0

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the database did not answer: {what}")


class UnsupportedDatabase(StorageError):
    """Neither SQLite nor PostgreSQL. The address is not repeated: it may hold a password."""

    def __init__(self, scheme: str) -> None:
        self.scheme = scheme
        super().__init__(f"{scheme or 'an empty scheme'} is no database of ours: sqlite:///FILE or postgresql://…")


class StaleCursor(StorageError):
    """Another archiver has moved on meanwhile: begin again from where it stands."""

    retryable = True

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(f"the archive no longer stands at {expected}")


class EarlierMissing(StorageError):
    """Entries that do not follow upon what is archived; the live log may still have what lies between."""

    retryable = True

    def __init__(self, after: Mapping[SessionId, int]) -> None:
        self.after = after
        super().__init__(f"{len(after)} sessions lack earlier entries")


class TimelineGap(StorageError):
    """Events that neither the live log nor the history has. Never shown as if whole."""

    def __init__(self, session: SessionId, version: int) -> None:
        self.session, self.version = session, version
        super().__init__(f"session {session} lacks version {version}")


class FileRefused(StorageError):
    """A file that is not kept."""


class TooLarge(FileRefused):
    """Larger than allowed."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"the file is larger than {limit_bytes} bytes")


class KindRefused(FileRefused):
    """A kind of file that is not taken, by its content."""

    def __init__(self) -> None:
        super().__init__("files of this kind are not taken")


class NotWhatItSays(FileRefused):
    """Its content is of another kind than its sender says. The claim is not repeated: it is anybody's text."""

    def __init__(self, found: str) -> None:
        self.found = found
        super().__init__(f"the file is {found}, which is not what it says")


class FileUnknown(StorageError):
    """No file of that name is kept."""

    def __init__(self, file: FileId) -> None:
        self.file = file
        super().__init__("no such file is kept")
