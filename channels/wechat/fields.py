"""The body of a push, XML or JSON, as flat fields; guarded, since it is read before its sender is known.

What stands deeper gets a dotted name (`ScanCodeInfo.ScanType`). Of a name that comes again below the first level (a
list's items) the first value counts; on the first level it makes the whole push malformed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from xml.parsers import expat

from channels.wechat.errors import PushMalformed, PushTooLarge

LARGEST_BYTES = 64 * 1024
"""Of a push. A citizen's text has at most 2 KB; the compatible mode triples it."""
DEEPEST = 4
"""Below the root. WeChat goes as deep in SendPicsInfo.PicList.item.PicMd5Sum."""
MOST = 64
"""Elements of one push."""

Fields = Mapping[str, str]


def read_fields(body: bytes) -> Fields:
    """The fields of a body. Raises `PushTooLarge`, `PushMalformed`."""
    if len(body) > LARGEST_BYTES:
        raise PushTooLarge(LARGEST_BYTES)
    return _of_json(body) if is_json(body) else _Reader().read(body)


def is_json(body: bytes) -> bool:
    """Which of the two formats the account's page was set to."""
    return body.lstrip()[:1] == b"{"


class _Reader:
    """One pass of expat, which stops at the first thing that no push has.

    A DTD is refused where it begins, before any entity of it is known; so entities need no bound. The text "<!" is
    not looked for: it is a citizen's good right to write it, and a push that is refused is a message that is lost.
    """

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._elements = 0

    def read(self, body: bytes) -> Fields:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse
        parser.ProcessingInstructionHandler = self._refuse
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError):  # LookupError: an encoding that nobody has
            raise PushMalformed("its XML") from None
        return self._fields

    def _refuse(self, *_: object) -> int:
        raise PushMalformed("a DTD or an instruction")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MOST or len(self._path) > DEEPEST or attributes:
            raise PushMalformed("too much of it")
        self._path.append(name)
        self._text.clear()

    def _end(self, _: str) -> None:
        if len(self._path) > 1:
            _keep(self._fields, self._path[1:], "".join(self._text).strip())
        self._path.pop()
        self._text.clear()


def _of_json(body: bytes) -> Fields:
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError):
        raise PushMalformed("its JSON") from None
    found: dict[str, str] = {}
    for number, (path, value) in enumerate(_leaves(whole, []), 1):
        if number > MOST:
            raise PushMalformed("too much of it")
        _keep(found, path, value)
    return found


def _leaves(value: object, path: list[str]) -> Iterator[tuple[list[str], str]]:
    if len(path) > DEEPEST:
        raise PushMalformed("too much of it")
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, [*path, str(name)])
        case list():
            for inner in value:
                yield from _leaves(inner, [*path, "item"])
        case str():
            yield path, value
        case bool() | None:
            yield path, ""
        case int():
            yield path, str(value)
        case _:
            yield path, repr(value)


def _keep(found: dict[str, str], path: list[str], value: str) -> None:
    name = ".".join(path)
    if name not in found:
        found[name] = _printable(value)
    elif len(path) == 1:
        raise PushMalformed("a field that stands there twice")


def _printable(text: str) -> str:
    """JSON can write halves of characters and NUL, which neither UTF-8 nor a database can."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
