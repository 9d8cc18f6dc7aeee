"""What platforms send and are answered: with `operations` the one source of the API and of its document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from realtime.messages import FileName, Name, Remark, Words
from session.naming import LONGEST_NAME

UserId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[A-Za-z0-9][A-Za-z0-9._~@-]*\Z")]
Phone = Annotated[str, Meta(min_length=5, max_length=16, pattern=r"\A\+[1-9][0-9]{3,14}\Z")]
SaidName = Annotated[str, Meta(max_length=LONGEST_NAME)]
Language = Annotated[str, Meta(min_length=2, max_length=16, pattern=r"\A[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?\Z")]

Phase = Literal["waiting", "with_bot", "talking", "parked", "callback", "ended"]
Sender = Literal["citizen", "agent", "bot"]

# --- what is asked --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class User:
    """Who it is, as the platform knows them. Its word on the `id` is taken; on the telephone number as configured."""

    id: UserId
    phone: Phone | None = None
    phone_verified: bool = False
    name: SaidName = ""
    """Shown to agents as what the user calls themselves; it proves nothing."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A user comes. Their open session is gone on with; else one begins."""

    user: User
    text: Words | None = None
    language: Language = "zh"


@dataclass(frozen=True, slots=True)
class SendText:
    """The user writes."""

    text: Words


@dataclass(frozen=True, slots=True)
class SendFile:
    """The user sends a file that was uploaded before."""

    file: Name
    name: FileName = "file"


@dataclass(frozen=True, slots=True)
class MarkRead:
    """The user has seen every message up to and including this one."""

    message: Name


@dataclass(frozen=True, slots=True)
class GiveRating:
    """The user rates the contact, 1 (bad) to 5 (good), and may say whether the matter is solved."""

    score: Annotated[int, Meta(ge=1, le=5)]
    comment: Remark = ""
    solved: bool | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty object: all is said by the path."""


# --- what is answered -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Assignee:
    """Who has the session, by number or name. Whether it is a bot is always said."""

    name: str
    kind: Literal["agent", "bot"]


@dataclass(frozen=True, slots=True)
class Place:
    """The place in line. The estimate is null while too little has been measured."""

    position: int
    waiting: int
    estimate_s: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """Where a session stands. `place` is null where it does not wait (yet); `cursor` is its newest event."""

    session: str
    phase: Phase
    assignee: Assignee | None
    place: Place | None
    may_rate: bool
    cursor: int


@dataclass(frozen=True, slots=True)
class Taken:
    """It is durable. `cursor` is the event that it became, 0 where nothing was left to do."""

    session: str
    cursor: int


@dataclass(frozen=True, slots=True)
class MessageTaken:
    """The message is durable, under this id."""

    session: str
    message: str
    cursor: int


@dataclass(frozen=True, slots=True)
class FileKept:
    """The file is here, to be sent within a day."""

    file: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class File:
    """A file in a message."""

    file: str
    name: str
    content_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message: a text or a file. `name` is an assignee's; a citizen has none."""

    id: str
    from_: Sender
    name: str
    text: str | None
    file: File | None


# --- what happens ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MessageEvent:
    """Somebody wrote. `at` is seconds since 1970, here as everywhere."""

    cursor: int
    at: float
    message: Message
    type: Literal["message"] = "message"


@dataclass(frozen=True, slots=True)
class ProgressEvent:
    """The user's messages up to and including this one have come so far."""

    cursor: int
    at: float
    up_to: str
    progress: Literal["delivered", "read"]
    type: Literal["progress"] = "progress"


@dataclass(frozen=True, slots=True)
class StateEvent:
    """The session stands elsewhere."""

    cursor: int
    at: float
    phase: Phase
    assignee: Assignee | None
    may_rate: bool
    type: Literal["state"] = "state"


Event = MessageEvent | ProgressEvent | StateEvent


@dataclass(frozen=True, slots=True)
class Events:
    """What happened after a cursor, in order. Ask with this `cursor` for what comes next; at once where `more`."""

    session: str
    user: str
    events: tuple[Event, ...]
    cursor: int
    more: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Why it was not done (RFC 9457). `type` is stable; `where` points at a field of the body that is at fault."""

    type: str
    title: str
    status: int
    detail: str
    where: str | None
