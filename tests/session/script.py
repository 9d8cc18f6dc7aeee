"""Words for scripts of events: who there is, and what each may do."""

from dataclasses import replace

from session import events as ev
from session.address import Address
from session.ids import AssigneeId, LegId, LinkId, MessageId, NodeId, RecordingId, SessionId
from session.state import (
    AssigneeKind,
    Demand,
    DialFailure,
    Failure,
    Leg,
    LegEnd,
    Medium,
    Party,
)
from session.switch import Purpose, notices_of
from session.ways import Detour, Obstacle, Way

CITIZEN = Address("tel", "+8613800138000")
VISITOR = Address("web", "v1")
WANG, LI = AssigneeId("8001"), AssigneeId("8002")
GUIDE = AssigneeId("guide")
CALL, CHAT, AGENT_CALL, AGENT_CALL_2 = LegId("call"), LegId("chat"), LegId("agent"), LegId("agent-2")
CALL_AGAIN = LegId("call-again")
ASKED, OWN = LegId("asked"), LegId("own")
SUPERVISING_CALL = LegId("supervisor")
THIRD_CALL = LegId("third")
NODE, OTHER_NODE = NodeId("n1"), NodeId("n2")
OTHER_SESSION = SessionId("01J00000000000000000000001")
LINK = LinkId("01J0000000000000000000000L")
SESSION = SessionId("01J00000000000000000000000")
THREAD = Leg(LegId("thread"), "sms", Medium.MESSAGE, Party.CITIZEN, NODE, CITIZEN)
START = 1_790_000_000.25

OPENED_BY_CALL = ev.SessionOpened(citizen=CITIZEN, number="12345", demand=Demand("general", 10))
OPENED_BY_CHAT = ev.SessionOpened(citizen=VISITOR, number="web", demand=Demand("general"))
OPENED_OUT_OF_HOURS = replace(OPENED_BY_CHAT, bot_queue="bots")


def call(leg: LegId = CALL, owner: NodeId = NODE) -> ev.LegOpened:
    return ev.LegOpened(leg=Leg(leg, "phone", Medium.VOICE, Party.CITIZEN, owner, CITIZEN, asserted=True))


CLOSED = Detour(Obstacle.CLOSED, tuple(Way), opens_at=START + 36_000)
FULL = Detour(Obstacle.FULL, tuple(Way), owed=True)
TOO_OFTEN = Detour(Obstacle.TOO_OFTEN, (Way.MESSAGE,))


def kept_out(detour: Detour, leg: LegId = CALL) -> ev.LegOpened:
    """A call that something stands in the way of."""
    return replace(call(leg), detour=detour)


def claimed(detour: Detour) -> ev.LegOpened:
    """Likewise, by a number for which the network does not vouch."""
    kept = kept_out(detour)
    return replace(kept, leg=replace(kept.leg, asserted=False))


def presses(digit: str, leg: LegId = CALL) -> ev.DigitPressed:
    return ev.DigitPressed(leg=leg, digit=digit)


def spoke(duration_s: float = 8.5, leg: LegId = CALL) -> ev.VoiceMessageLeft:
    return ev.VoiceMessageLeft(leg=leg, recording=RecordingId("01J0-4"), duration_s=duration_s)


def sent(purpose: Purpose = Purpose.SWITCH) -> ev.LinkSent:
    return ev.LinkSent(purpose=purpose, channel="sms", link="3.0")


UNBROUGHT = ev.MessageFailed(
    message=MessageId(f"{notices_of(SESSION, Purpose.SWITCH)}3.0"), channel="sms", reason=Failure.UNDELIVERED
)
"""The carrier says that the text with a link did not reach the citizen."""


def chat(leg: LegId = CHAT, owner: NodeId = NODE) -> ev.LegOpened:
    return ev.LegOpened(leg=Leg(leg, "webchat", Medium.CHAT, Party.CITIZEN, owner, VISITOR))


def telephone(leg: LegId = AGENT_CALL, owner: NodeId = NODE) -> ev.LegOpened:
    return ev.LegOpened(leg=Leg(leg, "phone", Medium.VOICE, Party.ASSIGNEE, owner))


def supervisor(leg: LegId = SUPERVISING_CALL, owner: NodeId = NODE) -> ev.LegOpened:
    return ev.LegOpened(leg=Leg(leg, "phone", Medium.VOICE, Party.SUPERVISOR, owner))


def third(leg: LegId = THIRD_CALL, owner: NodeId = NODE) -> ev.LegOpened:
    return ev.LegOpened(leg=Leg(leg, "phone", Medium.VOICE, Party.THIRD, owner))


def offer(token: int, assignee: AssigneeId = WANG, medium: Medium = Medium.CHAT) -> ev.OfferMade:
    kind = AssigneeKind.BOT if assignee == GUIDE else AssigneeKind.AGENT
    why = {"winner": {"assignee": assignee, "score": 12.5}, "excluded": {"busy": 3}}
    return ev.OfferMade(token=token, assignee=assignee, kind=kind, medium=medium, lease_until=START + 20, why=why)


def accept(token: int, assignee: AssigneeId = WANG) -> ev.OfferAccepted:
    kind = AssigneeKind.BOT if assignee == GUIDE else AssigneeKind.AGENT
    return ev.OfferAccepted(token=token, assignee=assignee, kind=kind)


def expire(token: int, assignee: AssigneeId = WANG) -> ev.OfferExpired:
    return ev.OfferExpired(token=token, assignee=assignee)


def wrote(text: str = "路灯坏了", message: str = "m1", leg: LegId = CHAT) -> ev.TextReceived:
    return ev.TextReceived(leg=leg, message=MessageId(message), text=text)


def said(text: str = "您好", message: str = "m2", by: AssigneeId = WANG) -> ev.TextSent:
    kind = AssigneeKind.BOT if by == GUIDE else AssigneeKind.AGENT
    return ev.TextSent(by=by, kind=kind, message=MessageId(message), text=text)


def dialled(leg: LegId, owner: NodeId = NODE) -> ev.LegOpened:
    """The citizen has picked up the call that we made."""
    return ev.LegOpened(leg=Leg(leg, "phone", Medium.VOICE, Party.CITIZEN, owner, CITIZEN, asserted=True))


def wants_call(by: AssigneeId | None = WANG, leg: LegId = ASKED, *, anyone: bool = False) -> ev.CallRequested:
    return ev.CallRequested(by=by, leg=leg, channel="phone", address=CITIZEN, anyone=anyone)


def rings_page(by: AssigneeId = WANG, leg: LegId = ASKED, node: NodeId = OTHER_NODE) -> ev.CallRequested:
    """The agent would have the page ring that the citizen writes from."""
    return ev.CallRequested(by=by, leg=leg, channel="browser", address=VISITOR, node=node)


def room(token: int, assignee: AssigneeId = WANG) -> ev.SlotGranted:
    return ev.SlotGranted(assignee=assignee, medium=Medium.VOICE, token=token, lease_until=START + 20)


def no_room(assignee: AssigneeId = WANG) -> ev.SlotRefused:
    return ev.SlotRefused(assignee=assignee, medium=Medium.VOICE)


def attempt(version: int) -> LegId:
    """The call back that became due with the event of that version."""
    return LegId(f"dial-{SESSION}-{version}")


def called_back(token: int, version: int) -> tuple[ev.Event, ...]:
    """One attempt at which somebody, or something, picks up; six events."""
    leg = attempt(version)
    return (
        timer("retry"),
        offer(token, medium=Medium.VOICE),
        accept(token),
        telephone(),
        ev.DialStarted(leg=leg),
        dialled(leg),
    )


def in_vain(token: int, version: int, telephone_leg: LegId) -> tuple[ev.Event, ...]:
    """One attempt that comes to nothing; seven events."""
    leg = attempt(version)
    return (
        timer("retry"),
        offer(token, medium=Medium.VOICE),
        accept(token),
        telephone(telephone_leg),
        ev.DialStarted(leg=leg),
        ev.DialFailed(leg=leg, reason=DialFailure.BUSY),
        hangs_up(telephone_leg, LegEnd.CLOSED),
    )


def hangs_up(leg: LegId = CALL, reason: LegEnd = LegEnd.HANGUP) -> ev.LegClosed:
    return ev.LegClosed(leg=leg, reason=reason)


def timer(name: str) -> ev.TimerFired:
    return ev.TimerFired(name=name)


LOST = (OPENED_BY_CALL, call(), hangs_up(reason=LegEnd.NODE_LOST))
"""A call whose node died: it is owed."""


RECORDING = RecordingId("01J0-6")
HERE = ev.LocationReceived(
    leg=CHAT, message=MessageId("m7"), latitude=39.904, longitude=116.4, accuracy_m=12.5, name="天安门"
)

TALKING = (OPENED_BY_CALL, call(), offer(1, medium=Medium.VOICE), accept(1), telephone())
"""Agent and citizen, by telephone."""
