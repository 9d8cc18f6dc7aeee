"""The events by which the core is told, each for a leg that is found when it is told. Pure."""

from __future__ import annotations

from collections.abc import Callable

from channels.wechat.incoming import Located, MediaKind
from session.belonging import NameClaimed
from session.events import Event, FileReceived, HumanRequested, LegClosed, LocationReceived, NoteAdded, TextReceived
from session.ids import AssigneeId, LegId, MessageId
from session.ports import StoredFile
from session.state import LegEnd

Telling = Callable[[LegId], Event]


def wrote(text: str, message: MessageId) -> Telling:
    """The citizen wrote."""
    return lambda leg: TextReceived(leg=leg, message=message, text=text)


def placed(where: Located, message: MessageId) -> Telling:
    """The citizen said where it is."""
    place = where.place
    return lambda leg: LocationReceived(
        leg=leg, message=message, latitude=place.latitude, longitude=place.longitude, name=where.name
    )


def received(file: StoredFile, kind: MediaKind, message: MessageId) -> Telling:
    """The citizen's file is here."""
    return lambda leg: FileReceived(
        leg=leg,
        message=message,
        file=file.id,
        name=kind.shown,
        content_type=file.content_type,
        size_bytes=file.size_bytes,
    )


def late(kind: MediaKind, message: MessageId) -> Telling:
    """The citizen's file is still with WeChat."""
    return wrote(f"[{kind.shown}] 正在取回", MessageId(f"{message}-late"))


def lost(kind: MediaKind, message: MessageId) -> Telling:
    """The citizen's file will not come."""
    return wrote(f"[{kind.shown}] 未能取回，请对方重发或换一种格式", message)


def asked_for_human() -> Telling:
    """The citizen chose the button that asks for a person."""
    return lambda _: HumanRequested()


def left() -> Telling:
    """The citizen is gone."""
    return lambda leg: LegClosed(leg=leg, reason=LegEnd.HANGUP)


def called(name: str) -> Telling:
    """By which name they go here, of their own choice."""
    return lambda leg: NameClaimed(leg=leg, name=name)


def noted(by: str, text: str) -> Telling:
    """Something for the agent's eyes."""
    return lambda _: NoteAdded(by=AssigneeId(by), text=text)
