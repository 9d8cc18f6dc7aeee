"""What is asked of a session at one instant."""

from dataclasses import replace

from session.ids import LegId
from session.machine import replay
from session.state import LegState, Medium, Party
from tests.session.script import (
    AGENT_CALL,
    CALL,
    CHAT,
    OPENED_BY_CALL,
    SESSION,
    START,
    accept,
    call,
    chat,
    offer,
    telephone,
)
from tests.session.stories import stamped

TALKING = replay(
    SESSION, stamped([OPENED_BY_CALL, call(), chat(), offer(1, medium=Medium.VOICE), accept(1), telephone()])
)


def test_the_heaviest_live_medium_of_the_citizen_counts() -> None:
    assert TALKING.medium is Medium.VOICE
    leg = TALKING.leg(CALL)
    assert leg is not None
    without = TALKING.with_leg(replace(leg, state=LegState.ENDED))
    assert without.medium is Medium.CHAT
    assert replace(TALKING, legs=()).medium is Medium.MESSAGE


def test_a_leg_that_is_away_lives_and_one_that_ended_does_not() -> None:
    leg = TALKING.leg(CHAT)
    assert leg is not None
    for state, lives in ((LegState.AWAY, True), (LegState.LIVE, True), (LegState.ENDED, False)):
        changed = TALKING.with_leg(replace(leg, state=state))
        assert (CHAT in {one.id for one in changed.live_legs(Party.CITIZEN)}) is lives
        assert len(changed.legs) == len(TALKING.legs)


def test_each_party_has_its_own_legs() -> None:
    assert [leg.id for leg in TALKING.live_legs(Party.ASSIGNEE)] == [AGENT_CALL]
    citizens, assignees = TALKING.voice_leg(Party.CITIZEN), TALKING.voice_leg(Party.ASSIGNEE)
    assert citizens is not None
    assert assignees is not None
    assert (citizens.id, assignees.id) == (CALL, AGENT_CALL)
    assert TALKING.leg(LegId("none")) is None


def test_a_clock_that_runs_back_never_shortens_a_wait() -> None:
    waiting = replay(SESSION, stamped([OPENED_BY_CALL, call()]))
    assert waiting.waited_s(START + 11) == 10.0
    assert waiting.waited_s(START - 100) == 0.0
