"""Dataclasses as JSON, read, written and described (JSON Schema 2020-12): one source for API and document. Pure.

What is read may have fields that nobody knows: a newer client's are passed over. What is written has a key for each
field, null where there is nothing.
"""

from __future__ import annotations

import json
import re
import types
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from msgspec import Meta

from realtime.messages import wire_name

Kind = TypeVar("Kind")
Schema = dict[str, Any]

_DEEPEST = 16


class Unfit(ValueError):
    """A value that does not fit. `where` is a JSON Pointer (RFC 6901) to it; the value itself is not repeated."""

    def __init__(self, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(f"{where or '/'} {why}")


# --- reading --------------------------------------------------------------------------------------------------------


def parsed(body: bytes) -> object:
    """The JSON value that a body writes (RFC 8259). Raises `Unfit`."""
    try:
        value = json.loads(body, parse_constant=_no_constant)
    except RecursionError as error:
        raise Unfit("", "is too deep") from error
    except ValueError as error:
        raise Unfit("", "is no JSON") from error
    if _depth_over(value, _DEEPEST):
        raise Unfit("", "is too deep")
    return cast("object", value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _depth_over(value: object, most: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return most == 0 or any(_depth_over(one, most - 1) for one in inner)


def read(kind: type[Kind], value: object, where: str = "") -> Kind:
    """The dataclass that a JSON object says. Raises `Unfit`."""
    if not isinstance(value, dict):
        raise Unfit(where, "must be an object")
    given = {}
    for one, hint in _hinted(cast("Any", kind)):
        key = wire_name(one.name)
        if key in value:
            given[one.name] = _read(hint, value[key], f"{where}/{key}")
        elif _is_required(one):
            raise Unfit(f"{where}/{key}", "is missing")
    return kind(**given)


def _read(hint: Any, value: object, where: str) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _text(args[1], value, where) if args[0] is str else _number(args[0], args[1], value, where)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(_something(args), value, where)
    if origin is Literal:
        if not isinstance(value, str) or value not in args:
            raise Unfit(where, f"must be one of {', '.join(map(str, args))}")
        return value
    if is_dataclass(hint):
        return read(cast("type[Any]", hint), value, where)
    if hint is bool:
        if not isinstance(value, bool):
            raise Unfit(where, "must be true or false")
        return value
    raise TypeError(f"nothing that is read may be {hint!r}: it has no bounds")


def _text(bounds: Meta, value: object, where: str) -> str:
    least, most = bounds.min_length or 0, bounds.max_length or 0
    if not isinstance(value, str):
        raise Unfit(where, "must be a text")
    if not least <= len(value) <= most:
        raise Unfit(where, f"must have {least} to {most} characters")
    is_whole = "\0" not in value and not re.search("[\ud800-\udfff]", value)
    if not is_whole or (bounds.pattern and not re.search(bounds.pattern, value)):
        raise Unfit(where, "is not of the form")
    return value


def _number(kind: type, bounds: Meta, value: object, where: str) -> int | float:
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # 3.0 is a whole number in JSON Schema (2020-12, section 6.1.1 of its validation)
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise Unfit(where, "must be a whole number" if kind is int else "must be a number")
    least, most = bounds.ge or 0, bounds.le or 0
    if not least <= value <= most:
        raise Unfit(where, f"must be from {least:g} to {most:g}")
    return value


# --- writing --------------------------------------------------------------------------------------------------------


def written(value: object) -> bytes:
    """The JSON of a dataclass."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if is_dataclass(value):
        return {wire_name(one.name): plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return value


# --- describing -----------------------------------------------------------------------------------------------------


def schema(kind: type, known: dict[str, Schema], *, is_read: bool) -> Schema:
    """A reference to the schema of a dataclass, which is put among `known` with all that it needs.

    Of what is read, a field with a default may be left out; of what is written, none is.
    """
    name = kind.__name__
    if name not in known:
        known[name] = {}  # so that one that holds itself would end
        properties, required = {}, []
        for one, hint in _hinted(kind):
            key = wire_name(one.name)
            properties[key] = _schema(hint, known, is_read=is_read)
            if not is_read or _is_required(one):
                required.append(key)
        known[name] |= {"type": "object", "description": " ".join((kind.__doc__ or "").split())}
        known[name] |= {"properties": properties, "required": required}
    return {"$ref": f"#/components/schemas/{name}"}


def _schema(hint: Any, known: dict[str, Schema], *, is_read: bool) -> Schema:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _bounded(args[0], args[1])
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(one, known, is_read=is_read) for one in args]}
    if origin is Literal:
        return {"type": "string", "enum": list(args)} if len(args) > 1 else {"type": "string", "const": args[0]}
    if origin is tuple:
        return {"type": "array", "items": _schema(args[0], known, is_read=is_read)}
    if is_dataclass(hint):
        return schema(cast("type", hint), known, is_read=is_read)
    return {"type": {bool: "boolean", int: "integer", float: "number", str: "string", types.NoneType: "null"}[hint]}


def _bounded(kind: type, bounds: Meta) -> Schema:
    if kind is not str:
        return {"type": "integer" if kind is int else "number", "minimum": bounds.ge, "maximum": bounds.le}
    found: Schema = {"type": "string", "minLength": bounds.min_length or 0, "maxLength": bounds.max_length}
    if bounds.pattern:
        # JSON Schema's patterns are ECMA's, which writes the ends of the whole text so.
        found["pattern"] = bounds.pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return found


@cache
def _hinted(kind: Any) -> tuple[tuple[Field[Any], Any], ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple((one, hints[one.name]) for one in fields(kind))


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _something(options: tuple[Any, ...]) -> Any:
    """The one that is not None."""
    return next(one for one in options if one is not types.NoneType)
