"""What callers hear (语音播报): the operator's own sounds in place of the product's, and notices for a time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from rulebook.document import Document, Title, once
from rulebook.hours import CITY

Piece = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,64}\Z")]
"""The name of a piece that announcements are made of; which there are, the audio knows."""
SoundId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
FileName = Annotated[str, Meta(min_length=1, max_length=255)]
Clock = Annotated[datetime, Meta(tz=False)]
"""In the city's time, as `2026-11-29T18:00:00`."""
MOST_AT_ONCE = 3
"""Who calls about a burst pipe will not listen to more."""


class How(StrEnum):
    """Where a notice is heard."""

    BEFORE = "before"
    INSTEAD = "instead"


class Spoken(Document, frozen=True):
    """A sound that was uploaded. `file` and `seconds` are for whoever reads the document; the id is the sound's."""

    sound: SoundId
    file: FileName
    seconds: Annotated[float, Meta(gt=0, le=600)]


class Own(Spoken, frozen=True):
    """What is heard in place of one piece, until it is taken away."""

    name: Piece


class Notice(Spoken, frozen=True):
    """What is heard besides for a time: a typhoon's warning before the welcome, a feast day's music."""

    name: Title
    starts: Clock
    ends: Clock
    piece: Piece = "welcome"
    how: How = How.BEFORE

    def __post_init__(self) -> None:
        if self.ends <= self.starts:
            raise ValueError(f"{self.name!r} ends before it starts")

    def holds(self, clock: datetime) -> bool:
        """Whether it is heard at that time; at its end no more, without anybody's doing."""
        return self.starts <= clock < self.ends


class Prompts(Document, frozen=True):
    """Pieces that are not named are the product's own."""

    pieces: Annotated[tuple[Own, ...], Meta(max_length=200)] = ()
    notices: Annotated[tuple[Notice, ...], Meta(max_length=200)] = ()
    """Those before the same piece are heard in this order; of those instead of it the first."""

    def __post_init__(self) -> None:
        once((one.name for one in self.pieces), "piece")
        once((one.name for one in self.notices), "notice")
        for one in self.notices:
            together = self._of(one.piece, How.BEFORE, one.starts)
            if len(together) > MOST_AT_ONCE:
                raise ValueError(f"{len(together)} notices at once before {one.piece!r}; at most {MOST_AT_ONCE}")

    def heard(self, piece: str, at: float) -> tuple[SoundId | None, ...]:
        """What is heard at that time (seconds since 1970) where the piece is said; None is the product's own."""
        clock = datetime.fromtimestamp(at, CITY).replace(tzinfo=None)
        own = next((one.sound for one in self.pieces if one.name == piece), None)
        instead = next((one.sound for one in self._of(piece, How.INSTEAD, clock)), own)
        return (*(one.sound for one in self._of(piece, How.BEFORE, clock)), instead)

    def spoken(self) -> Sequence[tuple[str, Spoken]]:
        """Every sound, with the piece that it belongs to."""
        return [*((one.name, one) for one in self.pieces), *((one.piece, one) for one in self.notices)]

    def _of(self, piece: str, how: How, clock: datetime) -> list[Notice]:
        return [one for one in self.notices if (one.piece, one.how) == (piece, how) and one.holds(clock)]
