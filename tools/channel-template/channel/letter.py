"""A letter as the provider writes it, and its signature. Pure: the provider's fields die here."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass

from channels.postbox.errors import LetterMalformed, LetterUnsigned

SIGNATURE, TIME = "X-Signature", "X-Timestamp"

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_CITIZEN = re.compile(r"[A-Za-z0-9_.@+-]{1,128}\Z")
_SECONDS = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_LONGEST = 8000


@dataclass(frozen=True, slots=True)
class Letter:
    """What a citizen wrote. `id` is the provider's, the same however often it is brought."""

    id: str
    citizen: str
    text: str


def signed(body: bytes, at: int, secret: str) -> dict[str, str]:
    """The headers that prove a body: they cover when it was sent."""
    mac = hmac.new(secret.encode(), b"%d." % at + body, "sha256")
    return {TIME: str(at), SIGNATURE: mac.hexdigest()}


def check(body: bytes, signature: str, time: str, secret: str, *, now: float, fresh_s: float) -> None:
    """Raises `LetterUnsigned`. In constant time, whatever is wrong with it."""
    at = int(time) if _SECONDS.match(time) else 0
    expected = signed(body, at, secret)[SIGNATURE]
    if not hmac.compare_digest(expected.encode(), signature.encode()) or abs(now - at) > fresh_s:
        raise LetterUnsigned


def read(body: bytes) -> Letter:
    """The letter that a body is; fields that nobody knows are passed over. Raises `LetterMalformed`."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise LetterMalformed("no JSON") from None
    if not isinstance(fields, dict):
        raise LetterMalformed("no object")
    text = fields.get("text")
    if not isinstance(text, str) or not text.strip() or len(text) > _LONGEST or "\0" in text:
        raise LetterMalformed("text")
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a character, which JSON can write
        raise LetterMalformed("text") from None
    return Letter(_name(fields, "id", _ID), _name(fields, "from", _CITIZEN), text)


def _name(fields: dict[str, object], key: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not pattern.match(value):
        raise LetterMalformed(key)
    return value
