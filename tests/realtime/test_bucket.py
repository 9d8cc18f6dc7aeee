"""A burst, then a rate."""

from realtime.bucket import Bucket


def test_a_burst_is_let_through_then_the_rate() -> None:
    bucket = Bucket(rate_per_s=5, burst=20)
    assert sum(bucket.take(100.0) for _ in range(50)) == 20
    assert abs(bucket.wait_s(100.0) - 0.2) < 1e-6
    assert sum(bucket.take(100.0 + tenth / 10) for tenth in range(1, 101)) == 50


def test_it_fills_up_and_no_further() -> None:
    bucket = Bucket(rate_per_s=5, burst=20)
    assert bucket.wait_s(0.0) == 0.0
    assert sum(bucket.take(1000.0) for _ in range(50)) == 20
