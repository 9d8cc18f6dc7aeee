"""The wire: msgpack `[version, tag, {fields}]`.

A tag is a promise to other processes and to every log already written, so tags are written by hand and never
reused; `tests/session/golden` pins the bytes. `at` is not inside: the store stamps it beside the bytes.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgpack

from session import belonging as bl
from session import effects as ef
from session import events as ev
from session.address import Address
from session.errors import YihaoError
from session.later import is_later
from session.state import Session

VERSION = 1
LARGEST_BYTES = 256 * 1024

EVENTS: Mapping[str, type[ev.Event]] = {
    "session.opened": ev.SessionOpened,
    "leg.opened": ev.LegOpened,
    "leg.away": ev.LegAway,
    "leg.back": ev.LegBack,
    "leg.closed": ev.LegClosed,
    "text.received": ev.TextReceived,
    "file.received": ev.FileReceived,
    "location.received": ev.LocationReceived,
    "text.sent": ev.TextSent,
    "file.sent": ev.FileSent,
    "notice.sent": ev.NoticeSent,
    "message.accepted": ev.MessageAccepted,
    "message.failed": ev.MessageFailed,
    "message.delivered": ev.MessageDelivered,
    "message.read": ev.MessageRead,
    "message.recalled": ev.MessageRecalled,
    "human.requested": ev.HumanRequested,
    "offer.made": ev.OfferMade,
    "offer.accepted": ev.OfferAccepted,
    "offer.declined": ev.OfferDeclined,
    "offer.expired": ev.OfferExpired,
    "offer.rescinded": ev.OfferRescinded,
    "offer.cancelled": ev.OfferCancelled,
    "legs.joined": ev.LegsJoined,
    "leg.held": ev.LegHeld,
    "leg.muted": ev.LegMuted,
    "hold.requested": ev.HoldRequested,
    "mute.requested": ev.MuteRequested,
    "digits.requested": ev.DigitsRequested,
    "call.begun": ev.CallBegun,
    "call.requested": ev.CallRequested,
    "dial.started": ev.DialStarted,
    "dial.failed": ev.DialFailed,
    "slot.granted": ev.SlotGranted,
    "slot.refused": ev.SlotRefused,
    "debt.merged": ev.DebtMerged,
    "contact.judged": ev.ContactJudged,
    "supervision.requested": ev.SupervisionRequested,
    "supervision.changed": ev.SupervisionChanged,
    "supervision.ended": ev.SupervisionEnded,
    "session.taken_over": ev.SessionTakenOver,
    "third.requested": ev.ThirdRequested,
    "confer.requested": ev.ConferRequested,
    "confer.changed": ev.ConferChanged,
    "third.ended": ev.ThirdEnded,
    "call.passed_on": ev.CallPassedOn,
    "call.parked": ev.CallParked,
    "digit.pressed": ev.DigitPressed,
    "voice_message.left": ev.VoiceMessageLeft,
    "place.announced": ev.PlaceAnnounced,
    "place.kept": ev.PlaceKept,
    "picture.requested": ev.PictureRequested,
    "link.sent": ev.LinkSent,
    "link.failed": ev.LinkFailed,
    "link.opened": ev.LinkOpened,
    "quality.measured": ev.QualityMeasured,
    "leg.silent": ev.LegSilent,
    "recording.started": ev.RecordingStarted,
    "recording.marked": ev.RecordingMarked,
    "recording.failed": ev.RecordingFailed,
    "recording.finished": ev.RecordingFinished,
    "session.parked": ev.SessionParked,
    "session.resumed": ev.SessionResumed,
    "session.transferred": ev.SessionTransferred,
    "contact.finished": ev.ContactFinished,
    "wrap.extended": ev.WrapExtended,
    "wrap.finished": ev.WrapFinished,
    "sessions.joined": bl.SessionsJoined,
    "joined.into": bl.JoinedInto,
    "sessions.split": bl.SessionsSplit,
    "split.from": bl.SplitFrom,
    "verification.asked": bl.VerificationAsked,
    "address.verified": bl.AddressVerified,
    "address.parted": bl.AddressParted,
    "address.revealed": bl.AddressRevealed,
    "name.claimed": bl.NameClaimed,
    "note.added": ev.NoteAdded,
    "rating.given": ev.RatingGiven,
    "assignee.away": ev.AssigneeAway,
    "assignee.back": ev.AssigneeBack,
    "timer.fired": ev.TimerFired,
}
EFFECTS: Mapping[str, type[ef.LegEffect]] = {
    "play": ef.Play,
    "announce_place": ef.AnnouncePlace,
    "offer_ways": ef.OfferWays,
    "take_message": ef.TakeMessage,
    "let_go": ef.LetGo,
    "ring": ef.Ring,
    "stop_ringing": ef.StopRinging,
    "dial": ef.Dial,
    "join": ef.Join,
    "hold": ef.Hold,
    "mute": ef.Mute,
    "press": ef.Press,
    "supervise": ef.Supervise,
    "call_third": ef.CallThird,
    "confer": ef.Confer,
    "deliver": ef.Deliver,
    "close_leg": ef.CloseLeg,
    "send_link": ef.SendLink,
}
SNAPSHOT = "session"
_TAGS: Mapping[type, str] = {kind: tag for table in (EVENTS, EFFECTS) for tag, kind in table.items()}


class WireError(YihaoError):
    """Bytes that are no value of ours. Never retried: they will not get better."""


class UnknownVersion(WireError):
    """Written by a newer process."""

    def __init__(self, version: object) -> None:
        self.version = version
        super().__init__(f"wire version {version!r} is not {VERSION}")


class UnknownTag(WireError):
    """A kind of value that this process does not know."""

    def __init__(self, tag: object) -> None:
        self.tag = tag
        super().__init__(f"unknown tag {tag!r}")


class Malformed(WireError):
    """Not the shape that its tag promises."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"malformed value: {what}")


def encode_event(event: ev.Event) -> bytes:
    """An event without its time."""
    kind: Any = type(event)
    return _pack(tag_of(event), _map(event, kind, _timeless(kind)))


def decode_event(data: bytes, at: float) -> ev.Event:
    """The event that `data` writes, stamped with the store's time. Raises `WireError`."""
    tag, values = _unpack(data)
    kind = EVENTS.get(tag)
    if kind is None:
        raise UnknownTag(tag)
    return typing.cast("ev.Event", _build(kind, {**values, "at": at}))


def encode_effect(effect: ef.LegEffect) -> bytes:
    """An effect, for the node that owns its leg."""
    return _pack(_TAGS[type(effect)], _plain(effect))


def decode_effect(data: bytes) -> ef.LegEffect:
    """The effect that `data` writes. Raises `WireError`."""
    tag, values = _unpack(data)
    kind = EFFECTS.get(tag)
    if kind is None:
        raise UnknownTag(tag)
    return typing.cast("ef.LegEffect", _build(kind, values))


def encode_session(session: Session) -> bytes:
    """The snapshot."""
    return _pack(SNAPSHOT, _plain(session))


def decode_session(data: bytes) -> Session:
    """The snapshot that `data` writes. Raises `WireError`."""
    tag, values = _unpack(data)
    if tag != SNAPSHOT:
        raise UnknownTag(tag)
    return typing.cast("Session", _build(Session, values))


def tag_of(value: ev.Event | ef.LegEffect) -> str:
    """The tag under which a value is written."""
    return _TAGS[type(value)]


_packer = msgpack.Packer(use_bin_type=True)
"""One for all: `packb` makes one for each value, with a buffer of 256 KiB."""


def _pack(tag: str, values: Mapping[str, Any]) -> bytes:
    return typing.cast("bytes", _packer.pack([VERSION, tag, values]))


def _unpack(data: bytes) -> tuple[str, Mapping[str, Any]]:
    if len(data) > LARGEST_BYTES:
        raise Malformed("too large")
    try:
        whole = msgpack.unpackb(data, raw=False, strict_map_key=True)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise Malformed("not msgpack") from error
    match whole:
        case [int() as version, str() as tag, dict() as values]:
            if version != VERSION:
                raise UnknownVersion(version)
            return tag, values
        case [int(), str(), []]:
            return whole[1], {}  # Lua cannot tell an empty map from an empty list
    raise Malformed("not [version, tag, fields]")


_SIMPLE = frozenset({str, int, float, bool, bytes, type(None)})


def _plain(value: Any) -> Any:
    """A value as msgpack has it. The commonest kinds come first: every commit of a session passes here."""
    kind: Any = type(value)
    if kind in _SIMPLE:
        return value
    if kind is tuple or kind is list:
        return [_plain(one) for one in value]
    names = _names(kind)
    if names is not None:
        return str(value) if kind is Address else _map(value, kind, names)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value.value if isinstance(value, Enum) else value


def _map(value: Any, kind: Any, names: tuple[str, ...]) -> Mapping[str, Any]:
    plain = {name: one if type(one := getattr(value, name)) in _SIMPLE else _plain(one) for name in names}
    for name, default in _later(kind):
        grown = getattr(value, name)
        if grown != default:
            plain[name] = _plain(grown)
    return plain


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """The fields of a dataclass that are always written; None for what is none."""
    return tuple(one.name for one in fields(kind) if not is_later(one)) if is_dataclass(kind) else None


@cache
def _timeless(kind: Any) -> tuple[str, ...]:
    """What is written of an event."""
    return tuple(name for name in _names(kind) or () if name != "at")


@cache
def _later(kind: Any) -> tuple[tuple[str, Any], ...]:
    """The fields that it has grown, each with the default that is not written."""
    return tuple((one.name, one.default) for one in fields(kind) if is_later(one))


def _build(kind: type, values: Mapping[str, Any]) -> Any:
    readers = _readers(kind)
    try:
        return kind(**{name: readers[name](value) for name, value in values.items()})
    except WireError:
        raise
    except (TypeError, ValueError, KeyError, YihaoError) as error:
        raise Malformed(kind.__name__) from error


@cache
def _readers(kind: type) -> Mapping[str, Callable[[Any], Any]]:
    hints = get_type_hints(kind)
    return {one.name: _reader(hints[one.name]) for one in fields(kind)}


def _reader(hint: Any) -> Callable[[Any], Any]:  # noqa: PLR0911 - one branch a shape of type
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = _reader(next(one for one in args if one is not types.NoneType))
        return lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _reader(args[0])
        return lambda value: tuple(item(one) for one in _as(list, value))
    if origin is not None:
        return lambda value: dict(value) if isinstance(value, dict) else {}
    if isinstance(hint, typing.NewType):
        return _reader(hint.__supertype__)
    if hint is Address:
        return lambda value: Address.parse(_as(str, value))
    if is_dataclass(hint):
        return lambda value: _build(typing.cast("type", hint), _as(dict, value))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is float:
        return lambda value: float(_as((int, float), value))
    return lambda value: _as(hint, value)


def _as(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise Malformed(f"{type(value).__name__} where {kind} belongs")
    return value
