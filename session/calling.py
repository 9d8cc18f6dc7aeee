"""What has happened on a call, beyond its legs: handled, supervised, marked, measured. Part of `session.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from session.address import Address
from session.event import Event
from session.ids import AssigneeId, LegId, NodeId, RecordingId
from session.later import later
from session.state import HELD_NOWHERE, Conference, Handing, Mark, Supervision


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBegun(Event):
    """An agent calls somebody of their own accord, and has the session without an offer (主动外呼).

    The gateway has made sure that `address` may be called; the queue writes this as it charges the agent.
    """

    by: AssigneeId
    leg: LegId
    """Of the call that is to be made."""
    channel: str
    """Which makes it."""
    address: Address
    token: int
    """By which their telephone may be rung for it, as if an offer had been accepted."""
    node: NodeId = HELD_NOWHERE
    """The node at which their telephone is on the line already; none where it is to be rung first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegMuted(Event):
    """A leg is heard no more, or again; it hears all the while."""

    leg: LegId
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSilent(Event):
    """Nothing has come from a leg for a while, on a call that is joined: muted at the telephone, or one way only."""

    leg: LegId
    silent_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequested(Event):
    """The assignee wants the citizen to wait with music, or to talk on (保持、恢复)."""

    by: AssigneeId
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRequested(Event):
    """The assignee wants to hear without being heard, or to be heard again (静音)."""

    by: AssigneeId
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsRequested(Event):
    """The assignee presses digits for the far end's machine (送号)."""

    by: AssigneeId
    digits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactJudged(Event):
    """The assignee says whether a call that was owed has reached the citizen: a person, or a machine (是否联系上)."""

    by: AssigneeId
    reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionRequested(Event):
    """A supervisor wants to hear a running call, to speak in it, to have it, or to leave it."""

    by: AssigneeId
    what: Supervision


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionChanged(Event):
    """What a supervisor who is on the call hears and is heard by, from now on."""

    by: AssigneeId
    what: Supervision


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionEnded(Event):
    """They are no longer there, or never came (`reason`: left, occupied, no_answer, busy, rejected, unreachable)."""

    by: AssigneeId
    reason: str
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTakenOver(Event):
    """A supervisor has the session in its agent's place, on the call that was their supervising one (接管)."""

    by: AssigneeId
    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdRequested(Event):
    """The assignee wants a third called to the citizen's call: colleagues, one after the other, or a number outside.

    The gateway has made sure that they may be.
    """

    by: AssigneeId
    agents: tuple[AssigneeId, ...] = ()
    number: Address | None = None
    name: str = ""
    """What they are called: a place, a line, a login; empty for a number that somebody typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferRequested(Event):
    """The assignee wants others to hear each other, now that a third is called or there."""

    by: AssigneeId
    what: Conference


@dataclass(frozen=True, slots=True, kw_only=True)
class ConferChanged(Event):
    """Who talks with whom from now on."""

    by: AssigneeId
    what: Conference


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdEnded(Event):
    """The third is gone, or never came (`reason`: left, cancelled, no_answer, busy, rejected, unreachable)."""

    reason: str
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPassedOn(Event):
    """The agent has left the call to the citizen and the third, whose leg it names (咨询转接完成)."""

    by: AssigneeId
    leg: LegId
    to: AssigneeId | None = None
    """The colleague who has the session now; None where nobody of ours is on the call any more."""
    why: Handing = later(Handing.DESK)  # noqa: RUF009 - a frozen value
    vital: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParked(Event):
    """The assignee left the citizen at a place of the hotline, with music, where any agent may fetch them (驻留)."""

    by: AssigneeId
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityMeasured(Event):
    """How a call sounded, at its end: `session.audio.AudioQuality`. Not `heard`: nothing ever came from that leg."""

    leg: LegId
    mos: float
    loss: float
    jitter_ms: float
    round_trip_ms: float | None
    heard: bool
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingMarked(Event):
    """`at_s` seconds into a recording something happened that whoever listens to it must know."""

    leg: LegId
    recording: RecordingId
    at_s: float
    mark: Mark
    late: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceMessageLeft(Event):
    """A caller has left a voice message, and its recording is complete; nothing but silence lasts 0 s."""

    leg: LegId
    recording: RecordingId
    duration_s: float
    vital: ClassVar[bool] = True
    late: ClassVar[bool] = True
