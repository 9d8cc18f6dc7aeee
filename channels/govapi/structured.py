"""Structured Fields (RFC 9651), as far as signatures need them: dictionaries of inner lists and of byte sequences.

Reading is strict and knows nothing of what signatures do not use (decimals, dates, nested items). Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 4096
"""Of one field, in characters."""

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+\-.^_`|~:/0-9A-Za-z]*")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")

Bare = str | int | bytes | bool
"""A string, an integer, a byte sequence or a boolean; tokens are read as strings."""


class NotStructured(ValueError):
    """A field that is none, or has what signatures do not use."""


@dataclass(frozen=True, slots=True)
class InnerList:
    """`("@method" "@path");created=1` (section 3.1.1): its strings, and its parameters in their order."""

    items: tuple[str, ...]
    parameters: Mapping[str, Bare]

    def __str__(self) -> str:
        items = " ".join(quoted(item) for item in self.items)
        return f"({items}){''.join(f';{name}{_valued(value)}' for name, value in self.parameters.items())}"


Member = InnerList | Bare


def quoted(text: str) -> str:
    """A string (section 4.1.6)."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encoded(value: bytes) -> str:
    """A byte sequence (section 4.1.8)."""
    return f":{base64.b64encode(value).decode()}:"


def _valued(value: Bare) -> str:
    match value:
        case True:
            return ""
        case str():
            return f"={quoted(value)}"
        case bytes():
            return f"={encoded(value)}"
    return "=?0" if value is False else f"={value}"


def dictionary(text: str) -> dict[str, Member]:
    """A dictionary (section 4.2.2). Raises `NotStructured`."""
    if len(text) > LONGEST or not text.isascii():
        raise NotStructured("too long, or not in ASCII")
    return _Reader(text.strip(" ")).dictionary()


def string(text: str) -> str:
    """An item that is a string (section 4.2.5), without parameters. Raises `NotStructured`."""
    found = _STRING.fullmatch(text.strip(" ")) if len(text) <= LONGEST else None
    if found is None:
        raise NotStructured("no string")
    return _unescaped(found[1])


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


class _Reader:
    """Reads from the left; each method takes what it reads off the text."""

    def __init__(self, text: str) -> None:
        self._rest = text

    def dictionary(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        while self._rest:
            key = self._take(_KEY)[0]
            members[key] = self._member() if self._skip("=") else True
            self._blanks(" \t")
            if not self._rest:
                break
            if not self._skip(","):
                raise NotStructured("no comma between members")
            self._blanks(" \t")
            if not self._rest:
                raise NotStructured("a comma at the end")
        return members

    def _member(self) -> Member:
        if self._rest.startswith("("):
            return self._inner_list()
        value = self._bare()
        if self._parameters():
            raise NotStructured("parameters where signatures have none")
        return value

    def _inner_list(self) -> InnerList:
        self._rest = self._rest[1:]
        items: list[str] = []
        self._blanks(" ")
        while not self._skip(")"):
            item = self._bare()
            if not isinstance(item, str):
                raise NotStructured("an item that is no string")
            items.append(item)
            if not self._rest.startswith((" ", ")")):
                raise NotStructured("parameters of an item, or no blank after it")
            self._blanks(" ")
        return InnerList(tuple(items), self._parameters())

    def _parameters(self) -> dict[str, Bare]:
        found: dict[str, Bare] = {}
        while self._skip(";"):
            self._blanks(" ")
            key = self._take(_KEY)[0]
            found.pop(key, None)  # the last one counts, and stands where it was written last (section 4.2.3.2)
            found[key] = self._bare() if self._skip("=") else True
        return found

    def _bare(self) -> Bare:
        match self._rest[:1]:
            case '"':
                return _unescaped(self._take(_STRING)[1])
            case ":":
                try:
                    return base64.b64decode(self._take(_BYTES)[1], validate=True)
                except binascii.Error as error:
                    raise NotStructured("bytes that are none") from error
            case "?":
                flag, self._rest = self._rest[:2], self._rest[2:]
                if flag not in ("?0", "?1"):
                    raise NotStructured("no boolean")
                return flag == "?1"
        if self._rest[:1].isdigit() or self._rest.startswith("-"):
            return int(self._take(_INTEGER)[0])
        return self._take(_TOKEN)[0]

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._rest)
        if found is None:
            raise NotStructured(f"something else at {self._rest[:1]!r}")
        self._rest = self._rest[found.end() :]
        return found

    def _skip(self, one: str) -> bool:
        if not self._rest.startswith(one):
            return False
        self._rest = self._rest[1:]
        return True

    def _blanks(self, which: str) -> None:
        self._rest = self._rest.lstrip(which)
