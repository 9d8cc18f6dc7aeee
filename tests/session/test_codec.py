"""The wire: golden bytes, round trips, and a typed error for all else."""

from contextlib import suppress
from dataclasses import dataclass, fields, replace

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from session import belonging, codec
from session import events as ev
from session.codec import (
    EFFECTS,
    EVENTS,
    LARGEST_BYTES,
    SNAPSHOT,
    Malformed,
    UnknownTag,
    UnknownVersion,
    WireError,
    decode_effect,
    decode_event,
    decode_session,
    encode_effect,
    encode_event,
    encode_session,
    tag_of,
)
from session.later import is_later, later
from session.machine import replay
from session.rules import Rules
from session.state import Session
from tests.session.golden import EFFECT_SAMPLES, FOLDER, SNAPSHOT_SAMPLE, samples
from tests.session.script import SESSION, wrote
from tests.session.stories import STORIES, every_kind, stamped

ALL_EVENTS = [event for story in STORIES.values() for event in stamped(story)]
DECODERS = [lambda data: decode_event(data, 0.0), decode_effect, decode_session]


def test_every_tag_has_its_golden_file_and_none_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.hex")} == {*EVENTS, *EFFECTS, SNAPSHOT}


@pytest.mark.parametrize("tag", [*EVENTS, *EFFECTS, SNAPSHOT])
def test_the_bytes_of_a_tag_never_change(tag: str) -> None:
    golden = bytes.fromhex((FOLDER / f"{tag}.hex").read_text())
    assert samples()[tag] == golden


def test_golden_bytes_are_read_as_what_was_written() -> None:
    """So a log from the first day is still readable when a kind of event has grown new fields."""
    for kind, event in every_kind().items():
        golden = bytes.fromhex((FOLDER / f"{tag_of(event)}.hex").read_text())
        assert decode_event(golden, event.at) == event
        assert kind is EVENTS[tag_of(event)]
    for effect in EFFECT_SAMPLES.values():
        assert decode_effect(bytes.fromhex((FOLDER / f"{tag_of(effect)}.hex").read_text())) == effect
    assert decode_session(bytes.fromhex((FOLDER / f"{SNAPSHOT}.hex").read_text())) == SNAPSHOT_SAMPLE


def test_every_event_and_every_state_comes_back() -> None:
    for event in ALL_EVENTS:
        assert decode_event(encode_event(event), event.at) == event
    for story in STORIES.values():
        log = stamped(story)
        for end in range(1, len(log) + 1):
            session = replay(SESSION, log[:end], Rules())
            assert decode_session(encode_session(session)) == session


def test_the_time_is_the_stores_and_not_in_the_bytes() -> None:
    event = wrote()
    assert encode_event(replace(event, at=1.0)) == encode_event(replace(event, at=2.0))
    assert decode_event(encode_event(event), 3.5).at == 3.5


def test_tags_are_unique_and_lower_case() -> None:
    tags = [*EVENTS, *EFFECTS, SNAPSHOT]
    assert len(set(tags)) == len(tags)
    assert len(set(EVENTS.values())) == len(EVENTS)
    assert all(tag == tag.lower() and tag.isascii() for tag in tags)
    named = {**vars(ev), **vars(belonging)}
    kinds = {name for name, kind in named.items() if isinstance(kind, type) and issubclass(kind, ev.Event)}
    assert kinds - {"Event"} == {kind.__name__ for kind in EVENTS.values()}


def packed(*parts: object) -> bytes:
    return bytes(msgpack.packb(parts))


@pytest.mark.parametrize("decode", DECODERS)
def test_an_unknown_tag_or_version_is_a_typed_error(decode) -> None:  # type: ignore[no-untyped-def]  # three signatures
    with pytest.raises(UnknownTag) as tag:
        decode(packed(1, "text.shouted", {}))
    assert tag.value.tag == "text.shouted"
    with pytest.raises(UnknownVersion) as version:
        decode(packed(2, "text.received", {}))
    assert version.value.version == 2
    assert not version.value.retryable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x93\x01",
        packed(1, "text.received"),
        packed("1", "text.received", {}),
        packed(1, "text.received", "x"),
        packed(1, "text.received", {}),
        packed(1, "text.received", {"leg": 1, "message": "m", "text": "x"}),
        packed(1, "text.received", {"leg": "l", "message": "m", "text": "x", "loud": True}),
        packed(1, "text.received", {1: "l"}),
        packed(1, "leg.opened", {"leg": {"id": "l"}}),
        packed(1, "leg.opened", {"leg": []}),
        packed(1, "leg.closed", {"leg": "l", "reason": "boredom"}),
        packed(1, "session.opened", {"citizen": "nonsense", "number": "1", "demand": {"queue": "q"}}),
        packed(1, "session.opened", {"citizen": "tel:1", "number": "1", "demand": {"queue": "q", "skills": [1]}}),
        packed(1, "offer.made", {"token": "1"}),
        packed(1, "text.received", {"leg": "l", "message": "m", "text": "x" * LARGEST_BYTES}),
    ],
    ids=lambda data: data[:40].hex(),
)
def test_what_is_no_value_of_ours_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_event(data, 0.0)


def test_an_empty_map_written_by_lua_is_a_map() -> None:
    """cmsgpack writes an empty table as an empty list."""
    assert codec._unpack(packed(1, "text.received", [])) == ("text.received", {})


@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_by_type(data: bytes) -> None:
    for decode in DECODERS:
        with suppress(WireError):
            decode(data)


@settings(deadline=None)
@given(
    index=st.integers(0, len(ALL_EVENTS) - 1),
    cut=st.integers(0, 400),
    flip=st.integers(1, 255),
)
def test_spoiled_bytes_are_read_or_refused_by_type(index: int, cut: int, flip: int) -> None:
    data = bytearray(encode_event(ALL_EVENTS[index]))
    data[cut % len(data)] ^= flip
    with suppress(WireError):
        decode_event(bytes(data), 0.0)


def test_a_snapshot_holds_every_field_of_a_session() -> None:
    fields_written = msgpack.unpackb(encode_session(SNAPSHOT_SAMPLE))[2]
    assert set(fields_written) == {one.name for one in fields(Session) if not is_later(one)}


@dataclass(frozen=True, slots=True)
class Grown:
    name: str
    size: int = later(0)


def test_what_a_value_has_grown_is_written_only_where_it_says_something() -> None:
    """So the bytes of before stay as they were, and are read."""
    assert codec._plain(Grown("a")) == {"name": "a"}
    assert codec._plain(Grown("a", 2)) == {"name": "a", "size": 2}
    for value in (Grown("a"), Grown("a", 2)):
        assert codec._build(Grown, codec._plain(value)) == value


def test_effects_come_back() -> None:
    assert set(EFFECT_SAMPLES) == set(EFFECTS.values())
    for effect in EFFECT_SAMPLES.values():
        assert decode_effect(encode_effect(effect)) == effect
