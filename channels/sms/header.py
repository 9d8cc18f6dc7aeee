"""The user data header that tells a long message's parts (3GPP TS 23.040, section 9.2.3.24). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from channels.sms.errors import Malformed

_CONCAT_8 = 0x00
_CONCAT_16 = 0x08


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of which message it is; `index` counts from 1."""

    reference: int
    total: int
    index: int


def prefix(place: Place) -> bytes:
    """The header of one part, with a reference of one octet."""
    return bytes((5, _CONCAT_8, 3, place.reference & 0xFF, place.total, place.index))


def parted(content: bytes) -> tuple[Place | None, bytes]:
    """What a content with a header says of its place, and the text's octets. Raises `Malformed`.

    Elements that we do not know are passed over, as the section asks. A part that numbers itself outside its whole is
    taken for a message of its own, so that it is shown.
    """
    if not content or content[0] >= len(content):
        raise Malformed("a user data header longer than its message")
    header, body = content[1 : 1 + content[0]], content[1 + content[0] :]
    place: Place | None = None
    while header:
        if len(header) < 2 or len(header) < 2 + header[1]:
            raise Malformed("an element of the user data header that is cut short")
        kind, value, header = header[0], header[2 : 2 + header[1]], header[2 + header[1] :]
        if (kind, len(value)) in {(_CONCAT_8, 3), (_CONCAT_16, 4)}:
            place = Place(int.from_bytes(value[:-2], "big"), value[-2], value[-1])
    if place is not None and not 1 <= place.index <= place.total:
        place = None
    return place, body
