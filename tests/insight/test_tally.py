"""What each kind of contact adds to the figures, and the figures by hand."""

from dataclasses import replace

import pytest

from insight.figures import computed
from insight.tally import NONE, Tally, tally_of
from session.address import Address
from session.ids import SessionId
from session.state import CloseReason, Debt, DebtEnd, Demand, Phase, Redeemed, Session
from session.ways import Detour, Obstacle
from storage.record import SessionRecord

OPENED = 1_790_000_000.0
WAITING = SessionRecord(
    Session(SessionId("01A"), Address("tel", "+8613800138000"), "12345", OPENED, Phase.QUEUED, demand=Demand("general"))
)


def ended(reason: CloseReason, **fields: float) -> SessionRecord:
    closed = replace(WAITING.session, phase=Phase.CLOSED, closed_at=OPENED + 100, close_reason=reason)
    return replace(WAITING, session=closed, **fields)  # type: ignore[arg-type]


def kept_out(why: Obstacle) -> SessionRecord:
    record = ended(CloseReason.UNSERVED)
    return replace(record, session=replace(record.session, detour=Detour(why)))


@pytest.mark.parametrize(
    ("record", "tally"),
    [
        (WAITING, Tally(came=1)),
        (replace(WAITING, answered_at=OPENED + 15.0), Tally(came=1, answered=1, prompt=1, waited_s=15.0)),
        (replace(WAITING, answered_at=OPENED + 15.25), Tally(came=1, answered=1, waited_s=15.25)),
        (ended(CloseReason.ABANDONED), Tally(came=1, lost=1)),
        (ended(CloseReason.UNREACHED), Tally(came=1, lost=1)),
        (kept_out(Obstacle.FULL), Tally(came=1, lost=1)),
        (kept_out(Obstacle.TOO_OFTEN), NONE),
        (kept_out(Obstacle.CLOSED), NONE),
        (ended(CloseReason.RESOLVED_BY_BOT), Tally(came=1, by_bot=1)),
        (replace(WAITING, session=replace(WAITING.session, phase=Phase.CALLBACK_PENDING)), Tally(came=1, lost=1)),
        (
            ended(CloseReason.COMPLETED, answered_at=OPENED + 2.0, rating=4, solved=True),
            Tally(came=1, answered=1, prompt=1, waited_s=2.0, rated=1, pleased=1, solved=1),
        ),
        (
            ended(CloseReason.COMPLETED, answered_at=OPENED + 40.0, rating=3, solved=False),
            Tally(came=1, answered=1, waited_s=40.0, rated=1),
        ),
        (ended(CloseReason.RESOLVED_BY_BOT, rating=5), Tally(came=1, by_bot=1, rated=1, pleased=1, unsaid=1)),
    ],
)
def test_one_session(record: SessionRecord, tally: Tally) -> None:
    assert tally_of(record) == tally


OWED = Debt(since=OPENED, due_at=OPENED + 60)


@pytest.mark.parametrize(
    ("session", "kept", "broken", "due"),
    [
        (replace(WAITING.session, debt=OWED), 0, 0, 1),
        (replace(WAITING.session, redeemed=Redeemed(OPENED + 60, OPENED + 60, DebtEnd.KEPT)), 1, 0, 0),
        (replace(WAITING.session, redeemed=Redeemed(OPENED + 60, OPENED + 60, DebtEnd.RETURNED)), 1, 0, 0),
        (replace(WAITING.session, redeemed=Redeemed(OPENED + 61, OPENED + 60, DebtEnd.KEPT)), 0, 1, 0),
        (replace(WAITING.session, redeemed=Redeemed(OPENED + 9, OPENED + 60, DebtEnd.UNREACHED)), 0, 1, 0),
        (replace(ended(CloseReason.UNREACHED).session, debt=OWED), 0, 1, 0),
        (replace(ended(CloseReason.MERGED).session, debt=OWED), 0, 0, 0),
    ],
)
def test_what_became_of_a_promise(session: Session, kept: int, broken: int, due: int) -> None:
    tally = tally_of(replace(WAITING, session=session))
    assert (tally.promises_kept, tally.promises_broken, tally.promises_due) == (kept, broken, due)


def test_the_figures_by_hand() -> None:
    sums = Tally(came=25, answered=18, prompt=15, lost=2, by_bot=4, waited_s=180.0, rated=8, pleased=6)
    sums += Tally(solved=3, unsaid=4)
    sums += Tally(promises_kept=6, promises_broken=2, promises_due=2)
    assert computed(sums) == {
        "came": 25,
        "answered": 18,
        "lost": 2,
        "by_bot": 4,
        "connect_rate": 0.9,
        "prompt_rate": 0.75,
        "loss_rate": 0.1,
        "mean_wait_s": 10.0,
        "pleased_rate": 0.75,
        "solved_rate": 0.75,
        "promised": 10,
        "promises_due": 2,
        "promises_broken": 2,
        "promise_rate": 0.75,
    }


def test_nothing_to_divide_by_is_not_zero() -> None:
    figures = computed(NONE)
    assert (figures["connect_rate"], figures["mean_wait_s"], figures["pleased_rate"]) == (None, None, None)
    assert figures["solved_rate"] is None
    assert figures["came"] == 0


def test_sums_come_and_go() -> None:
    one, two = Tally(1, 1, 1, 0, 0, 3.5, 1, 1), Tally(came=1, lost=1)
    assert one + two + -one == two
