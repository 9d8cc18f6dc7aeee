"""Who calls, and what was dialled: caller identity from the headers, normalised to E.164.

IMS trunks write `+86…`; others leave the country code off, and for landlines often the leading 0 of the area code too.
All forms must give one address, since sessions are found again by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.phone.errors import MalformedMessage
from channels.phone.sip.address import NameAddress
from channels.phone.sip.message import Request
from channels.phone.sip.uri import Uri
from session.address import Address, MalformedAddress

COUNTRY = "86"
ANONYMOUS = "anonymous"
SCHEMES = ("tel", "sip", ANONYMOUS)

_SEPARATORS = re.compile(r"[\s\-.()]")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
# An area code without its 0 (10, 2x, or three digits from 3 to 9) and a subscriber's seven or eight digits.
_LANDLINE = re.compile(r"10[0-9]{8}|2[0-9]{9}|[3-9][0-9]{9,10}")
_LOCAL = re.compile(r"[2-8][0-9]{6,7}")
_HIDING = frozenset({"id", "user", "header"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `asserted`: the network vouches for the address; else it is what the phone claims."""

    address: Address
    asserted: bool


def normalise(text: str, area: str = "") -> str | None:
    """A telephone number as E.164 (`+8613800138000`), or as dialled where it is no subscriber's; None for no number.

    `area` is the hotline's own area code without its 0, for local numbers of seven or eight digits.
    """
    digits = _SEPARATORS.sub("", text)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    if digits.startswith("+"):
        return _international(digits[1:])
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    return _domestic(digits, area)


def caller_of(request: Request, *, is_trunk: bool, registered: str | None, unique: str, area: str = "") -> Caller:
    """The caller of an INVITE.

    From a trunk: P-Asserted-Identity, unless Privacy hides it (RFC 3323, RFC 3325); else From, as a claim. From a
    registered phone: its address of record. One who cannot be named is anonymous, and `unique` keeps two apart.
    """
    if registered is not None:
        return Caller(_address("sip", registered, unique), asserted=True)
    if not is_trunk:
        return Caller(Address(ANONYMOUS, unique), asserted=False)
    if _is_hidden(request):
        return Caller(Address(ANONYMOUS, unique), asserted=False)
    for identity in sorted(_asserted(request), key=lambda uri: uri.scheme != "tel"):
        found = _named(identity, unique, area)
        if found.scheme != ANONYMOUS:
            return Caller(found, asserted=True)
    return Caller(_named(request.from_address.uri, unique, area), asserted=False)


def dialled(request: Request) -> str:
    """The number dialled: the request URI's, or the tel URI's, without separators."""
    return _SEPARATORS.sub("", request.uri.number or "")


def _domestic(digits: str, area: str) -> str:
    """Digits without an international prefix: +86 in front of every form of a mainland subscriber's number."""
    for prefix in (COUNTRY, "0", ""):
        if digits.startswith(prefix) and _national(digits[len(prefix) :]):
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


def _national(digits: str) -> bool:
    return _MOBILE.fullmatch(digits) is not None or _LANDLINE.fullmatch(digits) is not None


def _is_hidden(request: Request) -> bool:
    wanted = {part.strip().lower() for line in request.headers.all("privacy") for part in line.split(";")}
    return bool(wanted & _HIDING)


def _asserted(request: Request) -> list[Uri]:
    """The identities that the network asserts; one that cannot be read counts as absent, and the call goes on."""
    try:
        return [
            one.uri
            for line in request.headers.all("p-asserted-identity")
            for one in NameAddress.parse_list(line, "P-Asserted-Identity")
        ]
    except MalformedMessage:
        return []


def _named(uri: Uri, unique: str, area: str) -> Address:
    number = uri.number
    if uri.host.lower() == "anonymous.invalid" or (number or "").lower() == "anonymous":
        return Address(ANONYMOUS, unique)
    if number and (normal := normalise(number, area)):
        return _address("tel", normal, unique)
    if uri.scheme in {"sip", "sips"} and uri.user:
        return _address("sip", f"{uri.user}@{uri.host.lower()}", unique)
    return Address(ANONYMOUS, unique)


def _address(scheme: str, identifier: str, unique: str) -> Address:
    try:
        return Address(scheme, identifier)
    except MalformedAddress:
        return Address(ANONYMOUS, unique)
