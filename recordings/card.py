"""What is known of a finished recording, kept beside it: a card (JSON) and its peaks, neither with personal data."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recordings.errors import RecordingUnreadable

if TYPE_CHECKING:
    from pathlib import Path

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Card:
    """`sha256` and `size_bytes` are of the sound as it was finished, before any sealing. Times are Unix seconds."""

    duration_s: float
    size_bytes: int
    sha256: str
    finished_s: float
    whole: bool
    """False where the writer died and the file was mended afterwards."""


def card_path(sound: Path) -> Path:
    """Where the card of a recording lies."""
    return sound.with_suffix(".json")


def peaks_path(sound: Path) -> Path:
    """Where its peaks lie: an octet a channel and 100 ms, citizen and agent by turns."""
    return sound.with_suffix(".peaks")


def digest(sound: Path) -> str:
    """SHA-256 of a file, in hexadecimal. Blocks."""
    with sound.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(sound: Path, card: Card, peaks: bytes) -> None:
    """Lay card and peaks beside a recording; the card last and at once, for it says that all is there. Blocks."""
    peaks_path(sound).write_bytes(peaks)
    draft = sound.with_suffix(".json.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"version": _VERSION, **asdict(card)}))  # `json.dump` leaves cycles for the collector
        file.flush()
        os.fsync(file.fileno())
    draft.replace(card_path(sound))


def read(sound: Path) -> Card | None:
    """The card of a recording; None while it has none. Blocks. Raises `RecordingUnreadable`."""
    try:
        text = card_path(sound).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        if fields.pop("version") != _VERSION:
            raise RecordingUnreadable(sound, "its card is of another version")
        return Card(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingUnreadable(sound, "its card cannot be read") from error
