"""A document: frozen, read strictly from JSON, and always written alike, so that versions can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from rulebook.errors import DocumentMalformed

LARGEST_BYTES = 1024 * 1024
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}\Z")]
"""As agents' queues and skills are named: nobody could serve another."""
Title = Annotated[str, Meta(min_length=1, max_length=64)]
Line = Annotated[str, Meta(max_length=64)]


class Document(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one version of one kind says. A field that is not ours is a slip of the pen, and refused."""


_D = TypeVar("_D", bound=Document)


def read(kind: str, form: type[_D], body: str | bytes) -> _D:
    """The document that this JSON is. Raises `DocumentMalformed`."""
    if len(body) > LARGEST_BYTES:
        raise DocumentMalformed(kind, "$", "larger than a megabyte")
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        fault, _, at = str(error).partition(" - at `")
        raise DocumentMalformed(kind, at.rstrip("`") or "$", fault) from error


def written(document: Document) -> str:
    """The document as JSON for people: every field, in its order, on a line of its own."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def once(names: Iterable[str], what: str) -> None:
    """Raises `ValueError` where a name stands twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} {name!r} stands twice")
        seen.add(name)
