"""What a push says, in our words. Pure: WeChat's fields die here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from channels.wechat.errors import PushMalformed
from channels.wechat.fields import Fields
from channels.wechat.place import Place, read_place
from session.ids import MessageId

_OPENID = re.compile(r"[A-Za-z0-9_\-]{1,64}\Z")
_ID = re.compile(r"[A-Za-z0-9_\-]{1,64}\Z")
_TIME = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_MEDIA = re.compile(r"[A-Za-z0-9_\-]{1,256}\Z")

_TELLING = ("FromUserName", "CreateTime", "MsgType", "Event", "EventKey", "MsgID", "MediaId", "Content")
"""The same in each try of one push. Not all fields are: the compatible mode seals each try anew, as `Encrypt`."""

LONGEST_TEXT = 16_000
"""In characters; a citizen's own text has at most 2,048 bytes."""
LONGEST_KEY = 128
_LONGEST_FIELD = 300


class MediaKind(StrEnum):
    """A file's kind, named as in WeChat's `MsgType` and `type`."""

    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"

    @property
    def shown(self) -> str:
        """As people are told."""
        return {"image": "图片", "voice": "语音", "video": "视频"}[self.value]


@dataclass(frozen=True, slots=True)
class Said:
    """The citizen wrote, or sent what can only be shown as text."""

    text: str


@dataclass(frozen=True, slots=True)
class SentMedia:
    """The citizen sent a file, which is with WeChat for three days."""

    kind: MediaKind
    media: str
    heard: str = ""
    """What WeChat's own recognition understood of a voice, where the account has it switched on."""


@dataclass(frozen=True, slots=True)
class Located:
    """The citizen said where it is; `name` is what their telephone calls the place."""

    place: Place
    name: str


@dataclass(frozen=True, slots=True)
class Followed:
    """The citizen follows the account now; by a QR code of ours if there is a scene."""

    scene: str


@dataclass(frozen=True, slots=True)
class Scanned:
    """A follower scanned a QR code of ours. `frees`: it allows messages."""

    scene: str
    frees: bool = True


@dataclass(frozen=True, slots=True)
class Clicked:
    """The citizen chose a button of the menu that has a key."""

    key: str


@dataclass(frozen=True, slots=True)
class Left:
    """The citizen follows the account no more: nothing can be sent to them."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something that nobody said, worth a line where a session runs. `frees`: it allows messages, as a scan does."""

    what: str
    frees: bool = False


Word = Said | SentMedia | Located | Followed | Scanned | Clicked | Left | Noticed


@dataclass(frozen=True, slots=True)
class Incoming:
    """One push's meaning. `id` is the same for each of WeChat's tries, and nobody else's."""

    openid: str
    id: MessageId
    word: Word


def read(fields: Fields) -> Incoming:
    """What the push says; a type that nobody knows is shown as such. Raises `PushMalformed`."""
    openid, kind = fields.get("FromUserName", ""), fields.get("MsgType", "")
    if not _OPENID.match(openid):
        raise PushMalformed("FromUserName")
    if not kind:
        raise PushMalformed("MsgType")
    if not _TIME.match(fields.get("CreateTime", "")):
        raise PushMalformed("CreateTime")
    word = _event(fields) if kind == "event" else _message(kind, fields)
    return Incoming(openid, MessageId(_id(fields)), word)


def _id(fields: Fields) -> str:
    """WeChat's own where it has one: an event has none, and is known by its sender, second, kind and key."""
    given = fields.get("MsgId", "")
    if _ID.match(given):
        return f"wx-{given}"
    parts = "\n".join(fields.get(name, "") for name in _TELLING)
    return f"wx-{hashlib.sha256(parts.encode()).hexdigest()[:32]}"


def _message(kind: str, fields: Fields) -> Word:
    media = fields.get("MediaId", "")
    word: Word = Said(f"[暂不支持的消息类型 {kind[:32]}]")
    match kind:
        case "text":
            word = Said(_cut(fields.get("Content", "")) or "[空消息]")
        case "image" | "video" if _MEDIA.match(media):
            word = SentMedia(MediaKind(kind), media)
        case "shortvideo" if _MEDIA.match(media):
            word = SentMedia(MediaKind.VIDEO, media)
        case "voice" if _MEDIA.match(media):
            word = SentMedia(MediaKind.VOICE, media, _cut(fields.get("Recognition", "")))
        case "location":
            latitude, longitude = _field(fields, "Location_X"), _field(fields, "Location_Y")
            word = located(latitude, longitude, _field(fields, "Label"))
        case "link":
            word = Said(_joined("[链接]", fields, "Title", "Description", "Url"))
        case "file":
            word = Said(_joined("[文件]", fields, "Title", "Description"))
    return word


def located(latitude: object, longitude: object, name: str) -> Word:
    """A place; what is none is shown as it came."""
    place = read_place(latitude, longitude)
    return Said(f"[位置] {name} ({latitude},{longitude})") if place is None else Located(place, name)


def _event(fields: Fields) -> Word:
    name, key = fields.get("Event", ""), fields.get("EventKey", "")[:LONGEST_KEY]
    word: Word = Noticed(f"微信事件 {name[:64]}")
    match name:
        case "subscribe":
            word = Followed(key.removeprefix("qrscene_") if key.startswith("qrscene_") else "")
        case "unsubscribe":
            word = Left()
        case "SCAN":
            word = Scanned(key)
        case "CLICK":
            word = Clicked(key)
        case "VIEW" | "view_miniprogram":
            word = Noticed(f"打开了菜单链接 {key}")
        case "scancode_push" | "scancode_waitmsg":
            word = Noticed(_joined(f"用菜单扫码 {key}", fields, "ScanCodeInfo.ScanResult"), frees=True)
        case "LOCATION":
            word = Noticed(_joined("上报了位置", fields, "Latitude", "Longitude"))
    return word


def _joined(what: str, fields: Fields, *names: str) -> str:
    return " ".join(filter(None, (what, *(_field(fields, name) for name in names))))


def _field(fields: Fields, name: str) -> str:
    return fields.get(name, "")[:_LONGEST_FIELD]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…（过长，已截断）"
