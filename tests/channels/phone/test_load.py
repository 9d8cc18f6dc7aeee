"""Bounds on calls, and that one address cannot use them up."""

from channels.phone.load import CallLimits


def test_one_address_leaves_room_for_others() -> None:
    limits = CallLimits(at_once=10, per_s=1_000)
    assert sum(limits.take("a", 1.0) for _ in range(20)) == 8
    assert sum(limits.take("b", 1.0) for _ in range(20)) == 2
    limits.release("a")
    assert limits.take("b", 1.0)
    assert limits.running == 10


def test_rate() -> None:
    limits = CallLimits(at_once=1_000, per_s=10)
    assert sum(limits.take("a", 1.0) for _ in range(20)) == 8
    assert sum(limits.take("b", 1.0) for _ in range(20)) == 2
    assert sum(limits.take("a", 1.5) for _ in range(20)) == 4
    assert sum(limits.take("b", 1.5) for _ in range(20)) == 1


def test_one_call_is_always_possible() -> None:
    assert CallLimits(at_once=1, per_s=1).take("a", 1.0)
