"""Requests, responses and their header fields (RFC 3261, section 7)."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

from channels.phone.errors import MalformedMessage
from channels.phone.sip.address import NameAddress
from channels.phone.sip.grammar import parse_number, split_outside
from channels.phone.sip.once import once
from channels.phone.sip.uri import Uri
from channels.phone.sip.via import Via

# RFC 3261, section 7.3.3, and the extensions' own registrations.
COMPACT_FORMS = {
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "o": "event",
    "r": "refer-to",
    "b": "referred-by",
    "x": "session-expires",
    "a": "accept-contact",
    "u": "allow-events",
}
CSEQ_LIMIT = 2**31 - 1

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    603: "Decline",
}


class Headers:
    """Header fields in their order; names compare without case and compact forms count as the full ones."""

    __slots__ = ("_index", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items = tuple(items)
        self._index: dict[str, tuple[str, ...]] | None = None
        """Made at the first look. Of tuples, which the collector passes by: a message may be kept for half a minute."""

    @property
    def index(self) -> Mapping[str, tuple[str, ...]]:
        """Every line of each header, by its name in lower case and full form. Not to be changed."""
        return self._index or self._indexed()

    def first(self, name: str) -> str | None:
        """The first value of a header, None when it is absent. `name` is canonical: lower case, full form."""
        values = (self._index or self._indexed()).get(name)
        return values[0] if values else None

    def all(self, name: str) -> tuple[str, ...]:
        """Every line of a header, in order."""
        return (self._index or self._indexed()).get(name, ())

    @property
    def repeated(self) -> list[str]:
        """The headers that have more than one line."""
        index = self._index or self._indexed()
        if len(index) == len(self.items):
            return []
        return [name for name, values in index.items() if len(values) > 1]

    def replaced(self, name: str, value: str) -> Headers:
        """With one line of that header, on top, in place of all."""
        lowered = canonical(name)
        others = [pair for pair in self.items if canonical(pair[0]) != lowered]
        replaced = Headers(((name, value), *others))
        replaced._index = {**(self._index or self._indexed()), lowered: (value,)}
        return replaced

    def _indexed(self) -> dict[str, tuple[str, ...]]:
        index: dict[str, tuple[str, ...]] = {}
        for name, value in self.items:
            lowered = canonical(name)
            index[lowered] = (*index[lowered], value) if lowered in index else (value,)
        self._index = index
        return index

    def listed(self, name: str) -> list[str]:
        """The comma-separated elements of every line of a header."""
        lines = (self._index or self._indexed()).get(name)
        return [part for line in lines for part in split_outside(line, ",", name) if part] if lines else []

    def __contains__(self, name: str) -> bool:
        return name in (self._index or self._indexed())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __repr__(self) -> str:
        return f"Headers({[name for name, _ in self.items]})"


@functools.lru_cache(maxsize=512)
def canonical(name: str) -> str:
    """The one name under which a header is looked up."""
    lowered = name.lower()
    return COMPACT_FORMS.get(lowered, lowered)


@dataclass(frozen=True)
class _Message:
    """What requests and responses share. Header values are read when first asked for, once."""

    headers: Headers
    body: bytes = b""

    @once
    def call_id(self) -> str:
        """Call-ID; compared byte by byte."""
        return self._single("call-id")

    @once
    def cseq(self) -> tuple[int, str]:
        """The sequence number and the method."""
        number, _, method = self._single("cseq").partition(" ")
        return parse_number(number, "CSeq", CSEQ_LIMIT), method.strip()

    @once
    def from_address(self) -> NameAddress:
        """From."""
        return NameAddress.parse(self._single("from"), "From")

    @once
    def to_address(self) -> NameAddress:
        """To."""
        return NameAddress.parse(self._single("to"), "To")

    @once
    def vias(self) -> tuple[Via, ...]:
        """Every hop, the last sender first."""
        lines = self.headers.all("via")
        if len(lines) == 1:
            return Via.parse_list(lines[0])
        return tuple(via for line in lines for via in Via.parse_list(line))

    @once
    def contacts(self) -> tuple[NameAddress, ...]:
        """Contact, without the `*` of a REGISTER."""
        lines = [line for line in self.headers.all("contact") if line.strip() != "*"]
        return tuple(one for line in lines for one in NameAddress.parse_list(line, "Contact"))

    @property
    def allowed(self) -> frozenset[str]:
        """The methods that its sender takes; empty where it does not say."""
        return frozenset(self.headers.listed("allow"))

    @property
    def content_type(self) -> str | None:
        """The media type in lower case, without parameters."""
        value = self.headers.first("content-type")
        return None if value is None else value.partition(";")[0].strip().lower()

    def knowing(self, **values: object) -> Self:
        """With values of header fields that its maker knows, so that nobody need read them."""
        vars(self).update(values)
        return self

    def _single(self, name: str) -> str:
        values = self.headers.all(name)
        if len(values) != 1:
            raise MalformedMessage(name, "absent" if not values else "more than one")
        return values[0]

    @property
    def start(self) -> str:
        """The first line."""
        raise NotImplementedError

    @once
    def wire(self) -> bytes:
        """The message as it is sent. Written once, however often it is."""
        lines = [f"{name}: {value}\r\n" for name, value in self.headers.items]
        text = f"{self.start}\r\n{''.join(lines)}Content-Length: {len(self.body)}\r\n\r\n"
        return text.encode("utf-8", "surrogateescape") + self.body

    def __bytes__(self) -> bytes:
        return self.wire


@dataclass(frozen=True)
class Request(_Message):
    """A request. Content-Length is written from the body and never stands in the headers of one we make."""

    method: str = ""
    uri: Uri = field(default_factory=lambda: Uri("sip", "invalid"))

    def stamped(self, source: tuple[str, int]) -> Request:
        """With where it came from in its topmost Via (RFC 3261, section 18.2.1). What has been read of it is kept."""
        top, *others = self.vias
        vias = (top.as_received(source), *others)
        headers = self.headers.replaced("Via", ", ".join(map(str, vias)))
        stamped = Request(headers, self.body, self.method, self.uri)
        known = {**vars(self), "headers": headers, "vias": vias}
        known.pop("wire", None)
        return stamped.knowing(**known)

    @property
    def start(self) -> str:
        """Method, target and version."""
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass(frozen=True)
class Response(_Message):
    """A response."""

    status: int = 0
    reason: str = ""

    @property
    def is_final(self) -> bool:
        """Whether the transaction is decided by it."""
        return self.status >= 200

    @property
    def start(self) -> str:
        """Version, status and reason."""
        return f"SIP/2.0 {self.status} {self.reason}"


Message = Request | Response


def respond(
    request: Request,
    status: int,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    reason: str | None = None,
) -> Response:
    """A response to a request (section 8.2.6): Via, From, To, Call-ID and CSeq are given back as they came."""
    response = Response(
        headers=Headers((*mirrored(request.headers, to_tag), *headers)),
        body=body,
        status=status,
        reason=REASONS.get(status, "Unknown") if reason is None else reason,
    )
    return response.knowing(call_id=request.call_id, cseq=request.cseq)


def mirrored(headers: Headers, to_tag: str | None) -> list[tuple[str, str]]:
    """The fields that a response copies from its request, also from one that could not be read."""
    copied = [("Via", value) for value in headers.all("via")]
    copied += [("From", value) for value in headers.all("from")[:1]]
    for value in headers.all("to")[:1]:
        copied.append(("To", value if to_tag is None or has_tag(value) else f"{value};tag={to_tag}"))
    copied += [("Call-ID", value) for value in headers.all("call-id")[:1]]
    copied += [("CSeq", value) for value in headers.all("cseq")[:1]]
    copied += [("Record-Route", value) for value in headers.all("record-route")]
    return copied


def has_tag(value: str) -> bool:
    """Whether a From or To carries a tag; False for one that cannot be read."""
    try:
        return NameAddress.parse(value, "To").tag is not None
    except MalformedMessage:
        return False
