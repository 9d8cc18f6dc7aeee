"""The timeline as the desk draws it: a union that `kind` tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from realtime.citizen import File, Location, MessageState
from realtime.messages import Part

MediumName = Literal["voice", "chat", "message"]
MarkName = Literal[
    "held",
    "resumed",
    "muted",
    "unmuted",
    "listening",
    "whispering",
    "barged_in",
    "taken_over",
    "supervisor_left",
    "consulting",
    "third_waits",
    "third_joined",
    "third_left",
    "agent_left",
    "agent_joined",
    "agent_away",
    "agent_back",
]
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
DialFailureName = Literal[
    "busy", "no_answer", "declined", "unreachable", "refused", "no_agent", "unknown", "no_microphone"
]


class Who(Part, frozen=True):
    """Whose doing an entry is. `name` is empty for the citizen and the system; the desk has its own words for them."""

    kind: Literal["citizen", "agent", "bot", "system"]
    name: str = ""


class _Entry(Part, frozen=True, tag_field="kind"):
    """Tells by `kind` what it is."""


class Quote(Part, frozen=True):
    """An earlier message that a text answers, and what it said in short."""

    message: str
    text: str


class TextEntry(_Entry, frozen=True, tag="text"):
    """A text of either side."""

    at: float
    who: Who
    message: str
    text: str
    quote: Quote | None = None


class RecallEntry(_Entry, frozen=True, tag="recall"):
    """An agent took a message back: the citizen no longer sees it, the desk still does."""

    at: float
    who: Who
    message: str


class FileEntry(_Entry, frozen=True, tag="file"):
    """A file of either side."""

    at: float
    who: Who
    message: str
    file: File


class LocationEntry(_Entry, frozen=True, tag="location"):
    """Where it is, as the citizen's device says, in degrees of WGS-84."""

    at: float
    who: Who
    message: str
    location: Location
    name: str = ""
    """What the device calls the place; the citizen's text."""


class ProgressEntry(_Entry, frozen=True, tag="progress"):
    """Every message of the other side up to this one was delivered to, or read by, `who`."""

    at: float
    who: Who
    message: str
    state: MessageState


class AcceptedEntry(_Entry, frozen=True, tag="accepted"):
    """The carrier or platform of `channel` has a message to the citizen, as so many `parts`; it is on its way."""

    at: float
    who: Who
    message: str
    channel: str
    parts: int


class NoticeEntry(_Entry, frozen=True, tag="notice"):
    """The house told the citizen something by a channel, in the reviewed words of `template`."""

    at: float
    who: Who
    message: str
    channel: str
    template: str


class FailureEntry(_Entry, frozen=True, tag="failure"):
    """A message to the citizen will not come by `channel`. `code` is the carrier's own word, where it gave one."""

    at: float
    who: Who
    message: str
    channel: str
    reason: FailureName
    code: str = ""


class LegEntry(_Entry, frozen=True, tag="leg"):
    """A leg came up, was cut, came back, was joined, held or muted, or ended. `reason` is that of an end."""

    at: float
    who: Who
    leg: str
    what: Literal["opened", "away", "back", "joined", "held", "unheld", "muted", "unmuted", "silent", "closed"]
    channel: str = ""
    medium: MediumName | None = None
    reason: str = ""


class NameEntry(_Entry, frozen=True, tag="name"):
    """By which name the citizen on a leg calls themselves (自称): their own text, which proves nothing."""

    at: float
    who: Who
    leg: str
    name: str


class OfferEntry(_Entry, frozen=True, tag="offer"):
    """An offer, and what became of it. `why` is the queue's explanation of an offer that was made."""

    at: float
    who: Who
    token: int
    what: Literal["made", "accepted", "declined", "expired", "rescinded", "cancelled"]
    reason: str = ""
    why: Mapping[str, object] | None = None


class RecordingEntry(_Entry, frozen=True, tag="recording"):
    """A recording began, failed to, or is heard at `/api/recordings/{recording}`. Not `whole`: mended after a crash.

    `marked`: what `mark` says happened `at_s` seconds into it.
    """

    at: float
    who: Who
    recording: str
    what: Literal["started", "failed", "marked", "finished"]
    duration_s: float | None = None
    whole: bool = True
    mark: MarkName | None = None
    at_s: float | None = None


class NoteEntry(_Entry, frozen=True, tag="note"):
    """An agent's note."""

    at: float
    who: Who
    text: str


class RatingEntry(_Entry, frozen=True, tag="rating"):
    """The citizen's rating of who answered, 1 to 5, and whether they say that the matter is solved."""

    at: float
    who: Who
    score: int
    comment: str
    solved: bool | None = None


class WrapEntry(_Entry, frozen=True, tag="wrap"):
    """The contact was written up. `subject` is one of 咨询 求助 投诉 举报 建议, or empty."""

    at: float
    who: Who
    subject: str
    note: str


class TransferEntry(_Entry, frozen=True, tag="transfer"):
    """The contact was handed on: to an agent, to a line, or to the same line again. `why` is for who takes it."""

    at: float
    who: Who
    to: str
    queue: str
    why: str


class DialEntry(_Entry, frozen=True, tag="dial"):
    """A call to the citizen: asked for, waiting for the agent's telephone line, dialled, or come to nothing.

    Of one that was owed the agent may say that it `reached` them, or a `machine`. `leg` is the call that is to come;
    `channel`, by what it goes, is told of once, when it is asked for.
    """

    at: float
    who: Who
    what: Literal["begun", "requested", "waiting", "started", "failed", "reached", "machine"]
    reason: DialFailureName | None = None
    leg: str = ""
    channel: str = ""


class EventEntry(_Entry, frozen=True, tag="event"):
    """Anything else, by name; `detail` is a digit, a place in line, what a link is for, or a timer's name."""

    at: float
    who: Who
    what: Literal[
        "opened",
        "human_requested",
        "digit",
        "digits_sent",
        "supervision_requested",
        "supervision_changed",
        "supervision_ended",
        "taken_over",
        "third_requested",
        "confer_changed",
        "third_ended",
        "passed_on",
        "passed_by_phone",
        "call_parked",
        "place",
        "place_kept",
        "voice_message",
        "picture_requested",
        "link_failed",
        "link_opened",
        "joined",
        "joined_into",
        "split",
        "split_from",
        "verification_asked",
        "address_verified",
        "address_parted",
        "address_revealed",
        "parked",
        "resumed",
        "finished",
        "wrap_extended",
        "assignee_away",
        "assignee_back",
        "timer",
    ]
    detail: str = ""


class QualityEntry(_Entry, frozen=True, tag="quality"):
    """How a leg's call sounded, at its end. `mos` 1 to 4.5; `loss` a share. Not `heard`: nothing ever came from it."""

    at: float
    who: Who
    leg: str
    mos: float
    loss: float
    jitter_ms: float
    round_trip_ms: float | None
    heard: bool


TimelineEntry = (
    TextEntry
    | FileEntry
    | RecallEntry
    | LocationEntry
    | ProgressEntry
    | AcceptedEntry
    | NoticeEntry
    | FailureEntry
    | LegEntry
    | NameEntry
    | OfferEntry
    | RecordingEntry
    | QualityEntry
    | NoteEntry
    | RatingEntry
    | WrapEntry
    | TransferEntry
    | DialEntry
    | EventEntry
)
