"""Telephone numbers in the one form that sessions are found by (E.164: `+8613800138000`).

IMS trunks write `+86…`; others leave the country code off, and for landlines often the leading 0 of the area code too;
carriers of texts write what they like. All forms must give one address: who calls and texts is one citizen.
"""

from __future__ import annotations

import re

SCHEME = "tel"
"""Of the addresses that calls and texts share."""
COUNTRY = "86"

_SEPARATORS = re.compile(r"[\s\-.()]")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# An area code without its 0 (10, 2x, or three digits from 3 to 9) and a subscriber's seven or eight digits.
_LANDLINE = re.compile(r"10[0-9]{8}|2[0-9]{9}|[3-9][0-9]{9,10}")
_PERSONS_LANDLINE = re.compile(r"(?:10|2[0-9])[2-8][0-9]{7}|[3-9][0-9]{2}[2-8][0-9]{6,7}")
_LOCAL = re.compile(r"[2-8][0-9]{6,7}")


def e164(text: str, area: str = "") -> str | None:
    """A telephone number as E.164, or as written where it is no subscriber's (110, 12345); None for no number.

    `area` is the hotline's own area code without its 0, for local numbers of seven or eight digits.
    """
    digits = bare(text)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.startswith("+"):
        return _international(digits[1:])
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    return _domestic(digits, area)


def bare(text: str) -> str:
    """A number without the separators that people write it with."""
    return _SEPARATORS.sub("", text)


def national(number: str) -> str:
    """What mainland carriers want of an E.164 number: `13800138000`; another country's without its plus."""
    digits = number.removeprefix("+")
    return digits[len(COUNTRY) :] if number.startswith(f"+{COUNTRY}") else digits


def is_mobile(number: str) -> bool:
    """Whether an E.164 number takes texts, as far as it can be told by its digits: abroad it may."""
    if not number.startswith("+"):
        return False
    return not number.startswith(f"+{COUNTRY}") or _MOBILE.fullmatch(national(number)) is not None


def _domestic(digits: str, area: str) -> str:
    """Digits without an international prefix: +86 in front of every form of a mainland subscriber's number."""
    for prefix in (COUNTRY, "0", ""):
        if digits.startswith(prefix) and _is_subscriber(digits[len(prefix) :]):
            return f"+{COUNTRY}{digits[len(prefix) :]}"
    if area and _LOCAL.fullmatch(digits):
        return f"+{COUNTRY}{area}{digits}"
    return digits


def _international(digits: str) -> str | None:
    if not digits.isascii() or not digits.isdigit() or not 7 <= len(digits) <= 16:
        return None
    if digits.startswith(f"{COUNTRY}0"):
        # The trunk prefix has no place behind a country code, but is sent there.
        digits = COUNTRY + digits[3:]
    return f"+{digits}" if len(digits) <= 15 else None


def _is_subscriber(digits: str) -> bool:
    return _MOBILE.fullmatch(digits) is not None or _LANDLINE.fullmatch(digits) is not None


def dialled_at_home(number: str) -> str:
    """An E.164 number as one dials it within the mainland: a landline's area code with its 0, abroad behind 00."""
    digits = national(number)
    if not number.startswith("+"):
        return digits  # 110, 12345: dialled as they are
    if not number.startswith(f"+{COUNTRY}"):
        return f"00{digits}"
    return digits if _MOBILE.fullmatch(digits) else f"0{digits}"


def is_persons(number: str) -> bool:
    """Whether an E.164 number is a mainland subscriber's: a mobile or a landline, and no service that charges callers.

    Landlines begin with 2 to 8 behind the area code; 1 (160, 168: 声讯台) and 9 (95…, 96…) are services.
    """
    digits = national(number)
    if not number.startswith(f"+{COUNTRY}"):
        return False
    return _MOBILE.fullmatch(digits) is not None or _PERSONS_LANDLINE.fullmatch(digits) is not None
