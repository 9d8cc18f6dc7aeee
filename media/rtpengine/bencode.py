"""Bencoding, in which rtpengine is spoken to: numbers, octets, lists, and tables in the order of their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = int | bytes | list["Value"] | dict[str, "Value"]
Said = int | str | bytes | Sequence["Said"] | Mapping[str, "Said"]

_DEEPEST = 16
_LONGEST_NUMBER = 20


class Cut(ValueError):
    """The octets end before the value does."""


def encoded(value: Said) -> bytes:
    """A value as it goes onto the wire."""
    match value:
        case bool() | int():
            return b"i%de" % value
        case str():
            return encoded(value.encode())
        case bytes():
            return b"%d:%s" % (len(value), value)
        case Mapping():
            return b"d%se" % b"".join(encoded(key) + encoded(value[key]) for key in sorted(value))
        case _:
            return b"l%se" % b"".join(map(encoded, value))


def decoded(data: bytes, at: int = 0, depth: int = 0) -> tuple[Value, int]:
    """The value that begins at a place, and where it ends. Raises `Cut`, and `ValueError` for what is none."""
    if depth > _DEEPEST:
        raise ValueError("too deep")
    kind = data[at : at + 1]
    if kind == b"i":
        return _number(data, at + 1, b"e")
    if kind in {b"l", b"d"}:
        found: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            value, at = decoded(data, at, depth + 1)
            found.append(value)
        return (found if kind == b"l" else _table(found)), at + 1
    if not kind:
        raise Cut
    length, at = _number(data, at, b":")
    if not 0 <= length <= len(data) - at:
        raise Cut if length >= 0 else ValueError("a negative length")
    return data[at : at + length], at + length


def _number(data: bytes, at: int, end: bytes) -> tuple[int, int]:
    stop = data.find(end, at, at + _LONGEST_NUMBER)
    if stop < 0:
        raise Cut if len(data) - at < _LONGEST_NUMBER else ValueError("no number")
    return int(data[at:stop]), stop + 1


def _table(found: list[Value]) -> dict[str, Value]:
    if len(found) % 2:
        raise ValueError("a key without a value")
    return {_key(key): value for key, value in zip(found[::2], found[1::2], strict=True)}


def _key(value: Value) -> str:
    if not isinstance(value, bytes):
        raise ValueError("a key that is no text")  # noqa: TRY004 - it is the octets that are wrong
    return value.decode("utf-8", "replace")
