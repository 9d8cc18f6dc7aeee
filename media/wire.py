"""What crosses the pipe between the gateway and a process that carries sound: msgpack, behind its length.

Both ends are of one release, the one having started the other: so nothing here is a promise, and a value is known by
its place in a list.
"""

from __future__ import annotations

import struct
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from media import errors
from media.g711 import Law
from session.audio import (
    Announcement,
    AudioCapabilities,
    AudioGone,
    AudioLost,
    AudioQuality,
    AudioStats,
    DigitHeard,
    PlaybackEnded,
    RecordingResult,
    Secrecy,
    Slot,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 64 * 2**20
"""All announcements under both laws, with ten minutes of music, are a third of it."""

_LENGTH = struct.Struct("!I")
_USUAL_BYTES = 4_096
"""Room that is made for a value: msgpack's own quarter of a megabyte costs more than the packing."""


UNANSWERED = 0
"""A command's number, where nobody waits for the reply."""


class Command(NamedTuple):
    """Something to be done: a method of the port by its name, of the engine itself where `call` is 0."""

    number: int
    call: int
    name: str
    arguments: tuple[Any, ...]
    named: dict[str, Any]


class Reply(NamedTuple):
    """What came of a command: its result, or the error that it raised."""

    number: int
    value: Any
    error: errors.MediaError | None = None


class Happened(NamedTuple):
    """One of a call's events."""

    call: int
    event: Any


Message = Command | Reply | Happened

_RECORDS: tuple[type, ...] = (
    Command, Reply, Happened, Announcement, AudioCapabilities, AudioStats, AudioQuality, RecordingResult, DigitHeard,
    PlaybackEnded, AudioLost, AudioGone,
)  # fmt: skip
_WORDS: tuple[type[Any], ...] = (Slot, Secrecy, Law, Path)
_CLOSED: tuple[type[Slot | Secrecy | Law], ...] = (Slot, Secrecy, Law)
"""Words of which there are few."""
_ERRORS: tuple[type[errors.MediaError], ...] = (
    errors.AudioRefused, errors.SdpInvalid, errors.NotNegotiated, errors.EngineFull, errors.EngineLost,
    errors.EngineFailed, errors.NoPortFree, errors.CannotRecord, errors.CannotAnnounce,
)  # fmt: skip
_KINDS: tuple[type[Any], ...] = (*_RECORDS, *_WORDS, *_ERRORS)
_CODES = {kind: code for code, kind in enumerate(_KINDS)}
_NAMES: dict[type, tuple[str, ...]] = {
    kind: tuple(one.name for one in fields(kind)) for kind in _RECORDS if is_dataclass(kind)
}


def packed(message: Message) -> bytes:
    """A message as it goes onto the pipe."""
    body = _pack([_CODES[type(message)], *message])
    return _LENGTH.pack(len(body)) + body


def cut(unread: bytearray) -> Iterator[Message]:
    """The messages that are whole in what has come; they are taken out of it. Raises `EngineLost` for one too long."""
    while len(unread) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(unread)
        if length > MOST_BYTES:
            raise errors.EngineLost
        end = _LENGTH.size + length
        if len(unread) < end:
            return
        body = unread[_LENGTH.size : end]
        del unread[:end]
        code, *content = _unpack(body)
        message: Message = _RECORDS[code](*content)
        yield message


def _pack(value: object) -> bytes:
    # Strict, so that a word such as `Slot.AGENT` is not mistaken for the text that it also is.
    data: bytes = msgpack.Packer(default=_marked, strict_types=True, buf_size=_USUAL_BYTES).pack(value)
    return data


def _unpack(data: bytes | bytearray) -> Any:
    return msgpack.unpackb(data, ext_hook=_known, use_list=False, strict_map_key=False, max_ext_len=MOST_BYTES)


def _marked(value: object) -> object:
    if type(value) is tuple:
        return list(value)
    words = _MARKED.get(type(value))
    if words is not None:
        return words[value]
    kind: type[Any] = type(value)
    if kind not in _CODES:
        kind = next(each for each in kind.__mro__ if each in _CODES)
    if kind in _NAMES:
        content: object = [getattr(value, name) for name in _NAMES[kind]]
    elif kind in _ERRORS:
        content = list(vars(value).values())  # an error keeps what it was made of, in that order
    else:
        content = str(value)
    return msgpack.ExtType(_CODES[kind], _pack(content))


def _known(code: int, data: bytes) -> Any:
    word = _SAID.get((code, data))
    if word is not None:
        return word
    kind, content = _KINDS[code], _unpack(data)
    return kind(content) if kind in _WORDS else kind(*content)


_MARKED: dict[type, dict[Any, msgpack.ExtType]] = {
    kind: {word: msgpack.ExtType(_CODES[kind], _pack(word.value)) for word in kind} for kind in _CLOSED
}
_SAID = {tuple(marked): word for words in _MARKED.values() for word, marked in words.items()}
