"""Files whose writer died: their header is made true again, and they get the card that was never written."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING

from recordings import card, wav
from recordings.errors import RecordingUnreadable

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = wav.PEAK_SAMPLES * wav.FRAME_BYTES * 100


def mend(sound: Path) -> card.Card | None:
    """Finish a file; None when another process is writing it. Blocks. Raises `RecordingUnreadable`."""
    with sound.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        start = file.read(wav.HEADER_BYTES)
        if start and not wav.is_ours(start):
            raise RecordingUnreadable(sound, "its header is another's")
        held = max(0, os.fstat(file.fileno()).st_size - wav.HEADER_BYTES)
        data_bytes = held - held % wav.FRAME_BYTES
        file.seek(0)
        file.write(wav.header(data_bytes))
        file.truncate(wav.HEADER_BYTES + data_bytes)
        peaks = bytearray()
        while chunk := file.read(_CHUNK_BYTES):
            peaks += wav.peaks(wav.frames(chunk))
        file.flush()
        os.fsync(file.fileno())
        found = card.Card(
            duration_s=data_bytes / wav.FRAME_BYTES / wav.SAMPLE_RATE,
            size_bytes=wav.HEADER_BYTES + data_bytes,
            sha256=card.digest(sound),
            finished_s=time.time(),
            whole=False,
        )
        card.write(sound, found, bytes(peaks))
        return found
