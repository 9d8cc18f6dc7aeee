"""However sessions change and time goes on, the window is what a count from nothing would give."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from insight.tally import NONE, Tally, tally_of
from insight.window import STEP_S, Window
from session.address import Address
from session.ids import SessionId
from session.state import CloseReason, Demand, Phase, Session
from storage.record import SessionRecord

HOUR = 3600.0
START = 1_790_000_000.0
CITIZEN = Address("web", "v1")

stages = st.fixed_dictionaries(
    {
        "number": st.integers(0, 8),
        "queue": st.sampled_from(["general", "law"]),
        "answered_after": st.none() | st.integers(0, 60),
        "reason": st.none() | st.sampled_from(CloseReason),
        "rating": st.none() | st.integers(1, 5),
        "solved": st.none() | st.booleans(),
        "pause": st.integers(0, 40 * 60),
    }
)


def counted(records: list[SessionRecord], now: float) -> tuple[dict[str, Tally], dict[int, Tally]]:
    by_queue: dict[str, Tally] = defaultdict(Tally)
    by_step: dict[int, Tally] = defaultdict(Tally)
    for record in records:
        minute = record.session.opened_at // 60
        if minute >= (now - HOUR) // 60 + 1:
            by_queue[record.session.demand.queue] += tally_of(record)
            by_step[int(minute * 60 // STEP_S)] += tally_of(record)
    return by_queue, by_step


def _counting(sums: Mapping[Any, Tally]) -> dict[Any, Tally]:
    return {key: tally for key, tally in sums.items() if tally != NONE}


@given(st.lists(stages, max_size=40))
def test_it_is_what_a_count_from_nothing_gives(changes: list[dict[str, Any]]) -> None:
    window, now, sessions = Window(HOUR), START, dict[SessionId, SessionRecord]()
    for change in changes:
        now += change["pause"]
        name = SessionId(f"01{change['number']}")
        known = sessions.get(name)
        opened_at = known.session.opened_at if known else now
        reason = change["reason"]
        session = Session(name, CITIZEN, "web", opened_at, demand=Demand(str(change["queue"])))
        phase = Phase.CLOSED if reason else Phase.QUEUED
        after = change["answered_after"]
        sessions[name] = record = SessionRecord(
            replace(session, phase=phase, close_reason=reason),
            answered_at=None if after is None else opened_at + after,
            rating=change["rating"],
            solved=change["solved"],
        )
        window.slide(now)
        window.take(record)
        by_queue, by_step = counted(list(sessions.values()), now)
        assert _counting(window.by_queue) == _counting(by_queue)
        assert _counting(window.by_step) == _counting(by_step)
        assert window.total == sum(by_queue.values(), NONE)
        assert window.live.keys() == {name for name, one in sessions.items() if one.session.phase is not Phase.CLOSED}


def test_what_is_old_and_lives_is_live_though_it_counts_no_more() -> None:
    window = Window(HOUR)
    parked = Session(SessionId("01A"), CITIZEN, "web", START - 40 * HOUR, Phase.PARKED, demand=Demand("general"))
    window.slide(START)
    window.take(SessionRecord(parked))
    assert (window.total, list(window.live)) == (NONE, [parked.id])
    window.take(SessionRecord(replace(parked, phase=Phase.CLOSED)))
    assert not window.live
