"""When a trunk's place is asked, passed over, and called again."""

from channels.phone.health import Health


def test_asked_at_its_pace_and_more_often_while_it_is_down() -> None:
    one = Health(30.0)
    assert [one.is_due(now) for now in (0.0, 29.9, 30.0, 31.0)] == [True, False, True, False]
    one.silent()
    one.silent()
    assert [one.is_due(now) for now in (60.0, 69.0, 70.0)] == [True, False, True]
    one.answered()
    assert [one.is_due(now) for now in (80.0, 100.0, 110.0)] == [True, False, True]


def test_passed_over_after_two_failures_until_it_answers() -> None:
    one = Health(30.0)
    one.silent()
    assert one.may_be_called(0.0), "one datagram lost is no outage"
    one.silent()
    assert not one.may_be_called(0.0)
    one.answered()
    assert one.may_be_called(0.0)


def test_left_alone_as_long_as_it_says() -> None:
    one = Health(30.0)
    one.overloaded(100.0, 20.0)
    assert [one.may_be_called(now) for now in (100.0, 119.0, 120.0)] == [False, False, True]
    one.overloaded(200.0, 1e9)
    assert one.may_be_called(500.0), "nobody is left alone for ever"
    one.overloaded(600.0, 0.0)
    assert not one.may_be_called(600.5)


def test_never_asked() -> None:
    assert not Health(0.0).is_due(1e9)
