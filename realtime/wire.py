"""Frames to JSON and back. Reading is strict: what is unknown, missing, too long or of another type is refused.

Readers and writers are made once a class, from its annotations, and kept: a gateway reads tens of thousands a second.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, NoReturn, Union, cast, get_args, get_origin, get_type_hints

from realtime.errors import BadField, FrameRefused, NotAFrame, UnknownFrame
from realtime.messages import Frame, Number, Text

_WRITER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":"))
_ID = re.compile(r"[0-9A-Z]{26}\Z")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_READER = json.JSONDecoder(parse_constant=_no_constant)


def encode(frame: Frame) -> bytes:
    """The frame's JSON object. A durable one still lacks its number: see `numbered`."""
    return _WRITER.encode({"t": frame.t, **_plain_fields(frame)}).encode("utf-8", "replace")


def numbered(body: bytes, seq: int) -> bytes:
    """The JSON object of a durable frame with its number. The same body goes to several links, numbers differ."""
    return b'{"seq":%d,%b' % (seq, body[1:])


def decode(text: str, kinds: Mapping[str, type[Frame]]) -> Frame:
    """The frame that `text` writes. Raises `FrameRefused`."""
    try:
        whole = _READER.decode(text)
    except RecursionError as error:
        raise NotAFrame("too deep") from error
    except ValueError as error:
        raise NotAFrame("no JSON") from error
    if not isinstance(whole, dict):
        raise NotAFrame("no object")
    tag = whole.pop("t", None)
    if not isinstance(tag, str):
        raise NotAFrame("no kind")
    kind = kinds.get(tag)
    try:
        if kind is None:
            raise UnknownFrame
        return _build(kind, whole)
    except FrameRefused as refused:
        refused.command_id, refused.cseq = _command_of(whole)
        raise


def _command_of(whole: Mapping[str, object]) -> tuple[str, int | None]:
    """Which command a refused frame was, as far as can be told."""
    given, cseq = whole.get("id"), whole.get("cseq")
    known = given if isinstance(given, str) and _ID.match(given) else ""
    return known, cseq if type(cseq) is int and cseq >= 0 else None


# --- writing --------------------------------------------------------------------------------------------------------


def wire_name(field_name: str) -> str:
    """A field's key in JSON: without the underscore that keeps it from being a Python keyword."""
    return field_name.removesuffix("_")


_Plain = Callable[[Any], Any]


def _plain_fields(value: Any) -> dict[str, Any]:
    kind: type = type(value)
    return {
        key: getattr(value, name) if plain is None else plain(getattr(value, name))
        for key, name, plain in _written(kind)
    }


@cache
def _written(kind: type) -> tuple[tuple[str, str, _Plain | None], ...]:
    """The fields of a class: key, name, and how to make the value plain; None for what JSON takes as it is."""
    hints = get_type_hints(kind)
    return tuple((wire_name(one.name), one.name, _plainer(hints[one.name])) for one in fields(kind))


def _plainer(hint: Any) -> _Plain | None:
    """Only what may hold an object, a list or a map has to be looked at when it is written."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    is_plain = all(one in (str, int, float, bool, types.NoneType) or get_origin(one) is Literal for one in options)
    return None if is_plain else _plain


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict | Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if is_dataclass(value):
        plain = _plain_fields(value)
        kind = getattr(type(value), "kind", None)
        return {"kind": kind, **plain} if isinstance(kind, str) else plain
    raise TypeError(f"{type(value).__name__} has no JSON")


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    required: bool
    read: Callable[[Any], Any]


class _Unfit(Exception):
    """A value that does not fit its field; becomes a `BadField`, which knows the field's name."""

    def __init__(self, why: str, *, too_long: bool = False) -> None:
        self.too_long = too_long
        super().__init__(why)


def _build(kind: type, values: dict[str, Any]) -> Frame:
    readers = _readers(kind)
    if not readers.keys() >= values.keys():
        raise BadField("(unknown)", "is none of this frame's")
    given = {}
    for key, one in readers.items():
        if key in values:
            try:
                given[one.name] = one.read(values[key])
            except _Unfit as unfit:
                raise BadField(key, str(unfit), too_long=unfit.too_long) from None
        elif one.required:
            raise BadField(key, "is missing")
    return cast(Frame, kind(**given))


@cache
def _readers(kind: type) -> Mapping[str, _Field]:
    hints = get_type_hints(kind, include_extras=True)
    return {
        wire_name(one.name): _Field(
            one.name, one.default is MISSING and one.default_factory is MISSING, _reader(hints[one.name])
        )
        for one in fields(kind)
    }


def _reader(hint: Any) -> Callable[[Any], Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _text(args[1]) if isinstance(args[1], Text) else _number(args[0], args[1])
    if origin in (Union, types.UnionType):
        inner = _reader(next(one for one in args if one is not types.NoneType))
        return lambda value: None if value is None else inner(value)
    if origin is Literal:
        return _choice(args)
    if hint is bool:
        return _flag
    if hint is int:
        return _number(int, Number(0, 2**31 - 1))
    raise TypeError(f"no field of a page's frame may be {hint!r}: it has no bounds")


def _text(bounds: Text) -> Callable[[Any], str]:
    whole = re.compile(bounds.pattern, re.DOTALL).fullmatch if bounds.pattern else None

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise _Unfit("is no text")
        if not bounds.least <= len(value) <= bounds.most:
            raise _Unfit("is too long or too short", too_long=len(value) > bounds.most)
        if not value.isascii():
            _refuse_surrogates(value)
        if "\0" in value or (whole and not whole(value)):
            raise _Unfit("is not of the form")
        return value

    return read


def _refuse_surrogates(value: str) -> None:
    """JSON can write half of a character, which no other encoding can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _Unfit("has half a character") from None


def _number(kind: type, bounds: Number) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int if kind is int else (int, float)):
            raise _Unfit("is no number of the kind")
        if not bounds.least <= value <= bounds.most:
            raise _Unfit("is out of bounds")
        return value

    return read


def _choice(options: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in options:
            raise _Unfit("is none of the choices")
        return value

    return read


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("is neither true nor false")
    return value
