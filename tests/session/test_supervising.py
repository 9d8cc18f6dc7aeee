"""A supervisor on another's call, as effects: whose leg is whose, and who is charged."""

from session import events as ev
from session.effects import CloseLeg, Engage, Hold, Mute, Press, Release, Supervise
from session.ids import LegId
from session.state import LegEnd, LegState, Medium, Party, Phase, Supervision
from tests.session.script import (
    AGENT_CALL,
    CALL,
    LI,
    OPENED_BY_CALL,
    SUPERVISING_CALL,
    WANG,
    accept,
    call,
    hangs_up,
    offer,
    supervisor,
    telephone,
)
from tests.session.test_stories import after

TALKING = (OPENED_BY_CALL, call(), offer(1, medium=Medium.VOICE), accept(1), telephone())
SUPERVISED = (*TALKING, ev.SupervisionRequested(by=LI, what=Supervision.LISTEN), supervisor())


def test_who_is_on_the_call_handles_it_and_nobody_else() -> None:
    for by, called in ((WANG, True), (LI, False)):
        for event, effect in (
            (ev.HoldRequested(by=by, held=True), Hold(CALL, held=True)),
            (ev.MuteRequested(by=by, muted=True), Mute(CALL, muted=True)),
            (ev.DigitsRequested(by=by, digits="1#"), Press(CALL, "1#", 6)),
        ):
            assert after(*TALKING, event)[1] == ((effect,) if called else ())
    assert after(*TALKING[:-1], ev.HoldRequested(by=WANG, held=True))[1] == (), "before their telephone is up"


def test_a_call_on_which_two_talk_is_supervised_by_a_third() -> None:
    wanted = ev.SupervisionRequested(by=LI, what=Supervision.LISTEN)
    assert after(*TALKING, wanted)[1] == (Supervise(CALL, LI, Supervision.LISTEN, 6),)
    assert after(*TALKING[:-1], wanted)[1] == ()
    assert after(*TALKING, ev.SupervisionRequested(by=WANG, what=Supervision.BARGE))[1] == ()


def test_the_supervisors_leg_is_nobodys_charge_and_its_end_nobodys_loss() -> None:
    session, effects = after(*SUPERVISED)
    assert (session.assignee, effects) == (WANG, ())
    session, effects = after(*SUPERVISED, hangs_up(SUPERVISING_CALL))
    assert (session.phase, session.assignee, effects) == (Phase.ACTIVE, WANG, ())
    session, effects = after(*SUPERVISED, hangs_up())
    assert session.phase is Phase.WRAPPING
    assert CloseLeg(SUPERVISING_CALL, LegEnd.CLOSED) in effects


def test_a_supervisor_who_comes_too_late_is_let_go() -> None:
    for script in (TALKING[:2], (*TALKING, hangs_up())):
        assert after(*script, supervisor())[1] == (CloseLeg(SUPERVISING_CALL, LegEnd.CLOSED),)


def test_taking_over_moves_the_charge_and_lets_the_agent_go() -> None:
    session, effects = after(*SUPERVISED, ev.SessionTakenOver(by=LI, leg=SUPERVISING_CALL))
    assert effects == (Release(WANG), CloseLeg(AGENT_CALL, LegEnd.CLOSED), Engage(LI, Medium.VOICE))
    assert (session.phase, session.assignee, session.prefer) == (Phase.ACTIVE, LI, LI)
    assert [leg.id for leg in session.live_legs(Party.ASSIGNEE)] == [SUPERVISING_CALL]
    agents = session.leg(AGENT_CALL)
    assert agents is not None
    assert agents.state is LegState.ENDED
    session, _ = after(
        *SUPERVISED, ev.SessionTakenOver(by=LI, leg=SUPERVISING_CALL), hangs_up(AGENT_CALL), hangs_up(SUPERVISING_CALL)
    )
    assert (session.phase, session.assignee) == (Phase.WRAPPING, LI), "it is theirs to write up"


def test_taking_over_by_a_leg_that_is_none_changes_nothing() -> None:
    for leg in (LegId("none"), CALL, AGENT_CALL):
        session, effects = after(*SUPERVISED, ev.SessionTakenOver(by=LI, leg=leg))
        assert (session.assignee, effects) == (WANG, ())


def test_an_agent_who_is_lost_takes_the_supervision_along() -> None:
    session, effects = after(*SUPERVISED, hangs_up(AGENT_CALL, LegEnd.LOST))
    assert session.phase is Phase.QUEUED
    assert CloseLeg(SUPERVISING_CALL, LegEnd.CLOSED) in effects
    assert not session.live_legs(Party.SUPERVISOR)
