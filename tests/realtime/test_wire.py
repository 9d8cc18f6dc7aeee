"""Frames to JSON and back."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import citizen, desk, timeline
from realtime.errors import BadField, FrameRefused
from realtime.messages import LONGEST_TEXT, tag_of
from realtime.settings import CITIZEN
from realtime.wire import Reader, encode, numbered

ID = "01JD0000000000000000000000"
CITIZENS, DESKS = Reader(citizen.UP), Reader(desk.UP)


def _send(**change: Any) -> bytes:
    return json.dumps({"t": "msg.send", "id": ID, "cseq": 1, "text": "你好", **change}).encode()


def test_a_command_is_read() -> None:
    assert CITIZENS.read(_send()) == citizen.MessageSend(id=ID, cseq=1, text="你好")


def test_defaults_may_be_left_out_and_choices_are_held() -> None:
    presence = {"t": "presence.set", "id": ID, "cseq": 1, "presence": "ready"}
    assert DESKS.read(json.dumps(presence).encode()) == desk.PresenceSet(id=ID, cseq=1, presence="ready")
    with pytest.raises(BadField):
        DESKS.read(json.dumps({**presence, "presence": "asleep"}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"cseq": True},
        {"cseq": 1.5},
        {"cseq": -1},
        {"cseq": 2**60},
        {"cseq": None},
        {"id": "8" + "0" * 25},
        {"id": "short"},
        {"id": ID.lower()},
        {"text": None},
        {"text": ["x"]},
        {"from_": "x"},
    ],
)
def test_a_field_out_of_bounds_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadField):
        CITIZENS.read(_send(**change))


def test_a_refusal_knows_its_command_and_repeats_no_words() -> None:
    with pytest.raises(FrameRefused) as refused:
        CITIZENS.read(_send(text="my secret" * 1000))
    assert (refused.value.command_id, refused.value.cseq, refused.value.code) == (ID, 1, "too_long")
    assert "secret" not in str(refused.value)


@given(text=st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        frame = CITIZENS.read(text.encode(errors="surrogatepass"))
    except FrameRefused:
        return
    assert tag_of(type(frame)) in citizen.UP


@given(text=st.text(min_size=1, max_size=4000))
def test_every_text_with_more_than_blanks_comes_through_whole(text: str) -> None:
    fits = text.strip() and "\0" not in text
    try:
        frame = CITIZENS.read(_send(text=text))
    except BadField:
        assert not fits or any("\ud800" <= char <= "\udfff" for char in text)
    else:
        assert isinstance(frame, citizen.MessageSend)
        assert frame.text == text


def test_a_durable_frame_is_written_with_its_number() -> None:
    file = citizen.File(id="f", name='"名"', content_type="image/png", size=3)
    frame = citizen.MessageNew(id=ID, rev=3, from_="agent", name="8001", ts=1.5, state="sent", file=file)
    assert json.loads(numbered(encode(frame), 12)) == {
        "seq": 12,
        "t": "msg.new",
        "id": ID,
        "rev": 3,
        "from": "agent",
        "name": "8001",
        "ts": 1.5,
        "state": "sent",
        "text": None,
        "location": None,
        "file": {"id": "f", "name": '"名"', "content_type": "image/png", "size": 3},
    }


def test_an_entry_of_a_union_says_its_kind() -> None:
    entry = timeline.TextEntry(at=1.0, who=timeline.Who(kind="citizen"), message="m", text="hi")
    frame = desk.ContactTimeline(session="s", version=4, entry=entry)
    assert json.loads(encode(frame))["entry"] == {
        "kind": "text",
        "at": 1.0,
        "who": {"kind": "citizen", "name": ""},
        "message": "m",
        "text": "hi",
        "quote": None,
    }


def test_half_a_character_from_another_channel_does_not_break_a_frame() -> None:
    frame = citizen.MessageNew(id="i", rev=1, from_="agent", name="", ts=0, state="sent", text="a\ud800b")
    assert json.loads(encode(frame))


def test_the_longest_text_of_any_script_fits_into_a_citizens_frame() -> None:
    """A page that may write it must be able to send it: a frame too big closes the socket, and would come again."""
    for letter in ("汉", "😀", "\x01", '"'):
        frame = {"t": "msg.send", "id": "0" * 26, "cseq": 2**53 - 1, "text": letter * LONGEST_TEXT}
        assert len(json.dumps(frame, ensure_ascii=False).encode()) <= CITIZEN.frame_bytes
