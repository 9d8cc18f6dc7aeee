"""The timeline as the desk draws it: a union that `kind` tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from realtime.citizen import File, Location, MessageState

MediumName = Literal["voice", "chat", "message"]
MarkName = Literal["held", "resumed", "muted", "unmuted"]
FailureName = Literal[
    "undelivered",
    "refused",
    "opted_out",
    "window_closed",
    "budget_spent",
    "unsendable",
    "no_way",
    "busy",
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Who:
    """Whose doing an entry is. `name` is empty for the citizen and the system; the desk has its own words for them."""

    kind: Literal["citizen", "agent", "bot", "system"]
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEntry:
    """A text of either side."""

    kind: ClassVar[str] = "text"
    at: float
    who: Who
    message: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of either side."""

    kind: ClassVar[str] = "file"
    at: float
    who: Who
    message: str
    file: File


@dataclass(frozen=True, slots=True, kw_only=True)
class LocationEntry:
    """Where it is, as the citizen's device says, in degrees of WGS-84."""

    kind: ClassVar[str] = "location"
    at: float
    who: Who
    message: str
    location: Location
    name: str = ""
    """What the device calls the place; the citizen's text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressEntry:
    """Every message of the other side up to this one was delivered to, or read by, `who`."""

    kind: ClassVar[str] = "progress"
    at: float
    who: Who
    message: str
    state: MessageState


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEntry:
    """The house told the citizen something by a channel, in the reviewed words of `template`."""

    kind: ClassVar[str] = "notice"
    at: float
    who: Who
    message: str
    channel: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureEntry:
    """A message to the citizen will not come by `channel`. `code` is the carrier's own word, where it gave one."""

    kind: ClassVar[str] = "failure"
    at: float
    who: Who
    message: str
    channel: str
    reason: FailureName
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEntry:
    """A leg came up, was cut, came back, was joined, held or muted, or ended. `reason` is that of an end."""

    kind: ClassVar[str] = "leg"
    at: float
    who: Who
    leg: str
    what: Literal["opened", "away", "back", "joined", "held", "unheld", "muted", "unmuted", "closed"]
    channel: str = ""
    medium: MediumName | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferEntry:
    """An offer, and what became of it. `why` is the queue's explanation of an offer that was made."""

    kind: ClassVar[str] = "offer"
    at: float
    who: Who
    token: int
    what: Literal["made", "accepted", "declined", "expired", "rescinded", "cancelled"]
    reason: str = ""
    why: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEntry:
    """A recording began, or can be heard at `/api/recordings/{recording}`. Not `whole`: mended after a crash.

    `marked`: what `mark` says happened `at_s` seconds into it.
    """

    kind: ClassVar[str] = "recording"
    at: float
    who: Who
    recording: str
    what: Literal["started", "marked", "finished"]
    duration_s: float | None = None
    whole: bool = True
    mark: MarkName | None = None
    at_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteEntry:
    """An agent's note."""

    kind: ClassVar[str] = "note"
    at: float
    who: Who
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingEntry:
    """The citizen's rating, 1 to 5."""

    kind: ClassVar[str] = "rating"
    at: float
    who: Who
    score: int
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapEntry:
    """The contact was written up. `subject` is one of 咨询 求助 投诉 举报 建议, or empty."""

    kind: ClassVar[str] = "wrap"
    at: float
    who: Who
    subject: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEntry:
    """The contact was handed on: to an agent, to a line, or to the same line again. `why` is for who takes it."""

    kind: ClassVar[str] = "transfer"
    at: float
    who: Who
    to: str
    queue: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEntry:
    """Anything else, by name; `detail` is a digit, a place in line, what a link is for, or a timer's name."""

    kind: ClassVar[str] = "event"
    at: float
    who: Who
    what: Literal[
        "opened",
        "human_requested",
        "digit",
        "digits_sent",
        "place",
        "place_kept",
        "picture_requested",
        "link_failed",
        "link_opened",
        "verification_asked",
        "address_verified",
        "address_parted",
        "address_revealed",
        "parked",
        "resumed",
        "finished",
        "assignee_away",
        "assignee_back",
        "timer",
    ]
    detail: str = ""


TimelineEntry = (
    TextEntry
    | FileEntry
    | LocationEntry
    | ProgressEntry
    | NoticeEntry
    | FailureEntry
    | LegEntry
    | OfferEntry
    | RecordingEntry
    | NoteEntry
    | RatingEntry
    | WrapEntry
    | TransferEntry
    | EventEntry
)
