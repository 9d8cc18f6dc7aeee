"""A third on a citizen's call, and a call that is set aside, as effects: whose it is, and who is charged."""

from session import events as ev
from session.address import Address
from session.effects import CallThird, CloseLeg, Confer, Engage, LetCitizenGo, Play, Release, SetTimer, Wrap
from session.ids import LegId
from session.rules import Rules
from session.state import Conference, LegEnd, Medium, Party, Phase
from tests.session.script import AGENT_CALL, CALL, LI, TALKING, THIRD_CALL, WANG, hangs_up, third, timer
from tests.session.test_stories import after

POLICE = Address("tel", "110")
CONSULTED = (*TALKING, ev.ThirdRequested(by=WANG, number=POLICE), third())


def test_who_is_on_the_call_calls_a_third_and_only_one() -> None:
    wanted = ev.ThirdRequested(by=WANG, agents=(LI,))
    assert after(*TALKING, wanted)[1] == (CallThird(CALL, WANG, (LI,), None, 6),)
    assert after(*TALKING, ev.ThirdRequested(by=LI, number=POLICE))[1] == ()
    assert after(*TALKING[:-1], wanted)[1] == ()
    assert after(*CONSULTED, wanted)[1] == ()
    assert after(*CONSULTED, ev.ConferRequested(by=WANG, what=Conference.TOGETHER))[1] == (
        Confer(CALL, Conference.TOGETHER, 8),
    )
    assert after(*CONSULTED, ev.ConferRequested(by=LI, what=Conference.COMPLETE))[1] == ()


def test_the_third_is_nobodys_charge_and_goes_when_the_agent_or_the_citizen_does() -> None:
    session, effects = after(*CONSULTED, hangs_up(THIRD_CALL))
    assert (session.phase, session.assignee, effects) == (Phase.ACTIVE, WANG, ())
    for last in (hangs_up(), hangs_up(AGENT_CALL, LegEnd.LOST), ev.SessionTransferred(by=WANG, to=LI, why="户籍")):
        session, effects = after(*CONSULTED, last)
        assert CloseLeg(THIRD_CALL, LegEnd.CLOSED) in effects
        assert not session.live_legs(Party.THIRD)
    assert after(*TALKING, hangs_up(), third())[1] == (CloseLeg(THIRD_CALL, LegEnd.CLOSED),)


def test_a_colleague_has_the_session_once_the_agent_has_left() -> None:
    session, effects = after(*CONSULTED, ev.CallPassedOn(by=WANG, leg=THIRD_CALL, to=LI))
    assert effects == (Release(WANG), CloseLeg(AGENT_CALL, LegEnd.CLOSED), Engage(LI, Medium.VOICE))
    assert (session.phase, session.assignee, session.prefer) == (Phase.ACTIVE, LI, LI)
    assert [leg.id for leg in session.live_legs(Party.ASSIGNEE)] == [THIRD_CALL]


def test_two_outside_go_on_while_the_agent_writes_it_up() -> None:
    session, effects = after(*CONSULTED, ev.CallPassedOn(by=WANG, leg=THIRD_CALL))
    assert (session.phase, session.assignee) == (Phase.WRAPPING, WANG)
    closed = [effect.leg for effect in effects if isinstance(effect, CloseLeg)]
    assert closed == [AGENT_CALL], "what is theirs alone is not ended with the contact"
    assert Wrap(WANG) in effects
    assert LetCitizenGo() in effects
    written = ev.WrapFinished(by=WANG)
    session, effects = after(*CONSULTED, ev.CallPassedOn(by=WANG, leg=THIRD_CALL), written)
    assert session.phase is Phase.CLOSED
    assert not [effect for effect in effects if isinstance(effect, CloseLeg)]


def test_passing_on_to_who_is_not_there_changes_nothing() -> None:
    for leg in (LegId("none"), CALL, AGENT_CALL):
        session, effects = after(*CONSULTED, ev.CallPassedOn(by=WANG, leg=leg, to=LI))
        assert (session.assignee, effects) == (WANG, ())


def test_a_parked_call_charges_nobody_and_is_fetched_by_whoever_asks() -> None:
    session, effects = after(*TALKING, ev.CallParked(by=WANG, place="1"))
    assert (session.phase, session.assignee) == (Phase.PARKED, None)
    assert effects[:3] == (Release(WANG), CloseLeg(AGENT_CALL, LegEnd.CLOSED), Play(CALL, ()))
    assert SetTimer("park", Rules().call_park_s) in effects
    for last, prefer in ((ev.SessionResumed(by=LI), LI), (timer("park"), WANG)):
        session, effects = after(*TALKING, ev.CallParked(by=WANG, place="1"), last)
        assert (session.phase, session.prefer) == (Phase.QUEUED, prefer)
        assert Play(CALL, ()) in effects
    assert after(*TALKING, ev.CallParked(by=LI, place="1"))[0].phase is Phase.ACTIVE
    assert after(*CONSULTED, ev.CallParked(by=WANG, place="1"))[0].live_legs(Party.THIRD) == ()


def test_who_hangs_up_while_parked_is_owed_a_call() -> None:
    session, _ = after(*TALKING, ev.CallParked(by=WANG, place="1"), hangs_up())
    assert session.phase is Phase.CALLBACK_PENDING
