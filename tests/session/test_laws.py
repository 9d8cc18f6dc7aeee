"""The machine against a queue that acts at random: whatever happens, in whatever order, the laws hold.

The driver plays citizen, agents, queue and clock. It knows what the effects mean, and holds its own books: who is in
line, what is offered, who is charged, which timers run. After each event the books and the session must agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from session import events as ev
from session.codec import decode_event, decode_session, encode_event, encode_session
from session.effects import (
    ClearTimer,
    CloseLeg,
    Dial,
    Effect,
    EndSession,
    Enqueue,
    Join,
    Owe,
    PauseOffers,
    Raise,
    Release,
    ResumeOffers,
    Ring,
    SetTimer,
    Settle,
    StopRinging,
    Withdraw,
    Wrap,
)
from session.ids import AssigneeId, LegId
from session.machine import advance, begin, replay
from session.state import DialFailure, LegEnd, LegState, Medium, Party, Phase
from session.switch import Purpose
from session.ways import Patience, Way
from tests.session import script
from tests.session.script import GUIDE, LI, OTHER_NODE, SESSION, START, WANG
from tests.session.stories import stamped


@dataclass(repr=False)
class Books:
    """What the store would hold of one session."""

    opened: ev.SessionOpened
    in_line: bool = False
    line_medium: Medium = Medium.MESSAGE
    for_bots: bool = False
    offered: tuple[int, AssigneeId] | None = None
    paused: bool = False
    charged: AssigneeId | None = None
    wrapping: bool = False
    token: int = 0
    timers: set[str] = field(default_factory=set)
    ringing: set[int] = field(default_factory=set)
    closing: set[LegId] = field(default_factory=set)
    joined: set[LegId] = field(default_factory=set)
    owed: bool = False
    slot: AssigneeId | None = None
    """Whom the queue has been asked to charge for a call."""
    dialled: list[LegId] = field(default_factory=list)
    ended: bool = False
    legs: int = 0
    log: list[ev.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = begin(SESSION, replace(self.opened, at=START))
        self.most_waited_s = 0.0
        self.had, self.was = self.session.assignee, self.session.phase
        self.take(self.opened)

    def __repr__(self) -> str:
        """Short, since hypothesis prints it at every draw."""
        return f"{self.session.phase} after {len(self.log)} events"

    @property
    def now(self) -> float:
        return START + len(self.log)

    def take(self, event: ev.Event) -> None:
        """One event into the log and through the machine; its effects into the books; then look."""
        event = replace(event, at=self.now)
        self.log.append(event)
        self._queue_acts(event)
        self.session, effects = advance(self.session, event)
        for effect in effects:
            self._perform(effect)
        self.look()

    def _queue_acts(self, event: ev.Event) -> None:
        """What the queue has changed in the very script that wrote the event."""
        match event:
            case ev.OfferMade(token=token, assignee=who):
                self.offered = (token, who)
            case ev.OfferAccepted(assignee=who):
                self.offered, self.in_line, self.charged = None, False, who
                self.paused = False
            case ev.OfferDeclined() | ev.OfferExpired() | ev.OfferRescinded():
                self.offered = None
            case ev.TimerFired(name=name):
                self.timers.discard(name)
            case ev.LegClosed(leg=leg):
                self.closing.discard(leg)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Enqueue(demand=demand, medium=medium, accrued_s=accrued_s):
                assert self.charged is None, "in line while somebody is charged"
                self.in_line, self.offered, self.line_medium = True, None, medium
                self.paused = False
                self.for_bots = demand.queue == "bots"
                assert accrued_s == self.session.accrued_wait_s
            case Withdraw():
                self.in_line, self.offered, self.paused = False, None, False
            case PauseOffers():
                assert self.in_line
                self.offered, self.paused = None, True
            case ResumeOffers():
                self.paused = False
            case Wrap(assignee=who):
                assert self.charged == who
                self.wrapping = True
            case Release(assignee=who):
                assert self.charged == who, "released whom it does not charge"
                self.charged, self.wrapping = None, False
            case SetTimer(name=name, after_s=after_s):
                assert after_s > 0
                self.timers.add(name)
            case ClearTimer(name=name):
                self.timers.discard(name)
            case Raise(assignee=who):
                assert self.charged == who, "raised for whom it does not charge"
                self.slot = who
            case Owe(due_at=due_at):
                assert not self.owed, "one debt a session"
                assert due_at > self.now
                self.owed = True
            case Settle():
                assert self.owed
                self.owed = False
            case Dial(leg=leg, assignee=who):
                assert leg not in self.dialled, "nobody is dialled twice for one attempt"
                assert self.charged == who, "nobody is called whom no agent awaits"
                self.dialled.append(leg)
            case Ring(token=token):
                self.ringing.add(token)
            case StopRinging(token=token):
                assert token in self.ringing
                self.ringing.discard(token)
            case Join(citizen_leg=citizen, assignee_leg=telephone):
                self.joined = {citizen, telephone}
            case CloseLeg(leg=leg):
                self.closing.add(leg)
            case EndSession():
                assert not self.ended
                self.ended = True
                self.timers.clear()

    def look(self) -> None:
        session = self.session
        assert session.version == len(self.log)
        # Law 1: the phase is what the books say.
        assert self.in_line == (session.phase in (Phase.QUEUED, Phase.OFFERED))
        assert (self.offered is not None) == (session.phase is Phase.OFFERED)
        if session.offer is not None:
            assert self.offered == (session.offer.token, session.offer.assignee)
        # Law 4: one charge while somebody has it, and none else.
        has_it = session.phase in (Phase.ACTIVE, Phase.BOT, Phase.WRAPPING)
        assert self.charged == (session.assignee if has_it else None)
        assert self.wrapping == (session.phase is Phase.WRAPPING)
        assert self.ended == (session.phase is Phase.CLOSED)
        if self.in_line:
            assert self.line_medium is session.medium
            assert self.for_bots == bool(session.bot_queue)
        # Law 5: what the citizen has waited never shrinks, and grows while they wait.
        waited_s = session.waited_s(self.now)
        assert waited_s >= self.most_waited_s
        self.most_waited_s = waited_s
        assert (session.waiting_since is not None) == self.in_line
        # Law 10: who is gone is offered to nobody, and who is there is not kept from it.
        assert self.paused == (self.in_line and session.dropped_call is not None)
        assert not (self.paused and self.offered)
        self._look_at_assignee()
        self._look_at_deadlines()
        assert self.owed == (session.debt is not None and not self.ended)
        for leg in session.legs:
            if leg.state is LegState.CALLING:
                assert session.phase is Phase.ACTIVE, "a citizen is called for an agent who is there"
                assert session.voice_leg(Party.ASSIGNEE)
        if self.ended:
            assert all(leg.state is LegState.ENDED for leg in session.legs)
        if session.phase is not Phase.ACTIVE:
            assert not session.live_legs(Party.ASSIGNEE)
        assert self.ringing <= ({self.offered[0]} if self.offered else set()) | self._accepted_tokens()

    def _accepted_tokens(self) -> set[int]:
        return {event.token for event in self.log if isinstance(event, ev.OfferAccepted)}

    def _look_at_assignee(self) -> None:
        """The assignee changes by an accept alone, and goes by an act or a deadline that stands in the log."""
        now, before = self.session.assignee, self.had
        self.had = now
        if now is not None and now != before:
            assert isinstance(self.log[-1], ev.OfferAccepted)
        if before is not None and now is None:
            assert not isinstance(self.log[-1], ev.LegAway | ev.LegBack | ev.TextReceived) or self.was is Phase.WRAPPING
        self.was = self.session.phase

    def _look_at_deadlines(self) -> None:
        """Law 7: no state but the last is without an end in sight."""
        session, timers = self.session, self.timers
        for leg in session.legs:
            if leg.state is LegState.AWAY:
                assert f"grace:{leg.id}" in timers
        match session.phase:
            case Phase.ACTIVE:
                talking = session.voice_leg(Party.CITIZEN) and session.voice_leg(Party.ASSIGNEE)
                dropped = session.dropped_call
                assert (
                    talking
                    or timers & {"idle", "media", "assignee", "dial"}
                    or (dropped and f"grace:{dropped.id}" in timers)
                )
                if session.dial is not None:
                    assert timers & {"dial", "media"}
            case Phase.BOT:
                assert "idle" in timers
            case Phase.PARKED:
                dropped = session.dropped_call
                assert "park" in timers or (dropped and f"grace:{dropped.id}" in timers)
            case Phase.WRAPPING:
                assert "wrap" in timers
            case Phase.CALLBACK_PENDING:
                assert "callback" in timers
            case Phase.CHOOSING:
                assert "choice" in timers
            case Phase.QUEUED if session.voice_leg(Party.CITIZEN):
                assert "announce" in timers
        if session.debt is not None and not self.ended:
            assert "callback" in timers

    # --- what may happen next

    def moves(self) -> list[Callable[[st.DataObject], None]]:
        """Every move that the world allows now."""
        if self.ended:
            return [self.late_word]
        moves: list[Callable[[st.DataObject], None]] = [self.citizen_comes, self.citizen_writes, self.asks_for_a_human]
        if self.session.legs:
            moves += [self.leg_moves, self.leg_ends, self.goes_on_elsewhere, self.presses_a_key]
        if self.session.phase is Phase.CHOOSING:
            moves += [self.presses_a_key, self.leaves_a_message]
        if self.in_line and self.offered is None and not self.paused:
            moves.append(self.queue_offers)
        if self.offered is not None:
            moves += [self.offer_ends, self.offer_ends]
        if self.charged is not None:
            moves += [self.assignee_acts, self.telephone_comes_up]
        if not self.for_bots or not self.in_line:
            moves.append(self.asks_for_a_call)
        if self.slot is not None:
            moves += [self.queue_answers, self.queue_answers]
        if self.dialled:
            moves += [self.dial_ends, self.dial_ends]
        if self.session.phase is Phase.PARKED:
            moves.append(self.resumes)
        if self.timers:
            moves.append(self.time_passes)
        return moves

    def citizen_comes(self, data: st.DataObject) -> None:
        if self.legs >= 4 or self.session.phase is Phase.WRAPPING:
            return
        self.legs += 1
        leg = LegId(f"leg-{self.legs}")
        self.take(data.draw(st.sampled_from([script.call(leg), script.chat(leg), *self.hindered(leg)])))

    @staticmethod
    def hindered(leg: LegId) -> list[ev.LegOpened]:
        """Calls that something stands in the way of, and one that may not wait for ever."""
        patient = replace(script.call(leg), patience=Patience(60.0, "night", tuple(Way)))
        return [patient, *(script.kept_out(one, leg) for one in (script.CLOSED, script.FULL, script.TOO_OFTEN))]

    def presses_a_key(self, data: st.DataObject) -> None:
        leg = data.draw(st.sampled_from(self.session.legs))
        self.take(script.presses(data.draw(st.sampled_from("1239")), leg.id))

    def leaves_a_message(self, data: st.DataObject) -> None:
        calls = [leg for leg in self.session.legs if leg.medium is Medium.VOICE]
        if calls:
            leg = data.draw(st.sampled_from(calls))
            self.take(script.spoke(data.draw(st.sampled_from([0.0, 5.0])), leg.id))

    def citizen_writes(self, data: st.DataObject) -> None:
        if self.session.legs:
            leg = data.draw(st.sampled_from(self.session.legs))
            if leg.party is Party.CITIZEN and leg.medium is not Medium.VOICE:
                self.take(script.wrote(leg=leg.id, message=f"m{len(self.log)}"))

    def asks_for_a_call(self, data: st.DataObject) -> None:
        self.legs += 1
        by = data.draw(st.sampled_from([None, WANG, LI]))
        leg = LegId(f"asked-{self.legs}")
        anyone = data.draw(st.booleans())
        wishes = [script.wants_call(by, leg, anyone=anyone), script.rings_page(by or WANG, leg)]
        self.take(data.draw(st.sampled_from(wishes)))

    def queue_answers(self, data: st.DataObject) -> None:
        assert self.slot is not None
        who, self.slot = self.slot, None
        self.take(data.draw(st.sampled_from([script.room(self.token, who), script.no_room(who)])))

    def dial_ends(self, data: st.DataObject) -> None:
        """Answered or not, it is told once; what was hung up meanwhile may still tell that it was answered."""
        leg = data.draw(st.sampled_from(self.dialled))
        failed = ev.DialFailed(leg=leg, reason=data.draw(st.sampled_from(DialFailure)))
        self.take(data.draw(st.sampled_from([script.dialled(leg), failed])))

    def asks_for_a_human(self, data: st.DataObject) -> None:
        self.take(ev.HumanRequested())

    def leg_moves(self, data: st.DataObject) -> None:
        leg = data.draw(st.sampled_from(self.session.legs))
        if leg.medium is not Medium.VOICE:
            back = ev.LegBack(leg=leg.id, owner=OTHER_NODE)
            self.take(data.draw(st.sampled_from([ev.LegAway(leg=leg.id), back])))

    def leg_ends(self, data: st.DataObject) -> None:
        leg = data.draw(st.sampled_from(self.session.legs))
        self.take(ev.LegClosed(leg=leg.id, reason=data.draw(st.sampled_from(LegEnd))))

    def goes_on_elsewhere(self, data: st.DataObject) -> None:
        leg = data.draw(st.sampled_from(self.session.legs))
        purpose = data.draw(st.sampled_from(Purpose))
        moves = [
            ev.PlaceKept(leg=leg.id),
            ev.PictureRequested(by=WANG),
            ev.LinkSent(purpose=purpose, channel="sms", link="1.0"),
            ev.LinkFailed(purpose=purpose, reason="nowhere", link="1.0"),
            ev.LinkOpened(purpose=purpose, link="1.0", leg=leg.id),
        ]
        self.take(data.draw(st.sampled_from(moves)))

    def queue_offers(self, data: st.DataObject) -> None:
        self.token += 1
        who = GUIDE if self.for_bots else data.draw(st.sampled_from([WANG, LI]))
        self.take(script.offer(self.token, who, self.line_medium))

    def offer_ends(self, data: st.DataObject) -> None:
        assert self.offered is not None
        token, who = self.offered
        ends = [
            script.accept(token, who),
            script.accept(token, who),
            script.expire(token, who),
            ev.OfferDeclined(token=token, assignee=who, reason="desk"),
            ev.OfferRescinded(token=token, assignee=who, reason="left"),
        ]
        self.take(data.draw(st.sampled_from(ends)))

    def assignee_acts(self, data: st.DataObject) -> None:
        assert self.charged is not None
        who = data.draw(st.sampled_from([self.charged, LI]))
        acts = [
            script.said(by=who, message=f"m{len(self.log)}"),
            ev.SessionParked(by=who),
            ev.ContactFinished(by=who),
            ev.ContactJudged(by=who, reached=data.draw(st.booleans())),
            ev.WrapFinished(by=who),
            ev.AssigneeAway(assignee=who),
            ev.AssigneeBack(assignee=who),
        ]
        self.take(data.draw(st.sampled_from(acts)))

    def telephone_comes_up(self, data: st.DataObject) -> None:
        self.legs += 1
        self.take(script.telephone(LegId(f"telephone-{self.legs}")))

    def resumes(self, data: st.DataObject) -> None:
        self.take(ev.SessionResumed(by=WANG))

    def time_passes(self, data: st.DataObject) -> None:
        self.take(ev.TimerFired(name=data.draw(st.sampled_from(sorted(self.timers)))))

    def late_word(self, data: st.DataObject) -> None:
        self.take(data.draw(st.sampled_from([ev.RatingGiven(score=5), ev.NoteAdded(by=WANG, text="迟到")])))


def live(data: st.DataObject, steps: int) -> Books:
    opened = data.draw(st.sampled_from([script.OPENED_BY_CALL, script.OPENED_BY_CHAT, script.OPENED_OUT_OF_HOURS]))
    books = Books(opened)
    books.legs += 1
    leg = LegId("leg-1")
    calls = [script.call(leg), *books.hindered(leg)] if opened is script.OPENED_BY_CALL else [script.chat(leg)]
    books.take(data.draw(st.sampled_from(calls)))
    for _ in range(steps):
        data.draw(st.sampled_from(books.moves()))(data)
    return books


@settings(max_examples=300, deadline=None)
@given(data=st.data(), steps=st.integers(1, 40))
def test_the_laws_hold_whatever_happens(data: st.DataObject, steps: int) -> None:
    live(data, steps)


@settings(max_examples=50, deadline=None)
@given(data=st.data(), steps=st.integers(1, 40))
def test_a_replay_gives_the_same_state_also_from_any_snapshot(data: st.DataObject, steps: int) -> None:
    books = live(data, steps)
    assert replay(SESSION, books.log) == books.session
    by_wire = [decode_event(encode_event(event), event.at) for event in books.log]
    assert by_wire == books.log
    cut = data.draw(st.integers(1, len(books.log)))
    session = decode_session(encode_session(replay(SESSION, books.log[:cut])))
    for event in by_wire[cut:]:
        session, _ = advance(session, event)
    assert session == books.session


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_list_of_events_is_met(data: st.DataObject) -> None:
    """Also what no world would bring: the machine never raises, and a replay is a replay."""
    from tests.session.test_cells import EVENTS_OF_ALL_SORTS

    events = data.draw(st.lists(st.sampled_from(EVENTS_OF_ALL_SORTS), max_size=40))
    log = stamped([script.OPENED_BY_CHAT, *events])
    session = replay(SESSION, log)
    assert session.version == len(log)
    assert session == replay(SESSION, log)
    if session.phase is Phase.CLOSED:
        assert not any(leg.state is not LegState.ENDED for leg in session.legs)
