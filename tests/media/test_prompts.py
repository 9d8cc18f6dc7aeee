"""Announcements and the pieces that say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import g711
from media.announcement import MAX_NUMBER, PIECES, WHOLE, pieces, reading
from media.errors import CannotAnnounce, PromptMissing, PromptUnreadable
from media.g711 import Law
from media.prompts import ZH, Playlist, PromptLibrary
from session.audio import Announcement
from tests.media.conftest import tone, write_wav

if TYPE_CHECKING:
    from pathlib import Path

HANZI = {f"n{digit}": "零一二三四五六七八九"[digit] for digit in range(10)} | {
    "n10": "十", "n100": "百", "n1000": "千", "liang": "两", "yao": "幺",
}  # fmt: skip


def spoken(number: int, *, ordinal: bool) -> str:
    return "".join(HANZI[piece] for piece in reading(number, ordinal=ordinal))


@pytest.mark.parametrize(
    ("number", "ordinal", "text"),
    [
        (2, True, "二"), (2, False, "两"), (10, True, "十"), (12, False, "十二"), (19, True, "十九"),
        (20, False, "二十"), (22, False, "二十二"), (100, True, "一百"), (102, False, "一百零二"),
        (110, True, "一百一十"), (111, True, "一百一十一"), (200, False, "两百"), (200, True, "二百"),
        (1001, True, "一千零一"), (1010, True, "一千零一十"), (1100, True, "一千一百"), (2000, False, "两千"),
        (2002, False, "两千零二"), (2200, False, "两千二百"), (9999, True, "九千九百九十九"),
    ],
)  # fmt: skip
def test_readings(number: int, ordinal: bool, text: str) -> None:
    assert spoken(number, ordinal=ordinal) == text


def understood(text: str) -> int:
    """A listener: sums digit × place."""
    total, digit = 0, 0
    for sign in text.replace("两", "二"):
        if sign in "十百千":
            total += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[sign]
            digit = 0
        else:
            digit = "零一二三四五六七八九".index(sign)
    return total + digit


@given(st.integers(1, MAX_NUMBER), st.booleans())
def test_a_listener_understands_every_number(number: int, ordinal: bool) -> None:
    text = spoken(number, ordinal=ordinal)
    assert understood(text) == number
    assert "零零" not in text
    assert not text.endswith("零")
    assert "两" not in text or not ordinal


@given(st.text(max_size=20) | st.sampled_from(sorted(PIECES)), st.lists(st.integers(), max_size=4))
def test_any_announcement_has_pieces_or_a_typed_refusal(name: str, numbers: list[int]) -> None:
    try:
        found = pieces(Announcement(name, tuple(numbers)))
    except CannotAnnounce:
        pass
    else:
        assert set(found) <= PIECES
        assert found


def test_agents_are_numbered_digit_by_digit() -> None:
    expected = ("agent_head", "n8", "n0", "yao", "n2", "agent_tail")
    assert pieces(Announcement("agent_number", (8012,))) == expected
    assert pieces(Announcement("agent_number", (8, 0, 1, 2))) == expected


def test_a_missing_piece_stops_the_start(tmp_path: Path) -> None:
    for name in PIECES - {"yao", "beep"}:
        write_wav(tmp_path / f"{name}.wav", tone(name, 0.02))
    with pytest.raises(PromptMissing) as missing:
        PromptLibrary.load(tmp_path)
    assert missing.value.names == ("beep", "yao")


@pytest.mark.parametrize("form", [{"rate": 16000}, {"channels": 2}, {"width": 1}, {"rate": 44100, "channels": 2}, None])
def test_a_piece_of_another_form_stops_the_start(tmp_path: Path, form: dict[str, int] | None) -> None:
    for name in PIECES:
        write_wav(tmp_path / f"{name}.wav", tone(name, 0.02))
    if form is None:
        (tmp_path / "n1.wav").write_bytes(b"RIFF")
    else:
        write_wav(tmp_path / "n1.wav", tone("n1", 0.02), **form)
    with pytest.raises(PromptUnreadable):
        PromptLibrary.load(tmp_path)


def test_the_pieces_that_come_with_the_product_are_all_there() -> None:
    library = PromptLibrary.load(ZH)
    for name in WHOLE:
        (sound,) = library.sounds([Announcement(name)])
        assert 800 <= len(sound[Law.PCMA]) == len(sound[Law.PCMU])


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6), st.booleans())
def test_a_playlist_plays_every_sample_once(sizes: list[int], loop: bool) -> None:
    octets = [bytes([index + 1]) * size for index, size in enumerate(sizes)]
    playlist = Playlist("x", [dict.fromkeys(Law, each) for each in octets], loop=loop)
    whole = b"".join(octets)
    if loop:
        heard = b"".join(playlist.frame(Law.PCMA) or b"" for _ in range(40))
        assert heard == (whole * (6400 // len(whole) + 1))[:6400]
        return
    frames = []
    while (frame := playlist.frame(Law.PCMA)) is not None:
        frames.append(frame)
    assert all(len(frame) == 160 for frame in frames)
    heard = b"".join(frames)
    assert heard[: len(whole)] == whole
    assert set(heard[len(whole) :]) <= {0xD5}
    assert len(heard) - len(whole) < 160
    assert playlist.frame(Law.PCMA) is None


def test_the_laws_are_those_of_the_standard() -> None:
    assert [g711.LEVELS[Law.PCMA][octet] for octet in (0xD5, 0x55, 0xAA, 0x2A, 0x80)] == [8, -8, 32256, -32256, 5504]
    assert [g711.LEVELS[Law.PCMU][octet] for octet in (0xFF, 0x00, 0x80, 0x8F)] == [0, -32124, 32124, 16764]
    samples = np.arange(-32768, 32768).astype("<i2")
    for law in Law:
        octets = g711.encode(samples.tobytes(), law)
        back = np.frombuffer(g711.decode(octets, law), "<i2").astype(int)
        size = np.abs(samples.astype(int))
        error = np.abs(back - samples)
        assert (error <= np.maximum(16, size // 29))[size < 32000].all()
        every = bytes(range(256))
        again = g711.encode(g711.decode(every, law), law)
        assert sum(a != b for a, b in zip(every, again, strict=True)) <= 1  # µ-law's negative zero
    assert g711.encode(b"\0\0", Law.PCMU) == b"\xff"
    for source, target in ((Law.PCMA, Law.PCMU), (Law.PCMU, Law.PCMA)):
        every = bytes(range(256))
        assert g711.encode(g711.decode(every, source), target) == every.translate(g711.TRANSCODE[source, target])
