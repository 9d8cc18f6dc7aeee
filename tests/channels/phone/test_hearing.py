"""Who hears whom, by who is there."""

import pytest

from channels.phone.hearing import BEHIND_A_WHISPER, hearing
from session.audio import Slot
from session.state import Supervision

CITIZEN, AGENT, SUPERVISOR = Slot.CITIZEN, Slot.AGENT, Slot.SUPERVISOR


def test_two_hear_each_other_as_they_are_and_nobody_hears_anybody_before() -> None:
    assert hearing(joined=False) == {}
    assert hearing(joined=True) == {CITIZEN: {AGENT: 0.0}, AGENT: {CITIZEN: 0.0}}


@pytest.mark.parametrize("what", [None, *Supervision])
def test_the_citizen_never_hears_who_only_listens_or_whispers(what: Supervision | None) -> None:
    heard = hearing(joined=True, supervision=what)
    assert (SUPERVISOR in heard[CITIZEN]) is (what is Supervision.BARGE)
    assert (SUPERVISOR in heard[AGENT]) is (what in (Supervision.WHISPER, Supervision.BARGE))
    assert heard[CITIZEN][AGENT] == 0.0
    assert heard[AGENT][CITIZEN] == (BEHIND_A_WHISPER if what is Supervision.WHISPER else 0.0)
    assert all(ear not in mouths for ear, mouths in heard.items()), "nobody hears themselves"


def test_a_supervisor_without_a_call_hears_nothing() -> None:
    assert hearing(joined=False, supervision=Supervision.LISTEN) == {}
