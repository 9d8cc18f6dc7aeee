"""Who calls, and what was dialled: caller identity from the headers, as an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from channels.phone.errors import MalformedMessage
from channels.phone.sip.address import NameAddress
from channels.phone.sip.message import Request
from channels.phone.sip.uri import Uri
from session.address import Address, MalformedAddress
from session.number import SCHEME, bare, e164

ANONYMOUS = "anonymous"
SCHEMES = (SCHEME, "sip", ANONYMOUS)

_HIDING = frozenset({"id", "user", "header"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `asserted`: the network vouches for the address; else it is what the phone claims."""

    address: Address
    asserted: bool
    name: str = ""
    """The display name: what they call themselves, whoever vouches for the number. Empty for who hides."""


def caller_of(request: Request, *, is_trunk: bool, registered: str | None, unique: str, area: str = "") -> Caller:
    """The caller of an INVITE.

    From a trunk: P-Asserted-Identity, unless Privacy hides it (RFC 3323, RFC 3325); else From, as a claim. From a
    registered phone: its address of record. One who cannot be named is anonymous, and `unique` keeps two apart.
    """
    if registered is not None:
        return Caller(_address("sip", registered, unique), asserted=True, name=request.from_address.display)
    if not is_trunk:
        return Caller(Address(ANONYMOUS, unique), asserted=False)
    if _is_hidden(request):
        return Caller(Address(ANONYMOUS, unique), asserted=False)
    identities = _asserted(request)
    name = _display(*identities, request.from_address)
    for uri in sorted((one.uri for one in identities), key=lambda uri: uri.scheme != "tel"):
        found = _named(uri, unique, area)
        if found.scheme != ANONYMOUS:
            return Caller(found, asserted=True, name=name)
    found = _named(request.from_address.uri, unique, area)
    return Caller(found, asserted=False, name=name if found.scheme != ANONYMOUS else "")


def dialled(request: Request, *, is_trunk: bool = False) -> str:
    """The number dialled, without separators: the request URI's, which may be a tel URI.

    A trunk that sends calls to what we registered as says in P-Called-Party-ID what was dialled (RFC 7315).
    """
    if is_trunk and (said := request.headers.first("p-called-party-id")) is not None:
        try:
            return bare(NameAddress.parse(said, "P-Called-Party-ID").uri.number or "")
        except MalformedMessage:
            pass
    return bare(request.uri.number or "")


def called(number: str, numbers: Sequence[str], *, area: str, identity: str = "") -> str | None:
    """Which of our numbers was called; None for none of them.

    Trunks write `+8657112345`, `057112345` or `12345` for the same, and what we registered as for the first of them.
    """
    if number in numbers:
        return number
    if identity and number == bare(identity):
        return numbers[0]
    prefixes = (f"+86{area}", f"86{area}", f"0{area}", area) if area else ()
    return next((one for one in numbers if any(number == prefix + one for prefix in prefixes)), None)


def _is_hidden(request: Request) -> bool:
    wanted = {part.strip().lower() for line in request.headers.all("privacy") for part in line.split(";")}
    return bool(wanted & _HIDING)


def _display(*identities: NameAddress) -> str:
    """The first that says one; who hides is `Anonymous` there (RFC 3323, section 4.1.1.3)."""
    return next((one.display for one in identities if one.display and one.display.lower() != ANONYMOUS), "")


def _asserted(request: Request) -> list[NameAddress]:
    """The identities that the network asserts; one that cannot be read counts as absent, and the call goes on."""
    try:
        return [
            one
            for line in request.headers.all("p-asserted-identity")
            for one in NameAddress.parse_list(line, "P-Asserted-Identity")
        ]
    except MalformedMessage:
        return []


def _named(uri: Uri, unique: str, area: str) -> Address:
    number = uri.number
    if uri.host.lower() == "anonymous.invalid" or (number or "").lower() == "anonymous":
        return Address(ANONYMOUS, unique)
    if number and (normal := e164(number, area)):
        return _address(SCHEME, normal, unique)
    if uri.scheme in {"sip", "sips"} and uri.user:
        return _address("sip", f"{uri.user}@{uri.host.lower()}", unique)
    return Address(ANONYMOUS, unique)


def _address(scheme: str, identifier: str, unique: str) -> Address:
    try:
        return Address(scheme, identifier)
    except MalformedAddress:
        return Address(ANONYMOUS, unique)
