"""The pure parts: byte ranges, policy, cards, and where packets are laid."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import byterange, card
from recordings.errors import RangeUnsatisfiable, RecordingUnreadable
from recordings.policy import DAY_S, RecordingPolicy
from recordings.track import Expansion, Gathering, Stretch, Track

if TYPE_CHECKING:
    from pathlib import Path

LINEAR = (bytes(256), bytes(range(256)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("bytes=0-", (0, 999)),
        ("bytes=0-0", (0, 0)),
        ("bytes=200-5000", (200, 999)),
        ("bytes=-100", (900, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("lines=0-1", None),
        ("bytes=-", None),
    ],
)
def test_ranges(text: str | None, expected: tuple[int, int] | None) -> None:
    assert byterange.parse(text, 1000) == expected


@pytest.mark.parametrize("text", ["bytes=1000-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_behind_the_end(text: str) -> None:
    with pytest.raises(RangeUnsatisfiable):
        byterange.parse(text, 1000)


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d*-\d*", fullmatch=True), st.integers(0, 10**6))
def test_any_range_is_within_or_refused(text: str, size: int) -> None:
    try:
        found = byterange.parse(text, size)
    except RangeUnsatisfiable:
        return
    assert found is None or 0 <= found[0] <= found[1] < size


def test_policy() -> None:
    policy = RecordingPolicy(keep_s=2 * DAY_S)
    assert policy.may_record(noticed=True)
    assert not policy.may_record(noticed=False)
    assert not RecordingPolicy(record_calls=False).may_record(noticed=True)
    assert RecordingPolicy(demand_notice=False).may_record(noticed=False)
    assert policy.expires_s(100.0) == 100.0 + 172_800


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "x": 1}', "null"])
def test_a_card_that_is_none_is_a_typed_error(tmp_path: Path, text: str) -> None:
    sound = tmp_path / "a.wav"
    assert card.read(sound) is None
    card.card_path(sound).write_text(text)
    with pytest.raises(RecordingUnreadable):
        card.read(sound)


def test_a_card_leaves_nothing_to_the_collector(tmp_path: Path) -> None:
    """Which would look through all calls for what each that ends has left."""
    written = card.Card(1.0, 32_044, "0" * 64, 1.0, whole=True)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            card.write(tmp_path / "a.wav", written, b"")
        assert gc.collect() < 20
    finally:
        gc.enable()
    assert card.read(tmp_path / "a.wav") == written


def gather(packets: list[tuple[float, int, bytes, Expansion]], started_s: float) -> list[Stretch]:
    gathering = Gathering(started_s)
    for each in packets:
        gathering.note(*each)
    found = gathering.take()
    assert gathering.take() == []
    return found


packet = st.tuples(st.integers(0, 10**6), st.integers(0, 2**32 - 1), st.integers(1, 480))


@given(st.lists(st.lists(packet, max_size=20), max_size=5))
def test_no_stream_however_mad_is_laid_behind_its_arrival(batches: list[list[tuple[int, int, int]]]) -> None:
    track = Track()
    for batch in batches:
        packets = [(at / 8000, stamp, bytes(size), LINEAR) for at, stamp, size in sorted(batch)]
        found = gather(packets, 0.0)
        placed = track.place(found)
        assert b"".join(each.octets for each in placed) == b"".join(each[2] for each in packets)
        for laid, stretch in zip(placed, found, strict=True):
            # Nothing is laid later than it came, but for the 5 ms below which the stream is not moved.
            assert laid.position <= stretch.begun + 41


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 159), min_size=30, max_size=60), st.sets(st.integers(1, 28)))
def test_packets_keep_their_distances(first: int, jitter: list[int], lost: set[int]) -> None:
    packets = [
        (5.0 + (160 * (index + 1) + late) / 8000, (first + 160 * index) & 0xFFFFFFFF, bytes([index]) * 160, LINEAR)
        for index, late in enumerate(jitter)
        if index not in lost
    ]
    placed = Track().place(gather(packets, 5.0))
    least = min(late for index, late in enumerate(jitter) if index not in lost)
    for position, octets, _expansion in placed:
        assert abs(position - least - 160 * octets[0]) <= 1
    assert b"".join(each.octets for each in placed) == b"".join(each[2] for each in packets)


def test_a_disk_that_stalls_costs_a_minute_of_memory_at_most() -> None:
    gathering = Gathering(0.0)
    for index in range(5000):
        gathering.note(index / 50, index * 160, bytes(160), LINEAR)
    assert 460_000 < sum(len(each.octets) for each in gathering.take()) <= 480_000
    gathering.note(101.0, 5000 * 160, b"x", LINEAR)
    assert [each.octets for each in gathering.take()] == [b"x"]
