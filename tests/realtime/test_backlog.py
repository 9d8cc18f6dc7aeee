"""Numbers without gaps; bounds in frames, bytes and age."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.backlog import Backlog


def _filled(count: int, *, frames: int = 100, keep_s: float = 100, most_bytes: int = 10_000) -> Backlog:
    backlog = Backlog(frames=frames, keep_s=keep_s, most_bytes=most_bytes)
    for number in range(1, count + 1):
        assert backlog.append(b"%d" % number, float(number)) == number
    return backlog


@given(count=st.integers(0, 50), confirmed=st.integers(0, 60), asked=st.integers(0, 60))
def test_what_is_kept_is_what_was_not_confirmed(count: int, confirmed: int, asked: int) -> None:
    backlog = _filled(count)
    backlog.confirm(confirmed)
    kept = {seq: backlog[seq] for seq in range(backlog.first, backlog.last + 1)}
    assert kept == {seq: b"%d" % seq for seq in range(min(confirmed, count) + 1, count + 1)}
    assert backlog.holds_after(asked) == (min(confirmed, count) <= asked <= count)


def test_the_oldest_go_first() -> None:
    assert _filled(10, frames=3).first == 8
    assert _filled(10, keep_s=2.5).first == 8
    assert _filled(9, most_bytes=4).first == 6


def test_the_newest_stays_however_big() -> None:
    backlog = _filled(1, most_bytes=1)
    assert backlog.append(b"x" * 100, 2.0) == 2
    assert backlog[2] == b"x" * 100
    assert backlog.first == 2
