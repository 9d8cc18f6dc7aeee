"""A link by which a citizen goes on elsewhere: a token that is signed, expires, and opens one thing of one session.

It carries no citizen and no secret; the citizen's address is part of what is signed, so that a token is worth nothing
for a session that is another's by now. That it is used once is held where it is redeemed, not here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass
from enum import StrEnum

from session.address import Address
from session.errors import YihaoError
from session.ids import MessageId, SessionId

_SHAPE = struct.Struct(">BI16sIB")
"""Purpose, second of expiry since 1970, session, and the version and index of the effect that it was made for."""
_MAC_BYTES = 16
_ULID = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LONGEST = 64
"""Of a token, in characters: so much fits into a QR code's scene as well."""


class Purpose(StrEnum):
    """What a link is for."""

    SWITCH = "switch"
    """Go on with the matter there; the place in line is kept."""
    PICTURE = "picture"
    """Send pictures, and where one is, in the middle of a call."""


_ORDER = tuple(Purpose)
"""A purpose is written as its place here: new ones come last."""


class LinkRefused(YihaoError):
    """A token that opens nothing. `why` is for the page, which says what to do: forged, expired, used, over."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the link opens nothing: {why}")


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says. Made anew from the same effect it is the same token, so that sending it twice is harmless."""

    session: SessionId
    purpose: Purpose
    expires_at: float
    """Seconds since 1970 by the store's clock, in whole seconds."""
    made_for: tuple[int, int]
    """Version and index of the effect."""

    @property
    def name(self) -> str:
        """The link's own name among those of its session."""
        return "{}.{}".format(*self.made_for)

    @property
    def notice(self) -> MessageId:
        """The message that brings it to the citizen."""
        return MessageId(f"{notices_of(self.session, self.purpose)}{self.name}")

    def sealed(self, key: bytes, citizen: Address) -> str:
        """The token. `key` is a secret of at least 16 bytes that all nodes share."""
        payload = self._payload()
        return _text(payload + _mac(key, payload, citizen))

    def _payload(self) -> bytes:
        number = 0
        for letter in self.session:
            number = number * 32 + _ULID.index(letter)
        session = number.to_bytes(16, "big")
        return _SHAPE.pack(_ORDER.index(self.purpose), int(self.expires_at), session, *self.made_for)


def notices_of(session: SessionId, purpose: Purpose) -> str:
    """How the names of all messages begin that bring such a link of a session."""
    return f"{session}-{purpose}-"


def read(token: str) -> Link:
    """What a token claims; nothing of it may be believed before `check`. Raises `LinkRefused`."""
    payload = _bytes(token)[: _SHAPE.size]
    try:
        place, expires_at, session, version, index = _SHAPE.unpack(payload)
        return Link(_session(session), _ORDER[place], expires_at, (version, index))
    except IndexError:
        raise LinkRefused("forged") from None


def check(token: str, key: bytes, citizen: Address, now: float) -> Link:
    """The link, proven: signed by us, for a session of this citizen, and still good. Raises `LinkRefused`."""
    whole = _bytes(token)
    payload, mac = whole[: _SHAPE.size], whole[_SHAPE.size :]
    link = read(token)
    if not hmac.compare_digest(_mac(key, payload, citizen), mac):
        raise LinkRefused("forged")
    if link.expires_at <= now:
        raise LinkRefused("expired")
    return link


def _session(data: bytes) -> SessionId:
    number, letters = int.from_bytes(data, "big"), ""
    for _ in range(26):
        number, place = divmod(number, 32)
        letters = _ULID[place] + letters
    return SessionId(letters)


def _mac(key: bytes, payload: bytes, citizen: Address) -> bytes:
    if len(key) < 16:
        raise ValueError("a key of under 16 bytes signs nothing")
    return hmac.digest(key, b"switch\0" + payload + str(citizen).encode(), hashlib.sha256)[:_MAC_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(token: str) -> bytes:
    if len(token) > LONGEST or not token.isascii():
        raise LinkRefused("forged")
    try:
        data = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raise LinkRefused("forged") from None
    if len(data) != _SHAPE.size + _MAC_BYTES or _text(data) != token:
        raise LinkRefused("forged")
    return data
