"""What recordings refuse or fail at.

RecordingError
├── RecordingNotFound   no such recording; a 404
├── UnsafeName          an id that cannot be a file's name; a bug or an attack, never a citizen's doing
├── AlreadyRecorded     a file of that name exists: nothing is ever overwritten
├── RecordingUnreadable a file that is no recording of ours
└── RangeUnsatisfiable  a byte range outside the file (RFC 9110, section 15.5.17); a 416
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from session.errors import YihaoError

if TYPE_CHECKING:
    from pathlib import Path


class RecordingError(YihaoError):
    """Anything that recordings refuse or fail at."""


class RecordingNotFound(RecordingError):
    """There is no finished recording of this id."""

    def __init__(self, recording: str) -> None:
        self.recording = recording
        super().__init__(f"no recording {recording!r}")


class UnsafeName(RecordingError):
    """An id with other characters than letters, digits, dot, hyphen and underscore, or too long."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name[:40]!r} cannot name a file")


class AlreadyRecorded(RecordingError):
    """The file is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path.name} has been recorded before")


class RecordingUnreadable(RecordingError):
    """The file is not two channels of 16-bit PCM at 8 kHz with our header."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path.name} is no recording of ours: {reason}")


class RangeUnsatisfiable(RecordingError):
    """The answer names the size: `Content-Range: bytes */size`."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        super().__init__(f"the range lies outside the {size_bytes} octets")
