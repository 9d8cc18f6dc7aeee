"""What a text message's octets mean, and how many messages a text takes. Pure.

GSM 03.38 (3GPP TS 23.038, section 6.2.1) for seven-bit text, UCS-2 for all else (in truth UTF-16, as telephones write
emoji), GBK where a Chinese carrier sends it. Lengths of concatenated messages leave room for the six octets of their
header (3GPP TS 23.040, section 9.2.3.24.1).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\x0c": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_ESCAPE = 0x1B
_TO_SEPTET = {char: value for value, char in enumerate(_BASIC) if value != _ESCAPE}
_FROM_EXTENSION = {value: char for char, value in _EXTENSION.items()}
_HEADER_OCTETS = 6
_OCTETS = 140


class Coding(StrEnum):
    """How a text is written into octets."""

    GSM7 = "gsm7"
    ASCII = "ascii"
    LATIN1 = "latin1"
    UCS2 = "ucs2"
    GBK = "gbk"
    BINARY = "binary"
    """No text."""


def encode(text: str, coding: Coding) -> bytes:
    """The octets of a text; what the coding does not have becomes `?`."""
    match coding:
        case Coding.GSM7:
            return bytes(value for char in text for value in _septets(char))
        case Coding.UCS2:
            return text.encode("utf-16-be", "replace")
        case Coding.GBK:
            return text.encode("gbk", "replace")
        case _:
            return text.encode("ascii", "replace")


def decode(octets: bytes, coding: Coding) -> str:
    """The text of some octets; what means nothing becomes U+FFFD, so that it is seen and nothing is dropped."""
    match coding:
        case Coding.GSM7:
            return _from_septets(octets)
        case Coding.UCS2:
            return octets.decode("utf-16-be", "replace")
        case Coding.LATIN1:
            return octets.decode("latin-1")
        case Coding.BINARY:
            return f"〔无法显示的短信，{len(octets)} 字节〕"
        case _:
            # Carriers label Chinese text as ASCII now and then, and its letters are the same.
            return octets.decode("gb18030", "replace")


def narrowest(text: str) -> Coding:
    """GSM7 where it has every character, else UCS-2."""
    return Coding.GSM7 if all(char in _TO_SEPTET or char in _EXTENSION for char in text) else Coding.UCS2


def split(text: str, coding: Coding) -> list[str]:
    """The texts of the messages that a text takes, in order; one where it fits.

    No character is cut: neither an emoji's two surrogates, nor a GBK character's two octets, nor an escaped septet.
    """
    if _size(text, coding) <= _room(coding, parts=False):
        return [text]
    room = _room(coding, parts=True)
    measure = _measure(coding)
    parts: list[str] = []
    start = used = 0
    for index, char in enumerate(text):
        size = measure(char)
        if used + size > room:
            parts.append(text[start:index])
            start, used = index, 0
        used += size
    return [*parts, text[start:]]


def segments(text: str) -> int:
    """How many messages a text takes, in the coding that telephones give it."""
    return len(split(text, narrowest(text)))


def _room(coding: Coding, *, parts: bool) -> int:
    """In septets for GSM7, in octets else."""
    octets = _OCTETS - (_HEADER_OCTETS if parts else 0)
    if coding is Coding.GSM7:
        # The header takes its octets and the bits up to the next septet: 160 and 153.
        return octets * 8 // 7
    return octets


def _size(text: str, coding: Coding) -> int:
    measure = _measure(coding)
    return sum(measure(char) for char in text)


def _measure(coding: Coding) -> Callable[[str], int]:
    if coding is Coding.GSM7:
        return lambda char: 2 if char in _EXTENSION else 1
    return lambda char: len(encode(char, coding))


def _septets(char: str) -> tuple[int, ...]:
    if char in _EXTENSION:
        return _ESCAPE, _EXTENSION[char]
    return (_TO_SEPTET.get(char, _TO_SEPTET["?"]),)


def _from_septets(octets: bytes) -> str:
    text: list[str] = []
    escaped = False
    for value in octets:
        if escaped:
            # An unknown escape shows the basic character (section 6.2.1.1, note 1).
            text.append(_FROM_EXTENSION.get(value, _BASIC[value & 0x7F]))
            escaped = False
        elif value == _ESCAPE:
            escaped = True
        else:
            text.append(_BASIC[value] if value < len(_BASIC) else "\ufffd")
    return "".join(text)
