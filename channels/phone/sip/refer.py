"""REFER (RFC 3515) with Replaces (RFC 3891) and Referred-By (RFC 3892): whom a far end wants the other one to reach."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from channels.phone.errors import MalformedMessage
from channels.phone.sip.address import NameAddress
from channels.phone.sip.dialog import DialogId
from channels.phone.sip.grammar import param, parse_params
from channels.phone.sip.message import REASONS, Request
from channels.phone.sip.uri import Uri

FRAGMENT = ("Content-Type", "message/sipfrag;version=2.0")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a REFER asks for."""

    target: Uri
    replaces: DialogId | None = None
    """The dialog that the new call is to take the place of, seen from who is called."""
    referred_by: str = ""
    wants_news: bool = True
    """Whether it is to be told what became of it; `Refer-Sub: false` declines (RFC 4488)."""

    @classmethod
    def of(cls, request: Request) -> Reference:
        """Raises `MalformedMessage`: there must be exactly one Refer-To (section 2.4.1)."""
        lines = request.headers.all("refer-to")
        if len(lines) != 1:
            raise MalformedMessage("Refer-To", "must stand exactly once")
        target = NameAddress.parse(lines[0], "Refer-To").uri
        by = request.headers.first("referred-by")
        return cls(
            target=target._replace(headers=""),
            replaces=_replaces(target),
            referred_by=str(NameAddress.parse(by, "Referred-By").uri.bare()) if by is not None else "",
            wants_news=(request.headers.first("refer-sub") or "true").strip().lower() != "false",
        )


def read_replaces(text: str) -> DialogId:
    """A Replaces value: Call-ID, and the tags of the dialog as its receiver has them (RFC 3891, section 6.1)."""
    call_id, semicolon, rest = text.strip().partition(";")
    params = parse_params(semicolon + rest, "Replaces")
    to_tag, from_tag = param(params, "to-tag"), param(params, "from-tag")
    if not call_id or not to_tag or not from_tag:
        raise MalformedMessage("Replaces", "not a Call-ID and two tags")
    return (call_id, to_tag, from_tag)


def fragment(status: int) -> bytes:
    """The status line that a NOTIFY reports (RFC 3420)."""
    return f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()


def _replaces(target: Uri) -> DialogId | None:
    """The only header field of the URI that is heeded; it stands there with its escapes."""
    for field in target.headers.split("&"):
        name, _, value = field.partition("=")
        if name.lower() == "replaces":
            return read_replaces(unquote(value))
    return None
