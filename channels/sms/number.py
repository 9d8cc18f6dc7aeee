"""Telephone numbers as carriers write them, in the one form that sessions are found by (E.164).

The forms are those that `channels.phone` knows: a citizen who calls and texts must be one address.
"""

from __future__ import annotations

import re

from session.address import Address, MalformedAddress

SCHEME = "tel"
COUNTRY = "86"
_SEPARATORS = re.compile(r"[\s\-.()]")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# An area code without its 0 (10, 2x, or three digits from 3 to 9) and a subscriber's seven or eight digits.
_LANDLINE = re.compile(r"10[0-9]{8}|2[0-9]{9}|[3-9][0-9]{9,10}")


def address_of(sender: str) -> Address:
    """The citizen's address. A sender that is no number (a name, a short code) stands as it was sent."""
    try:
        return Address(SCHEME, e164(sender) or sender.strip())
    except MalformedAddress:
        return Address(SCHEME, "unknown")


def e164(text: str) -> str | None:
    """`+8613800138000` from any form of it; short codes as they are; None for what is no number."""
    digits = _SEPARATORS.sub("", text)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.startswith("+"):
        return _international(digits[1:])
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    for prefix in (COUNTRY, "0", ""):
        if digits.startswith(prefix) and _is_national(digits[len(prefix) :]):
            return f"+{COUNTRY}{digits[len(prefix) :]}"
    return digits


def national(number: str) -> str:
    """What mainland carriers want: `13800138000`; other countries' numbers without their plus."""
    digits = number.removeprefix("+")
    return digits[len(COUNTRY) :] if number.startswith(f"+{COUNTRY}") else digits


def _international(digits: str) -> str | None:
    if not digits.isascii() or not digits.isdigit() or not 7 <= len(digits) <= 16:
        return None
    if digits.startswith(f"{COUNTRY}0"):
        # The trunk prefix has no place behind a country code, but is sent there.
        digits = COUNTRY + digits[3:]
    return f"+{digits}" if len(digits) <= 15 else None


def _is_national(digits: str) -> bool:
    return _MOBILE.fullmatch(digits) is not None or _LANDLINE.fullmatch(digits) is not None
