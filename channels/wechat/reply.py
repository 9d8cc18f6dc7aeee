"""What answers a push: nothing more to say, or a text that costs no message of the budget (被动回复). Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping

from channels.wechat.push import Push
from channels.wechat.signature import sign

DONE = "success"
"""Taken; WeChat does not send it again."""


def text_reply(push: Push, token: str, text: str, now: float) -> str:
    """A text to whoever sent the push, in its format, sealed with the key that opened it."""
    whole: dict[str, str | int] = {
        "ToUserName": push.fields.get("FromUserName", ""),
        "FromUserName": push.fields.get("ToUserName", ""),
        "CreateTime": int(now),
        "MsgType": "text",
        "Content": text,
    }
    plain = _written(whole, as_json=push.json)
    if push.key is None:
        return plain
    sealed, timestamp = push.key.encrypt(plain), str(int(now))
    envelope: dict[str, str | int] = {
        "Encrypt": sealed,
        "MsgSignature": sign(token, timestamp, push.query.nonce, sealed),
        "TimeStamp": int(now),
        "Nonce": push.query.nonce,
    }
    return _written(envelope, as_json=push.json)


def _written(fields: Mapping[str, str | int], *, as_json: bool) -> str:
    if as_json:
        return json.dumps(fields, ensure_ascii=False)
    return f"<xml>{''.join(f'<{name}>{_xml(value)}</{name}>' for name, value in fields.items())}</xml>"


def _xml(value: str | int) -> str:
    """Numbers bare, text as CDATA. `]]>` would end it, so it is cut in two sections (XML 1.0, section 2.7)."""
    if isinstance(value, int):
        return str(value)
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"
