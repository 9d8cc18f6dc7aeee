"""What a session is at one instant: frozen values only. `session.machine` is the one that makes new ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from session.address import Address
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.later import later
from session.ways import Detour, Patience


class Phase(StrEnum):
    """Where a session stands. Every session is in exactly one phase at every instant (law 1)."""

    NEW = "new"
    BOT = "bot"
    CHOOSING = "choosing"
    """Nobody can take the call now, and the caller is offered ways on."""
    QUEUED = "queued"
    OFFERED = "offered"
    ACTIVE = "active"
    PARKED = "parked"
    WRAPPING = "wrapping"
    CALLBACK_PENDING = "callback_pending"
    CLOSED = "closed"


class Medium(StrEnum):
    """What a leg occupies of an agent, heaviest first: a voice, a live chat, a message answered later."""

    VOICE = "voice"
    CHAT = "chat"
    MESSAGE = "message"


HEAVIEST_FIRST = (Medium.VOICE, Medium.CHAT, Medium.MESSAGE)


class Party(StrEnum):
    """Whose end a leg is."""

    CITIZEN = "citizen"
    ASSIGNEE = "assignee"
    SUPERVISOR = "supervisor"
    """Who listens to a call that is another's (班长)."""
    THIRD = "third"
    """Whom the agent consults, or takes into the call: a colleague, a department, 110 (第三方)."""


class LegState(StrEnum):
    """`away`: the connection is gone but may come back within its grace (a chat whose socket was cut), or the call be
    dialled again.
    """

    PLANNED = "planned"
    """A call that we are to make once an agent is there for it; nobody is dialled yet."""
    CALLING = "calling"
    """The agent is there and the citizen's number is being dialled."""
    LIVE = "live"
    AWAY = "away"
    ENDED = "ended"


class AssigneeKind(StrEnum):
    """Bot and agent take offers alike; who they are is shown to the citizen always."""

    AGENT = "agent"
    BOT = "bot"


class LegEnd(StrEnum):
    """Why a leg ended."""

    HANGUP = "hangup"
    """Its far end left, or we were asked to close it."""
    LEFT = "left"
    """Away for longer than its grace."""
    LOST = "lost"
    """Its audio or connection broke with nobody wanting it."""
    NODE_LOST = "node_lost"
    """The gateway process that held it died."""
    CLOSED = "closed"
    """The session ended and took it along."""


class Mark(StrEnum):
    """What a moment of a recording is remembered for."""

    HELD = "held"
    RESUMED = "resumed"
    MUTED = "muted"
    UNMUTED = "unmuted"
    LISTENING = "listening"
    WHISPERING = "whispering"
    BARGED_IN = "barged_in"
    TAKEN_OVER = "taken_over"
    SUPERVISOR_LEFT = "supervisor_left"
    CONSULTING = "consulting"
    """The citizen waits while the agent speaks with a third."""
    THIRD_WAITS = "third_waits"
    THIRD_JOINED = "third_joined"
    THIRD_LEFT = "third_left"
    AGENT_LEFT = "agent_left"
    AGENT_JOINED = "agent_joined"
    """Another agent, or the same one again, on a call that was recorded before."""
    AGENT_AWAY = "agent_away"
    """The agent's page is gone; the citizen hears music until it is back."""
    AGENT_BACK = "agent_back"


class Supervision(StrEnum):
    """What a supervisor does with a call that is another's."""

    LISTEN = "listen"
    """Hear both, heard by nobody (监听)."""
    WHISPER = "whisper"
    """Heard by the agent alone (耳语)."""
    BARGE = "barge"
    """Heard by both (强插)."""
    TAKE_OVER = "take_over"
    """In the agent's place (接管)."""
    LEAVE = "leave"


class Conference(StrEnum):
    """Who talks with whom while a third is called to a citizen's call, or is there."""

    CONSULT = "consult"
    """Agent and third; the citizen waits with music (咨询)."""
    CITIZEN = "citizen"
    """Agent and citizen; the third waits (切换)."""
    TOGETHER = "together"
    """All three (三方通话)."""
    COMPLETE = "complete"
    """Citizen and third, without the agent (完成转接)."""
    CANCEL = "cancel"
    """Agent and citizen; the third is let go (取消)."""


class Handing(StrEnum):
    """By what a call was left to somebody else."""

    DESK = "desk"
    """At the desk, or by hanging up with a third on the line."""
    REFERRED = "referred"
    """Their telephone has called somebody itself, and asked for both to be joined (REFER with Replaces)."""
    REPLACED = "replaced"
    """Another telephone of ours came in its place (INVITE with Replaces)."""


class Failure(StrEnum):
    """Why a message did not reach the citizen; each is mended in its own way."""

    UNDELIVERED = "undelivered"
    """The carrier had it, and their telephone did not take it."""
    REFUSED = "refused"
    """The carrier or platform would not have it."""
    OPTED_OUT = "opted_out"
    """The citizen wants nothing by this way."""
    WINDOW_CLOSED = "window_closed"
    """Nothing may be sent before the citizen writes again."""
    BUDGET_SPENT = "budget_spent"
    """All that their last word allows has been sent."""
    UNSENDABLE = "unsendable"
    """Not a kind of content that this way carries."""
    NO_WAY = "no_way"
    """Nobody is there who would bring it: no carrier, no reviewed template, no leg."""
    BUSY = "busy"
    """Not now, and not for a while: it may be sent again."""
    UNKNOWN = "unknown"
    """An attempt broke off: perhaps they have it."""


class DialFailure(StrEnum):
    """Why a call that we made came to nothing."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    """The citizen refused it."""
    UNREACHABLE = "unreachable"
    """Switched off, out of coverage, no such number, or no way there."""
    REFUSED = "refused"
    """Our own rule forbids it (toll fraud); nobody was dialled."""
    NO_AGENT = "no_agent"
    """The agent's telephone was not picked up, or was put down before the citizen answered."""
    UNKNOWN = "unknown"
    """The gateway process that dialled died: it is never dialled again by itself."""
    NO_MICROPHONE = "no_microphone"
    """Their page rang and they took it, but it may not use a microphone, or has none."""


class DebtEnd(StrEnum):
    """How a call that is owed is owed no more. A failed attempt is none of these."""

    KEPT = "kept"
    """We called and they spoke with somebody."""
    RETURNED = "returned"
    """They came back by themselves."""
    UNREACHED = "unreached"
    """The bound of attempts or of time was reached."""


class CloseReason(StrEnum):
    """Why a session ended."""

    COMPLETED = "completed"
    ABANDONED = "abandoned"
    """The citizen left before anybody answered."""
    RESOLVED_BY_BOT = "resolved_by_bot"
    UNREACHED = "unreached"
    """Owed a call back, and not reached before the debt's deadline; or an agent's own call that was never made."""
    JOINED = "joined"
    """It went on in another session of its citizen."""
    EXPIRED = "expired"
    """Parked for longer than allowed."""
    MERGED = "merged"
    """The same number is owed a call by another session already; one call answers both."""
    UNSERVED = "unserved"
    """Told that nobody takes calls now, and went without choosing another way."""


HELD_NOWHERE = NodeId("")
"""The owner of a call that is yet to be made: whoever has the mailbox begins it."""


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill that a session needs, or an agent has; level 1 (some) to 10 (master)."""

    name: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Leg:
    """A session on one channel: a call, a chat, a message thread."""

    id: LegId
    channel: str
    medium: Medium
    party: Party
    owner: NodeId
    """The node that holds its dialog or socket, and its audio."""
    address: Address | None = None
    """The citizen's; None for an assignee's leg."""
    asserted: bool = False
    """The network vouches for the address; else it is a claim."""
    state: LegState = LegState.LIVE
    joined_from: SessionId | None = later(None)  # noqa: RUF009 - a frozen value
    """The session that has brought it here, where two were joined."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A session put before one assignee. The token rises with each offer of a session and is never reused."""

    token: int
    assignee: AssigneeId
    kind: AssigneeKind
    medium: Medium
    lease_until: float
    """Seconds since 1970 by the store's clock."""


@dataclass(frozen=True, slots=True)
class Debt:
    """A call that we owe the citizen (漏接回拨): a missed call, or one that we lost."""

    since: float
    due_at: float
    attempts: int = 0
    """Calls made in vain."""
    not_before: float = later(0.0)
    """When people are there again to make it; 0 for at once."""


@dataclass(frozen=True, slots=True)
class Redeemed:
    """How a call that was owed is owed no more."""

    at: float
    due_at: float
    end: DebtEnd

    @property
    def is_kept(self) -> bool:
        """They spoke with somebody before its deadline, by our call or their own return."""
        return self.end is not DebtEnd.UNREACHED and self.at <= self.due_at


@dataclass(frozen=True, slots=True)
class Demand:
    """What a session asks of the queue. Given by the routing rules when it opens."""

    queue: str
    priority: int = 0
    """Seconds of head start in the line; may be negative."""
    skills: tuple[Skill, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One matter that a citizen brings, over any number of channels (一次诉求)."""

    id: SessionId
    citizen: Address
    number: str
    """The public number that was reached."""
    opened_at: float
    phase: Phase = Phase.NEW
    version: int = 0
    """Of the last event that is in this state."""
    demand: Demand = field(default_factory=lambda: Demand(""))
    bot_queue: str = ""
    """The bots' queue that it stands in first; empty where a human is asked for from the start."""
    legs: tuple[Leg, ...] = ()
    offer: Offer | None = None
    assignee: AssigneeId | None = None
    assignee_kind: AssigneeKind | None = None
    prefer: AssigneeId | None = None
    """Whom to ask first: the assignee that it had before."""
    waiting_since: float | None = None
    accrued_wait_s: float = 0.0
    """Waited before `waiting_since`, in all earlier waits."""
    announced: int = 0
    """How often the place in line has been said in this wait."""
    recorded: bool = False
    closed_at: float | None = None
    close_reason: CloseReason | None = None
    kept: bool = later(False)
    """The citizen asked to keep the place in line and go on elsewhere."""
    joined_into: SessionId | None = later(None)  # noqa: RUF009 - a frozen value
    """The session that it goes on in: it stands aside itself."""
    granted: int = later(0)
    """The token of the offer that its assignee accepted last."""
    debt: Debt | None = later(None)  # noqa: RUF009 - a frozen value
    """The call that the citizen is owed; None once they have spoken with somebody."""
    redeemed: Redeemed | None = later(None)  # noqa: RUF009 - a frozen value
    """What became of the last call that they were owed."""
    detour: Detour | None = later(None)  # noqa: RUF009 - a frozen value
    """What stands in their way, and the ways round it that they are offered."""
    patience: Patience | None = later(None)  # noqa: RUF009 - a frozen value
    """What is done when it stands in line too long; None once it is done, or somebody has the session."""
    message: RecordingId | None = later(None)  # noqa: RUF009 - a frozen value
    """The voice message that they left."""
    begun: LegId | None = later(None)  # noqa: RUF009 - a frozen value
    """The call by which an agent began it of their own accord; None where the citizen came."""

    def leg(self, leg_id: LegId) -> Leg | None:
        """The leg of that id, ended or not."""
        return next((leg for leg in self.legs if leg.id == leg_id), None)

    def live_legs(self, party: Party) -> tuple[Leg, ...]:
        """That party's legs which are not ended; one that is away, or a call that is to be made, counts."""
        return tuple(leg for leg in self.legs if leg.party is party and leg.state is not LegState.ENDED)

    @property
    def guests(self) -> tuple[Leg, ...]:
        """Who came to the agent's call beside them, and goes when they do."""
        return (*self.live_legs(Party.SUPERVISOR), *self.live_legs(Party.THIRD))

    def voice_leg(self, party: Party) -> Leg | None:
        """The party's running call."""
        return self._call(party, LegState.LIVE)

    @property
    def dropped_call(self) -> Leg | None:
        """The citizen's call that is gone and may be dialled again."""
        return self._call(Party.CITIZEN, LegState.AWAY)

    @property
    def dial(self) -> Leg | None:
        """The call to the citizen that we are to make, or are making."""
        return self._call(Party.CITIZEN, LegState.PLANNED) or self._call(Party.CITIZEN, LegState.CALLING)

    @property
    def call(self) -> Leg | None:
        """The citizen's call that an assignee is wanted for: running, or to be made."""
        return self.voice_leg(Party.CITIZEN) or self.dial

    def _call(self, party: Party, state: LegState) -> Leg | None:
        calls = (leg for leg in self.legs if leg.medium is Medium.VOICE)
        return next((leg for leg in calls if leg.party is party and leg.state is state), None)

    @property
    def medium(self) -> Medium:
        """The heaviest live medium of the citizen: what an agent is charged for (law 4)."""
        media = {leg.medium for leg in self.live_legs(Party.CITIZEN)}
        return next((medium for medium in HEAVIEST_FIRST if medium in media), Medium.MESSAGE)

    def waited_s(self, now: float) -> float:
        """The accrued wait in all, at `now`."""
        return self.accrued_wait_s + (max(0.0, now - self.waiting_since) if self.waiting_since is not None else 0.0)

    def with_leg(self, leg: Leg) -> Session:
        """This session with `leg` added, or put in the place of the one with its id."""
        if self.leg(leg.id) is None:
            return replace(self, legs=(*self.legs, leg))
        return replace(self, legs=tuple(leg if old.id == leg.id else old for old in self.legs))
