"""What must be done next. The machine asks; one place performs (`gateway`).

An effect is named by session, version and index.

Queue changes are committed in the very script that absorbs the events which caused them; the rest is performed
after the commit, at least once, by whoever owns the leg that it touches.
"""

from __future__ import annotations

from dataclasses import dataclass

from session.address import Address
from session.audio import Announcement
from session.ids import AssigneeId, LegId, MessageId, RecordingId
from session.state import CloseReason, Conference, DebtEnd, Demand, LegEnd, Medium, Supervision
from session.switch import Purpose
from session.ways import Way


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Put the session in line. `accrued_s` is all that it has waited already (law 5)."""

    demand: Demand
    medium: Medium
    accrued_s: float
    prefer: AssigneeId | None = None
    refused: AssigneeId | None = None
    """Who has just handed it on: as good as a decline (law 13)."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the session out of line, and a pending offer with it (law 10)."""


@dataclass(frozen=True, slots=True)
class PauseOffers:
    """Put the session before nobody, and take back a pending offer; its place in line stays as it is."""


@dataclass(frozen=True, slots=True)
class ResumeOffers:
    """It may be offered again. Where it is put in line anew that is so by itself."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """The charge on the assignee is wrap-up now; it stays a charge."""

    assignee: AssigneeId


@dataclass(frozen=True, slots=True)
class Release:
    """The session charges this assignee no longer."""

    assignee: AssigneeId


@dataclass(frozen=True, slots=True)
class Raise:
    """Charge the assignee who has the session for a heavier medium, if there is room (law 4).

    The queue answers with `SlotGranted` or `SlotRefused`, in the script that commits this.
    """

    assignee: AssigneeId
    medium: Medium


@dataclass(frozen=True, slots=True)
class Engage:
    """The session charges this assignee, who came to it without an offer, where they have room for it (law 4)."""

    assignee: AssigneeId
    medium: Medium


@dataclass(frozen=True, slots=True)
class Owe:
    """A call is owed to the citizen until then. One number is owed one: else the queue answers `DebtMerged`."""

    due_at: float


@dataclass(frozen=True, slots=True)
class Settle:
    """The call is owed no more."""

    end: DebtEnd


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `TimerFired(name)` in `after_s` seconds; one that is set again is moved."""

    name: str
    after_s: float


@dataclass(frozen=True, slots=True)
class ClearTimer:
    """Forget a timer; one that was never set is no error."""

    name: str


@dataclass(frozen=True, slots=True)
class LetCitizenGo:
    """The contact is over for the citizen: what they bring next is another session."""


@dataclass(frozen=True, slots=True)
class EndSession:
    """The session is closed: none but late events (`Event.late`) are taken, and its timers are forgotten."""

    reason: CloseReason


QueueChange = (
    Enqueue
    | Withdraw
    | PauseOffers
    | ResumeOffers
    | Wrap
    | Release
    | Raise
    | Engage
    | Owe
    | Settle
    | SetTimer
    | ClearTimer
    | LetCitizenGo
    | EndSession
)


@dataclass(frozen=True, slots=True)
class Play:
    """Let a leg hear announcements, then music without end where `music`."""

    leg: LegId
    items: tuple[Announcement, ...]
    music: bool = True


@dataclass(frozen=True, slots=True)
class AnnouncePlace:
    """Tell a waiting caller their place and estimated wait; the performer asks the queue for them."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class Ring:
    """Call the assignee's device for an offer of a call; picking up is accepting."""

    citizen_leg: LegId
    assignee: AssigneeId
    token: int
    lease_until: float


@dataclass(frozen=True, slots=True)
class StopRinging:
    """The offer is over without this assignee; cancel their device."""

    citizen_leg: LegId
    assignee: AssigneeId
    token: int


@dataclass(frozen=True, slots=True)
class Dial:
    """Call the citizen: the assignee is on the line already and hears it ring. At most once a leg."""

    leg: LegId
    assignee: AssigneeId
    ring_s: float
    """How long it may ring."""


@dataclass(frozen=True, slots=True)
class Join:
    """Let two legs hear each other, and record them."""

    citizen_leg: LegId
    assignee_leg: LegId
    recording: RecordingId


@dataclass(frozen=True, slots=True)
class Hold:
    """Let the citizen of a call wait with music and the assignee hear nothing, or let both talk on."""

    leg: LegId
    held: bool


@dataclass(frozen=True, slots=True)
class Mute:
    """Let the assignee of a citizen's call not be heard, or be heard again."""

    leg: LegId
    muted: bool


@dataclass(frozen=True, slots=True)
class Press:
    """Send digits to the far end of a leg. `turn` rises: the same one again is the same press."""

    leg: LegId
    digits: str
    turn: int


@dataclass(frozen=True, slots=True)
class Supervise:
    """Call a supervisor to a citizen's call, or let the one who is there do this. `turn` rises, as in `Press`."""

    leg: LegId
    by: AssigneeId
    what: Supervision
    turn: int


@dataclass(frozen=True, slots=True)
class CallThird:
    """Call a third to a citizen's call: colleagues, one after the other, or a number. `turn` rises, as in `Press`."""

    leg: LegId
    by: AssigneeId
    agents: tuple[AssigneeId, ...]
    number: Address | None
    turn: int


@dataclass(frozen=True, slots=True)
class Confer:
    """Let others of a citizen's call hear each other than now. `turn` rises, as in `Press`."""

    leg: LegId
    what: Conference
    turn: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Bring a message that is in the timeline to a leg of the citizen."""

    leg: LegId
    message: MessageId


@dataclass(frozen=True, slots=True)
class CloseLeg:
    """End a leg."""

    leg: LegId
    reason: LegEnd


@dataclass(frozen=True, slots=True)
class SendLink:
    """Send the citizen a link to go on elsewhere. It touches no leg: whoever has the session's mailbox performs it."""

    purpose: Purpose


@dataclass(frozen=True, slots=True)
class OfferWays:
    """Let a caller hear `items`, and by which keys they may go on; the performer leaves out what cannot be done now."""

    leg: LegId
    items: tuple[Announcement, ...]
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Ask a caller for a voice message and record it: until they fall silent, press a key or hang up."""

    leg: LegId
    recording: RecordingId
    longest_s: float


@dataclass(frozen=True, slots=True)
class LetGo:
    """Let a caller hear `items` to the end, and hang up; not where somebody has come on the line meanwhile."""

    leg: LegId
    items: tuple[Announcement, ...]


LegEffect = (
    Play
    | AnnouncePlace
    | OfferWays
    | TakeMessage
    | LetGo
    | Ring
    | StopRinging
    | Dial
    | Join
    | Hold
    | Mute
    | Press
    | Supervise
    | CallThird
    | Confer
    | Deliver
    | CloseLeg
    | SendLink
)
Effect = QueueChange | LegEffect
