"""Which recorded pieces say an announcement, and how Chinese reads whole numbers aloud. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media.errors import CannotAnnounce

if TYPE_CHECKING:
    from collections.abc import Callable

    from session.audio import Announcement

MAX_NUMBER = 9999
MAX_DIGITS = 12
MAX_SILENCE_MS = 60_000

WHOLE = frozenset({
    "welcome", "recording_notice", "wait_short", "keep_waiting", "out_of_hours", "store_down", "apology",
    "callback_promised", "goodbye", "all_busy", "ringback", "beep", "keep_place", "place_kept", "link_failed",
    "citizen_dropped", "hotline", "line_full", "too_often", "way_link", "way_call_back", "way_message",
    "leave_message", "message_taken", "message_empty", "link_sent", "way_failed",
})  # fmt: skip
"""Announcements that are one piece of the same name."""

PIECES = WHOLE | {
    "music", "position_head", "position_tail", "wait_head", "minutes_tail", "agent_head", "agent_tail",
    "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n100", "n1000", "liang", "yao",
}  # fmt: skip
"""Every piece that a folder of prompts must hold."""

_PLACES = ((1000, "n1000"), (100, "n100"), (10, "n10"))


def reading(number: int, *, ordinal: bool) -> tuple[str, ...]:
    """Pieces that read 1–9999 aloud: 二 after 第 (ordinal), 两 before a measure word and leading 百 or 千.

    零 stands once for a gap of noughts; 十 to 十九 go without 一 (but 一百一十).
    """
    if not 1 <= number <= MAX_NUMBER:
        raise ValueError(f"{number} is not within 1–{MAX_NUMBER}")
    if number == 2 and not ordinal:
        return ("liang",)
    pieces: list[str] = []
    rest, gap = number, False
    for place, name in _PLACES:
        digit, rest = divmod(rest, place)
        if digit == 0:
            gap = bool(pieces)
            continue
        if gap:
            pieces.append("n0")
            gap = False
        pieces += _digit_at(digit, place, leading=not pieces, ordinal=ordinal)
        pieces.append(name)
    if rest:
        pieces += ["n0"] * gap + [f"n{rest}"]
    return tuple(pieces)


def _digit_at(digit: int, place: int, *, leading: bool, ordinal: bool) -> tuple[str, ...]:
    if digit == 1 and place == 10 and leading:
        return ()
    if digit == 2 and place >= 100 and leading and not ordinal:
        return ("liang",)
    return (f"n{digit}",)


def _position(numbers: tuple[int, ...]) -> tuple[str, ...]:
    (place,) = numbers
    return ("position_head", *reading(place, ordinal=True), "position_tail")


def _wait_minutes(numbers: tuple[int, ...]) -> tuple[str, ...]:
    (minutes,) = numbers
    return ("wait_head", *reading(minutes, ordinal=False), "minutes_tail")


def _agent_number(numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Digit by digit, one read yāo, as numbers of staff are."""
    digits = "".join(map(str, numbers))
    if not (digits.isdigit() and len(digits) <= MAX_DIGITS):
        raise ValueError(f"it takes 1–{MAX_DIGITS} digits")
    return ("agent_head", *("yao" if digit == "1" else f"n{digit}" for digit in digits), "agent_tail")


def _music(numbers: tuple[int, ...]) -> tuple[str, ...]:
    () = numbers
    return ("music",)


_SPOKEN: dict[str, Callable[[tuple[int, ...]], tuple[str, ...]]] = {
    "position": _position,
    "wait_minutes": _wait_minutes,
    "agent_number": _agent_number,
    "music": _music,
    "hold_music": _music,
}


def pieces(announcement: Announcement) -> tuple[str, ...]:
    """Names of the pieces, in the order they are heard. Raises `CannotAnnounce`; "silence" has none."""
    name, numbers = announcement.name, announcement.numbers
    if name in WHOLE:
        return (name,)
    spoken = _SPOKEN.get(name)
    if spoken is None:
        raise CannotAnnounce(name, "there is no such announcement")
    try:
        return spoken(numbers)
    except ValueError as error:
        raise CannotAnnounce(name, str(error)) from error


def silence_ms(announcement: Announcement) -> int:
    """How long an announcement of silence lasts: its one number, in milliseconds; a second when it has none."""
    match announcement.numbers:
        case ():
            return 1000
        case (duration_ms,) if 0 < duration_ms <= MAX_SILENCE_MS:
            return duration_ms
        case _:
            raise CannotAnnounce(announcement.name, f"it lasts 1–{MAX_SILENCE_MS} ms")
