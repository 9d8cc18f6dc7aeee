"""What a pulled message says, in our words. Pure: WeCom's fields die here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.wechat.calls import Json
from channels.wechat.errors import PushMalformed
from channels.wechat.incoming import (
    LONGEST_TEXT,
    Incoming,
    MediaKind,
    Noticed,
    Said,
    Scanned,
    SentMedia,
    Word,
    located,
)
from session.ids import MessageId

_ID = re.compile(r"[A-Za-z0-9_\-]{1,128}\Z")
_MEDIA = re.compile(r"[A-Za-z0-9_\-]{1,512}\Z")
_CITIZEN, _SYSTEM = 3, 4
_LONGEST_FIELD = 300


@dataclass(frozen=True, slots=True)
class Pulled:
    """One message. `welcome` is the code by which its sender may be greeted."""

    incoming: Incoming
    welcome: str = ""


def read(message: Json) -> Pulled:
    """What it says; a type that nobody knows is shown as such. Raises `PushMalformed`."""
    kind, origin = _text(message, "msgtype"), message.get("origin")
    inner = _inner(message, kind)
    citizen = _text(message, "external_userid") or _text(inner, "external_userid")
    number = _text(message, "msgid")
    if not _ID.match(citizen) or not _ID.match(number):
        raise PushMalformed("external_userid or msgid")
    name = MessageId(f"kf-{number}")
    if kind == "event":
        return Pulled(Incoming(citizen, name, _event(inner)), _text(inner, "welcome_code"))
    word = _word(kind, inner)
    if origin not in (_CITIZEN, _SYSTEM):
        said = word.text if isinstance(word, Said) else f"[{kind[:32]}]"
        word = Noticed(f"企业微信接待人员：{said}")
    return Pulled(Incoming(citizen, name, word))


def _word(kind: str, inner: Json) -> Word:
    media = _text(inner, "media_id")
    word: Word = Said(f"[暂不支持的消息类型 {kind[:32]}]")
    match kind:
        case "text":
            word = Said(_text(inner, "content")[:LONGEST_TEXT] or "[空消息]")
        case "image" | "voice" | "video" if _MEDIA.match(media):
            word = SentMedia(MediaKind(kind), media)
        case "location":
            name = f"{_short(inner, 'name')} {_short(inner, 'address')}".strip()
            word = located(inner.get("latitude"), inner.get("longitude"), name)
        case "link":
            word = Said(" ".join(filter(None, ("[链接]", *(_short(inner, one) for one in ("title", "desc", "url"))))))
    return word


def _event(inner: Json) -> Word:
    match _text(inner, "event_type"):
        case "enter_session":
            scene = _text(inner, "scene_param")[:128]
            return Scanned(scene, frees=False) if scene else Noticed("进入了微信客服")
        case "msg_send_fail":
            return Noticed(f"微信客服消息未送达（{inner.get('fail_type')}）")
    return Noticed(f"微信客服事件 {_text(inner, 'event_type')[:64]}")


def _inner(message: Json, kind: str) -> Json:
    inner = message.get(kind)
    return inner if isinstance(inner, dict) else {}


def _short(inner: Json, name: str) -> str:
    return _text(inner, name)[:_LONGEST_FIELD]


def _text(fields: Json, name: str) -> str:
    """Halves of characters and NUL are not for databases."""
    value = fields.get(name)
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd") if isinstance(value, str) else ""
