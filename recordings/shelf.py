"""Where recordings lie. Names are ids only.

    <root>/<two letters>/<session>/<recording>.wav      the sound
                                  /<recording>.json     its card, once it is finished
                                  /<recording>.peaks    its waveform
    <root>/running/<two letters>~<session>~<recording>  a mark while it is written: by which process

After a crash the marks say which files are to be mended; nothing else is looked at.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from recordings.errors import UnsafeName
from session.ids import RecordingId, SessionId

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Marked:
    """A recording that is being written, or whose writer has died."""

    session: SessionId
    recording: RecordingId
    sound: Path
    mark: Path

    def is_of(self, pid: int) -> bool:
        """Whether that process has begun it."""
        try:
            return self.mark.read_text() == str(pid)
        except OSError:
            return False


class Shelf:
    """The folder of all recordings."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running = root / "running"

    def folder(self, session: SessionId) -> Path:
        """Where a session's recordings lie. Raises `UnsafeName`."""
        shard = hashlib.sha256(session.encode()).hexdigest()[:2]
        return self._root / shard / _safe(session)

    def path(self, session: SessionId, recording: RecordingId) -> Path:
        """Where a recording lies or will lie. Raises `UnsafeName`."""
        return self.folder(session) / f"{_safe(recording)}.wav"

    def mark(self, path: Path, pid: int) -> None:
        """A recording is to be written from now on. Raises `UnsafeName`, `OSError`."""
        mark = self._mark(path)
        self._running.mkdir(parents=True, exist_ok=True, mode=0o700)
        mark.touch(mode=0o600)
        mark.write_text(str(pid))

    def unmark(self, path: Path) -> None:
        """It is complete. Idempotent."""
        self._mark(path).unlink(missing_ok=True)

    def marked(self) -> list[Marked]:
        """All that are marked."""
        found = []
        for mark in sorted(self._running.glob("*~*~*")):
            shard, session, recording = mark.name.split("~")
            sound = self._root / shard / session / f"{recording}.wav"
            found.append(Marked(SessionId(session), RecordingId(recording), sound, mark))
        return found

    def _mark(self, path: Path) -> Path:
        parts = path.relative_to(self._root).parts if path.is_relative_to(self._root) else ()
        if len(parts) != 3 or path.suffix != ".wav":
            raise UnsafeName(path.name)
        return self._running / "~".join((parts[0], _safe(parts[1]), _safe(path.stem)))


def _safe(name: str) -> str:
    if _SAFE.fullmatch(name) is None:
        raise UnsafeName(name)
    return name
