"""Bounds on calls, and that one address cannot use them up."""

from channels.phone.load import CallLimits, Seat


def begin(limits: CallLimits, host: str, now: float, attempts: int = 20) -> list[Seat]:
    """Callers who acknowledge at once."""
    seats = [seat for _ in range(attempts) if (seat := confirmed(limits.take(host, now)))]
    assert limits.running >= len(seats)
    return seats


def confirmed(seat: Seat | None) -> Seat | None:
    if seat is not None:
        seat.confirm()
    return seat


def test_one_address_leaves_room_for_others() -> None:
    limits = CallLimits(at_once=10, per_s=1_000)
    first, *others = begin(limits, "a", 1.0)
    assert len(others) == 7
    assert len(begin(limits, "b", 1.0)) == 2
    first.leave()
    assert limits.take("b", 1.0)
    assert limits.running == 10


def test_who_acknowledges_nothing_has_little() -> None:
    limits = CallLimits(at_once=100, per_s=1_000)
    flood = [seat for _ in range(500) if (seat := limits.take("a", 1.0))]
    assert len(flood) == 25
    assert len(begin(limits, "b", 1.0, 500)) == 75
    flood[0].leave()
    flood[1].confirm()
    assert limits.running == 99
    assert limits.take("a", 1.0)


def test_rate() -> None:
    limits = CallLimits(at_once=1_000, per_s=10)
    assert [len(begin(limits, host, 1.0)) for host in "ab"] == [8, 2]
    assert [len(begin(limits, host, 1.5)) for host in "ab"] == [4, 1]


def test_one_call_is_always_possible() -> None:
    assert CallLimits(at_once=1, per_s=1).take("a", 1.0)
