"""The machine cell by cell: every event in every phase, in every state that a story passes through."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

import pytest

from session import events as ev
from session.codec import EVENTS
from session.effects import CloseLeg, Effect, EndSession
from session.ids import LegId
from session.machine import TABLE, BrokenLaw, Cell, advance, begin, replay
from session.state import CloseReason, Leg, LegEnd, LegState, Medium, Party, Phase, Session
from tests.session import script
from tests.session.script import SESSION, START
from tests.session.stories import STORIES, stamped


def states() -> Iterator[Session]:
    """Every state that a story passes through."""
    for story in STORIES.values():
        events = stamped(story)
        opened = events[0]
        assert isinstance(opened, ev.SessionOpened)
        session = begin(SESSION, opened)
        yield session
        for event in events:
            session, _ = advance(session, event)
            yield session


STATES = list(dict.fromkeys(states()))
"""Each once: stories begin alike."""

AGENTS_LEG = ev.LegOpened(leg=Leg(LegId("late"), "phone", Medium.VOICE, Party.ASSIGNEE, script.NODE))
_SORTS = [
    *{repr(event): event for story in STORIES.values() for event in story}.values(),
    *(
        ev.LegClosed(leg=leg, reason=reason)
        for leg in (script.CALL, script.CHAT, script.AGENT_CALL)
        for reason in LegEnd
    ),
    *(
        ev.TimerFired(name=name)
        for name in (
            "announce",
            "assignee",
            "callback",
            "choice",
            "dial",
            "dropped",
            "idle",
            "media",
            "park",
            "patience",
            "retry",
            "slot",
            "wrap",
            "none",
        )
    ),
    *(ev.TimerFired(name=f"grace:{leg}") for leg in (script.CALL, script.CHAT, "none")),
    AGENTS_LEG,
    script.call(LegId("another")),
    script.chat(LegId("another")),
    script.kept_out(script.CLOSED, LegId("another")),
]
EVENTS_OF_ALL_SORTS = [replace(event, at=START + 100) for event in _SORTS]


@dataclass
class Outcomes:
    """What becomes of every state by every event, as far as a test asks for it: found once, for there are many."""

    reached: dict[tuple[Phase, type[ev.Event]], set[Phase]] = field(default_factory=dict)
    closings: list[tuple[Session, ev.Event, Session, Sequence[Effect]]] = field(default_factory=list)
    astray: dict[Phase, list[str]] = field(default_factory=lambda: {phase: [] for phase in Phase})
    """By the phase before: each event that did what its cell does not say, or anything where there is no cell."""


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    found = Outcomes()
    for session in STATES:
        for event in EVENTS_OF_ALL_SORTS:
            after, effects = advance(session, event)
            found.reached.setdefault((session.phase, type(event)), set()).add(after.phase)
            if after.phase is Phase.CLOSED and session.phase is not Phase.CLOSED:
                found.closings.append((session, event, after, effects))
            if not _is_as_drawn(session, event, after, effects):
                found.astray[session.phase].append(f"{event} on {session}: {effects}, {after}")
    return found


def _is_as_drawn(session: Session, event: ev.Event, after: Session, effects: Sequence[Effect]) -> bool:
    cell = TABLE.get((session.phase, type(event)))
    if after.version != session.version + 1:
        return False
    if cell is None:
        return (replace(after, version=session.version), effects) == (session, ())
    return after.phase in cell.to


def test_the_stories_reach_every_phase_and_use_every_event() -> None:
    assert {state.phase for state in STATES} == set(Phase)
    assert {type(event) for event in EVENTS_OF_ALL_SORTS} == set(EVENTS.values())


@pytest.mark.parametrize("phase", Phase)
def test_every_event_is_met_in_every_phase(phase: Phase, outcomes: Outcomes) -> None:
    assert {kind for before, kind in outcomes.reached if before is phase} == set(EVENTS.values())
    assert outcomes.astray[phase][:3] == []


def test_every_phase_that_a_cell_names_can_be_reached(outcomes: Outcomes) -> None:
    """A phase that no event leads to would be a promise in the drawing that the machine does not keep."""
    reached = outcomes.reached
    assert {key: set(cell.to) - reached[key] for key, cell in TABLE.items() if set(cell.to) - reached[key]} == {}


def test_a_rule_that_leads_elsewhere_is_a_broken_law(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_cell = Cell(lambda session, _event, _rules: (replace(session, phase=Phase.NEW), ()), (Phase.CLOSED,))
    monkeypatch.setattr("session.machine.TABLE", {(Phase.CLOSED, ev.NoteAdded): broken_cell})
    closed = next(state for state in STATES if state.phase is Phase.CLOSED)
    with pytest.raises(BrokenLaw) as broken:
        advance(closed, ev.NoteAdded(by=script.WANG, text=""))
    assert (broken.value.before, broken.value.after) == (Phase.CLOSED, Phase.NEW)


def test_whoever_leaves_is_closed_with_everything(outcomes: Outcomes) -> None:
    """Law 10."""
    assert outcomes.closings
    for session, event, after, effects in outcomes.closings:
        assert isinstance(effects[-1], EndSession)
        assert isinstance(after.close_reason, CloseReason)
        assert after.closed_at == START + 100
        assert after.offer is None
        assert after.waiting_since is None
        assert all(leg.state is LegState.ENDED for leg in after.legs)
        open_before = {leg.id for leg in session.legs if leg.state is not LegState.ENDED}
        closing = {effect.leg for effect in effects if isinstance(effect, CloseLeg)}
        gone = {event.leg} if isinstance(event, ev.LegClosed) else set()
        left = {leg.id for leg in session.legs if isinstance(event, ev.TimerFired) and event.name == f"grace:{leg.id}"}
        assert closing == open_before - gone - left


@pytest.mark.parametrize("log", [[], [script.call()]])
def test_a_log_begins_with_its_opening(log: list[ev.Event]) -> None:
    with pytest.raises(ValueError, match="begins"):
        replay(SESSION, log)


def test_events_are_frozen_values() -> None:
    for kind in EVENTS.values():
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]  # set by dataclass
        assert fields(kind)[0].name == "at"
