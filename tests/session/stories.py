"""What sessions live through, as scripts of events: the machine, the wire and the history are all tried on them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from session import belonging as bl
from session import events as ev
from session.address import Address
from session.identity import Proof
from session.ids import AssigneeId, FileId, LegId, LinkId, MessageId, NodeId, RecordingId, SessionId
from session.state import (
    AssigneeKind,
    Conference,
    Demand,
    DialFailure,
    Failure,
    Leg,
    LegEnd,
    Mark,
    Medium,
    Party,
    Supervision,
)
from session.switch import Purpose

CITIZEN = Address("tel", "+8613800138000")
VISITOR = Address("web", "v1")
WANG, LI = AssigneeId("8001"), AssigneeId("8002")
GUIDE = AssigneeId("guide")
CALL, CHAT, AGENT_CALL, AGENT_CALL_2 = LegId("call"), LegId("chat"), LegId("agent"), LegId("agent-2")
CALL_AGAIN = LegId("call-again")
ASKED = LegId("asked")
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


def room(token: int, assignee: AssigneeId = WANG) -> ev.SlotGranted:
    return ev.SlotGranted(assignee=assignee, medium=Medium.VOICE, token=token, lease_until=START + 20)


def no_room(assignee: AssigneeId = WANG) -> ev.SlotRefused:
    return ev.SlotRefused(assignee=assignee, medium=Medium.VOICE)


def attempt(version: int) -> LegId:
    """The call back that became due with the event of that version."""
    return LegId(f"dial-{SESSION}-{version}")


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


RECORDING = RecordingId("01J0-6")
HERE = ev.LocationReceived(
    leg=CHAT, message=MessageId("m7"), latitude=39.904, longitude=116.4, accuracy_m=12.5, name="天安门"
)

TALKING = (OPENED_BY_CALL, call(), offer(1, medium=Medium.VOICE), accept(1), telephone())
"""Agent and citizen, by telephone."""
STORIES: Mapping[str, tuple[ev.Event, ...]] = {
    "call answered": (
        OPENED_BY_CALL,
        call(),
        ev.PlaceAnnounced(leg=CALL, position=3, estimate_s=40.0),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        ev.LegsJoined(citizen_leg=CALL, assignee_leg=AGENT_CALL),
        ev.RecordingStarted(leg=CALL, recording=RECORDING),
        ev.DigitPressed(leg=CALL, digit="5"),
        ev.HoldRequested(by=WANG, held=True),
        ev.LegHeld(leg=AGENT_CALL, held=True),
        ev.RecordingMarked(leg=CALL, recording=RECORDING, at_s=4.5, mark=Mark.HELD),
        ev.LegHeld(leg=AGENT_CALL, held=False),
        ev.MuteRequested(by=WANG, muted=True),
        ev.LegMuted(leg=AGENT_CALL, muted=True),
        ev.DigitsRequested(by=WANG, digits="12#"),
        ev.LegSilent(leg=CALL, silent_s=10.5),
        hangs_up(),
        ev.RecordingFinished(leg=CALL, recording=RECORDING, duration_s=61.5, size_bytes=1_968_044, sha256="ab" * 32),
        ev.QualityMeasured(leg=CALL, mos=4.25, loss=0.125, jitter_ms=2.5, round_trip_ms=None, heard=True),
        ev.WrapFinished(by=WANG, kind="投诉", note="路灯"),
        ev.RatingGiven(score=5, comment="谢谢"),
        ev.NoteAdded(by=LI, text="已转办"),
    ),
    "call abandoned": (
        OPENED_BY_CALL,
        call(),
        timer("announce"),
        offer(1, medium=Medium.VOICE),
        hangs_up(),
        timer("grace:call"),
    ),
    "supervised, then taken over": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        ev.SupervisionRequested(by=LI, what=Supervision.LISTEN),
        supervisor(),
        ev.SupervisionChanged(by=LI, what=Supervision.LISTEN),
        ev.SupervisionRequested(by=LI, what=Supervision.TAKE_OVER),
        ev.SessionTakenOver(by=LI, leg=SUPERVISING_CALL),
        hangs_up(AGENT_CALL),
        hangs_up(SUPERVISING_CALL),
        ev.SupervisionEnded(by=LI, reason="left"),
        ev.WrapFinished(by=LI),
    ),
    "nobody picks up, the next one does": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        expire(1),
        offer(2, LI, medium=Medium.VOICE),
        ev.OfferDeclined(token=2, assignee=LI, reason="busy"),
        offer(3, medium=Medium.VOICE),
        ev.OfferRescinded(token=3, assignee=WANG, reason="unreachable"),
        offer(4, LI, medium=Medium.VOICE),
        accept(4, LI),
        telephone(),
        hangs_up(AGENT_CALL),
        timer("wrap"),
    ),
    "chat cut and back": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        ev.LegAway(leg=CHAT),
        offer(1),
        ev.LegBack(leg=CHAT, owner=OTHER_NODE),
        accept(1),
        said(),
        ev.MessageAccepted(message=MessageId("m2"), channel="sms"),
        ev.MessageFailed(message=MessageId("m2"), channel="sms", reason=Failure.UNDELIVERED, code="MK:0001"),
        ev.NoticeSent(message=MessageId("n1"), channel="sms", template="link", by=WANG),
        ev.MessageDelivered(message=MessageId("m2"), to=Party.CITIZEN),
        ev.MessageRead(message=MessageId("m2"), by=Party.CITIZEN),
        ev.FileReceived(
            leg=CHAT,
            message=MessageId("m3"),
            file=FileId("f1"),
            name="路灯.jpg",
            content_type="image/jpeg",
            size_bytes=9,
        ),
        ev.FileSent(
            by=WANG,
            kind=AssigneeKind.AGENT,
            message=MessageId("m4"),
            file=FileId("f2"),
            name="答复.pdf",
            content_type="application/pdf",
            size_bytes=7,
        ),
        ev.ContactFinished(by=WANG),
        ev.WrapFinished(by=WANG, kind="咨询"),
    ),
    "chat cut for good": (OPENED_BY_CHAT, chat(), wrote(), ev.LegAway(leg=CHAT), timer("grace:chat")),
    "node lost, call owed, citizen returns": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        call(LegId("call-2"), OTHER_NODE),
        offer(1, medium=Medium.VOICE),
        hangs_up(LegId("call-2")),
        timer("grace:call-2"),
    ),
    "owed and never reached": (OPENED_BY_CALL, call(), hangs_up(reason=LegEnd.NODE_LOST), timer("callback")),
    "lost, called back and reached": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        timer("retry"),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        ev.DialStarted(leg=attempt(4)),
        dialled(attempt(4)),
        ev.LegsJoined(citizen_leg=attempt(4), assignee_leg=AGENT_CALL),
        timer("contact"),
        hangs_up(attempt(4)),
        timer("wrap"),
    ),
    "called back, and a machine picks up first": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        timer("retry"),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        ev.DialStarted(leg=attempt(4)),
        dialled(attempt(4)),
        ev.ContactJudged(by=WANG, reached=False),
        timer("retry"),
        offer(2, medium=Medium.VOICE),
        accept(2),
        telephone(),
        ev.DialStarted(leg=attempt(11)),
        dialled(attempt(11)),
        ev.ContactJudged(by=WANG, reached=True),
        hangs_up(attempt(11)),
        timer("wrap"),
    ),
    "called back in vain, four times": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        *in_vain(1, 4, LegId("agent-a")),
        *in_vain(2, 11, LegId("agent-b")),
        *in_vain(3, 18, LegId("agent-c")),
        *in_vain(4, 25, AGENT_CALL),
    ),
    "called back four times, the last time by a machine": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        *in_vain(1, 4, LegId("agent-a")),
        *in_vain(2, 11, LegId("agent-b")),
        *in_vain(3, 18, LegId("agent-c")),
        timer("retry"),
        offer(4, medium=Medium.VOICE),
        accept(4),
        telephone(),
        dialled(attempt(25)),
        ev.ContactJudged(by=WANG, reached=False),
    ),
    "owed by another session already": (
        OPENED_BY_CALL,
        call(),
        hangs_up(reason=LegEnd.NODE_LOST),
        ev.DebtMerged(into=SessionId("01J00000000000000000000001")),
    ),
    "they write, and then they talk": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        offer(1),
        accept(1),
        wants_call(),
        no_room(),
        timer("slot"),
        room(1),
        telephone(),
        ev.DialStarted(leg=ASKED),
        dialled(ASKED),
        hangs_up(AGENT_CALL),
        wants_call(by=None, leg=LegId("asked-2")),
        room(1),
        ev.DialFailed(leg=LegId("asked-2"), reason=DialFailure.NO_AGENT),
        ev.ContactFinished(by=WANG),
    ),
    "the agent has no room for a call, another has": (
        OPENED_BY_CHAT,
        chat(),
        offer(1),
        accept(1),
        wants_call(by=None),
        no_room(),
        wants_call(by=None, anyone=True),
        offer(2, LI, Medium.VOICE),
        accept(2, LI),
        telephone(),
        dialled(ASKED),
        hangs_up(ASKED),
        hangs_up(CHAT, LegEnd.LEFT),
    ),
    "a call is asked for in line": (
        OPENED_BY_CHAT,
        chat(),
        wants_call(by=None),
        hangs_up(CHAT, LegEnd.LEFT),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        call(),
    ),
    "from the bot to a human": (
        OPENED_OUT_OF_HOURS,
        chat(),
        offer(1, GUIDE),
        accept(1, GUIDE),
        said("现在是下班时间", by=GUIDE),
        wrote("人工"),
        ev.HumanRequested(by=GUIDE),
        offer(2),
        accept(2),
        ev.ContactFinished(by=WANG),
        timer("wrap"),
    ),
    "settled by the bot": (
        OPENED_OUT_OF_HOURS,
        chat(),
        offer(1, GUIDE),
        accept(1, GUIDE),
        wrote("谢谢"),
        ev.ContactFinished(by=GUIDE),
    ),
    "parked and taken up again": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        offer(1),
        accept(1),
        ev.SessionParked(by=WANG),
        ev.SessionResumed(by=WANG),
        offer(2),
        accept(2),
        ev.SessionParked(by=WANG),
        wrote("还在吗", "m5"),
        offer(3, LI),
        accept(3, LI),
        ev.ContactFinished(by=LI),
        wrote("还有一件事", "m6"),
        offer(4, LI),
        accept(4, LI),
        ev.ContactFinished(by=LI),
        ev.WrapFinished(by=LI),
    ),
    "handed on to a colleague, and to another line": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        offer(1),
        accept(1),
        ev.SessionTransferred(by=WANG, to=LI, why="要查供热"),
        offer(2, LI),
        accept(2, LI),
        ev.SessionTransferred(by=LI, demand=Demand("heating", 10), why="专席"),
        offer(3),
        accept(3),
        ev.ContactFinished(by=WANG),
        timer("wrap"),
    ),
    "two matters of one citizen go on as one": (
        OPENED_BY_CHAT,
        chat(),
        offer(1),
        accept(1),
        bl.SessionsJoined(by=WANG, other=OTHER_SESSION, legs=(THREAD,), waited_s=90.0),
        wrote("短信里说的也是这件事", "m7", THREAD.id),
        said("明白了", "m8"),
        hangs_up(CHAT),
        bl.SessionsSplit(by=WANG, other=OTHER_SESSION, why="两件事"),
        timer("wrap"),
    ),
    "the other of them": (
        ev.SessionOpened(citizen=CITIZEN, number="12345", demand=Demand("general")),
        ev.LegOpened(leg=THREAD),
        offer(1, LI),
        bl.JoinedInto(by=WANG, kept=SESSION),
        bl.SplitFrom(by=WANG, kept=SESSION, legs=(THREAD,)),
        offer(2),
        ev.OfferCancelled(token=2, assignee=WANG),
        bl.JoinedInto(by=WANG, kept=SESSION),
        timer("park"),
    ),
    "who is who": (
        OPENED_BY_CHAT,
        chat(),
        bl.VerificationAsked(proof=Proof.SMS_CODE, by=WANG),
        bl.AddressVerified(link=LINK, key=CITIZEN, holder=VISITOR, proof=Proof.SMS_CODE, by=WANG),
        bl.AddressRevealed(by=WANG, why="回拨核实"),
        bl.AddressParted(link=LINK, by=WANG, why="认错人"),
        hangs_up(CHAT),
    ),
    "the agent's desk is gone": (
        OPENED_BY_CHAT,
        chat(),
        offer(1),
        accept(1),
        ev.AssigneeAway(assignee=WANG),
        ev.AssigneeBack(assignee=WANG),
        ev.AssigneeAway(assignee=WANG),
        timer("assignee"),
        offer(2),
        ev.OfferCancelled(token=2, assignee=WANG),
        hangs_up(CHAT, LegEnd.LEFT),
    ),
    "a chat gives way to messages": (
        OPENED_BY_CHAT,
        chat(),
        ev.LegOpened(leg=Leg(LegId("thread"), "sms", Medium.MESSAGE, Party.CITIZEN, NODE, CITIZEN)),
        ev.LegAway(leg=CHAT),
        offer(1),
        timer("grace:chat"),
    ),
    "a chat becomes a call": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        hangs_up(CHAT, LegEnd.LEFT),
        hangs_up(),
        timer("wrap"),
    ),
    "hung up in line and dialled again": (
        OPENED_BY_CALL,
        call(),
        hangs_up(),
        call(CALL_AGAIN, OTHER_NODE),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        hangs_up(CALL_AGAIN),
        timer("wrap"),
    ),
    "the place is kept, and the chat goes on": (
        OPENED_BY_CALL,
        call(),
        ev.PlaceKept(leg=CALL),
        ev.LinkSent(purpose=Purpose.SWITCH, channel="sms", link="3.0"),
        hangs_up(),
        chat(),
        ev.LinkOpened(purpose=Purpose.SWITCH, link="3.0", leg=CHAT),
        wrote(),
        ev.LegAway(leg=CHAT),
        offer(1),
        accept(1),
        ev.LegBack(leg=CHAT, owner=NODE),
        said(),
        ev.ContactFinished(by=WANG),
        ev.WrapFinished(by=WANG),
    ),
    "the place is kept, and nobody comes": (
        OPENED_BY_CALL,
        call(),
        ev.PlaceKept(leg=CALL),
        ev.LinkFailed(purpose=Purpose.SWITCH, reason="nowhere", link="3.0"),
        ev.PlaceKept(leg=CALL),
        ev.LinkSent(purpose=Purpose.SWITCH, channel="sms", link="5.0"),
        hangs_up(),
        timer("grace:call"),
        timer("callback"),
    ),
    "the place is kept, the chat opened and left": (
        OPENED_BY_CALL,
        call(),
        ev.PlaceKept(leg=CALL),
        hangs_up(reason=LegEnd.NODE_LOST),
        chat(),
        ev.LegAway(leg=CHAT),
        timer("grace:chat"),
    ),
    "the call drops and is dialled again": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        hangs_up(reason=LegEnd.LOST),
        hangs_up(AGENT_CALL, LegEnd.CLOSED),
        call(CALL_AGAIN, OTHER_NODE),
        telephone(AGENT_CALL_2),
        hangs_up(CALL_AGAIN),
        timer("wrap"),
    ),
    "the call drops for good": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        hangs_up(reason=LegEnd.LOST),
        timer("grace:call"),
        ev.WrapFinished(by=WANG),
    ),
    "dialled again, and the agent does not pick up": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        hangs_up(reason=LegEnd.LOST),
        call(CALL_AGAIN),
        timer("media"),
        offer(2, LI, medium=Medium.VOICE),
        accept(2, LI),
    ),
    "pictures in the middle of a call": (
        OPENED_BY_CALL,
        call(),
        offer(1, medium=Medium.VOICE),
        accept(1),
        telephone(),
        ev.PictureRequested(by=WANG),
        ev.LinkSent(purpose=Purpose.PICTURE, channel="sms", link="6.0"),
        chat(),
        ev.LinkOpened(purpose=Purpose.PICTURE, link="6.0", leg=CHAT),
        HERE,
        hangs_up(CHAT, LegEnd.LEFT),
        hangs_up(),
        ev.WrapFinished(by=WANG),
    ),
    "where it is, told to the bot and after": (
        OPENED_OUT_OF_HOURS,
        chat(),
        offer(1, GUIDE),
        accept(1, GUIDE),
        HERE,
        ev.HumanRequested(by=GUIDE),
        offer(2),
        accept(2),
        ev.SessionParked(by=WANG),
        HERE,
        offer(3),
        accept(3),
        ev.ContactFinished(by=WANG),
        HERE,
    ),
    "consulted, taken together, passed on to a colleague": (
        *TALKING,
        ev.ThirdRequested(by=WANG, agents=(LI,), number=Address("tel", "110"), name="110"),
        third(),
        ev.ConferChanged(by=WANG, what=Conference.CONSULT),
        ev.ConferRequested(by=WANG, what=Conference.TOGETHER),
        ev.ConferChanged(by=WANG, what=Conference.TOGETHER),
        ev.CallPassedOn(by=WANG, leg=THIRD_CALL, to=LI),
        hangs_up(AGENT_CALL),
        hangs_up(THIRD_CALL),
        ev.WrapFinished(by=LI),
    ),
    "a third is not reached, another is, and the two outside go on": (
        *TALKING,
        ev.ThirdRequested(by=WANG, number=Address("tel", "12319"), name="城管"),
        ev.ThirdEnded(reason="no_answer"),
        ev.ThirdRequested(by=WANG, number=Address("tel", "110"), name="公安"),
        third(),
        ev.CallPassedOn(by=WANG, leg=THIRD_CALL),
        hangs_up(AGENT_CALL),
        hangs_up(THIRD_CALL),
        hangs_up(),
        ev.WrapFinished(by=WANG),
    ),
    "parked, and fetched by another": (
        *TALKING,
        ev.CallParked(by=WANG, place="1"),
        hangs_up(AGENT_CALL),
        ev.SessionResumed(by=LI),
        offer(2, LI, medium=Medium.VOICE),
        accept(2, LI),
        telephone(LegId("another")),
        hangs_up(),
        ev.WrapFinished(by=LI),
    ),
    "parked, and cannot be called back": (
        OPENED_BY_CALL,
        ev.LegOpened(leg=Leg(CALL, "phone", Medium.VOICE, Party.CITIZEN, NODE, CITIZEN)),
        *TALKING[2:],
        ev.CallParked(by=WANG, place="1"),
        hangs_up(),
    ),
    "parked, back after a while, parked again and left": (
        *TALKING,
        ev.CallParked(by=WANG, place="1"),
        hangs_up(AGENT_CALL),
        timer("park"),
        offer(2, medium=Medium.VOICE),
        accept(2),
        telephone(LegId("another")),
        ev.CallParked(by=WANG, place="2"),
        hangs_up(),
    ),
}


def stamped(events: Iterable[ev.Event], every_s: float = 1.0, start: float = START) -> list[ev.Event]:
    """The events as the store would take them, one after the other."""
    return [replace(event, at=start + index * every_s) for index, event in enumerate(events)]


def every_kind() -> Mapping[type[ev.Event], ev.Event]:
    """One event of each kind."""
    found: dict[type[ev.Event], ev.Event] = {}
    for story in STORIES.values():
        for event in story:
            found.setdefault(type(event), event)
    return found
