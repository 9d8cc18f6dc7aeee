"""From a frame to a request or a response that may be acted upon (RFC 3261, sections 7, 8.2 and 16.3).

Checks stand in the order of section 8.2, and all of them before authentication: none tells who exists.
"""

from __future__ import annotations

import re
from itertools import chain

from channels.phone.errors import MalformedMessage
from channels.phone.sip.framing import Frame, frame_datagram
from channels.phone.sip.grammar import is_token, parse_number
from channels.phone.sip.message import REASONS, Headers, Message, Request, Response, mirrored
from channels.phone.sip.uri import Uri

ALLOWED = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "REGISTER")
ALLOW = ("Allow", ", ".join(ALLOWED))
ACCEPT = ("Accept", "application/sdp, application/dtmf-relay, application/dtmf")
# MESSAGE is known so that it is refused for its content (415) rather than as unheard of: no text comes in here. NOTIFY
# is ours to send alone: one that comes belongs to no subscription (481).
_KNOWN = frozenset((*ALLOWED, "MESSAGE", "NOTIFY"))
_BODY_TYPES = {
    "INVITE": frozenset({"application/sdp"}),
    "ACK": frozenset({"application/sdp"}),
    "UPDATE": frozenset({"application/sdp"}),
    "PRACK": frozenset({"application/sdp"}),
    "INFO": frozenset({"application/dtmf-relay", "application/dtmf"}),
    "MESSAGE": frozenset[str](),
}
_SINGLE = ("from", "to", "call-id", "cseq")
_AT_MOST_ONE = frozenset({"max-forwards", "content-length", "content-type", "expires", "min-expires"})
_IN_CALLS = frozenset({"100rel", "timer", "norefersub", "replaces"})
_OPTION_TAGS = {"REGISTER": frozenset({"path", "outbound"})}
SUPPORTED = ("Supported", "100rel, norefersub, outbound, path, replaces, timer")

_STATUS_LINE = re.compile(r"SIP/2\.0 ([0-9]{3})(?: (.*))?", re.DOTALL)
_VERSION = re.compile(r"SIP/[0-9]+\.[0-9]+", re.IGNORECASE)


def is_response(frame: Frame) -> bool:
    """Whether a frame is a response, however broken: those are never answered."""
    return frame.start[:4].upper() == "SIP/"


def method_of(frame: Frame) -> str:
    """The method that a request line seems to name."""
    return frame.start.partition(" ")[0]


def read(frame: Frame, *, secure: bool = False) -> Message:
    """The message of a frame; raises `MalformedMessage` with the answer that it deserves.

    `secure`: nobody else could read it on its way here.
    """
    return _read_response(frame) if is_response(frame) else _read_request(frame, secure=secure)


def reread(wire: bytes) -> Message:
    """A message of ours, of which its bytes are left. Raises `MalformedMessage`, as `read` does."""
    frame = frame_datagram(wire)
    if frame is None:
        raise MalformedMessage("message", "nothing is left of it")
    return read(frame, secure=True)


def _read_response(frame: Frame) -> Response:
    match = _STATUS_LINE.fullmatch(frame.start)
    if match is None or not 100 <= int(match[1]) <= 699:
        raise MalformedMessage("status line", "not one of SIP/2.0")
    if frame.defect is not None:
        raise frame.defect
    response = Response(headers=frame.headers, body=frame.body, status=int(match[1]), reason=match[2] or "")
    _check_fields(response)
    return response


def _read_request(frame: Frame, *, secure: bool) -> Request:
    method, target = _read_request_line(frame.start)
    if frame.defect is not None:
        raise frame.defect
    if method not in _KNOWN:
        _check_top_via(frame.headers)
        raise MalformedMessage("method", "unknown", status=501, headers=(ALLOW,))
    uri = _read_target(target, secure=secure)
    request = Request(headers=frame.headers, body=frame.body, method=method, uri=uri)
    _check_fields(request)
    _check_extensions(request)
    _check_content(request)
    return request


def _read_request_line(start: str) -> tuple[str, str]:
    parts = start.split(" ")
    # Exactly two single spaces (RFC 4475, sections 3.1.2.8 to 3.1.2.10).
    if len(parts) != 3 or not is_token(parts[0]) or _VERSION.fullmatch(parts[2]) is None:
        raise MalformedMessage("request line", "not method, URI and version")
    if parts[2].upper() != "SIP/2.0":
        raise MalformedMessage("request line", "another version", status=505)
    return parts[0], parts[1]


def _read_target(text: str, *, secure: bool) -> Uri:
    uri = Uri.parse(text, "request URI")
    if uri.scheme not in {"sip", "tel"} and not (secure and uri.scheme == "sips"):
        # sips promises TLS on every hop: over any other it is a scheme that we do not take.
        raise MalformedMessage("request URI", "scheme", status=416)
    if uri.headers:
        raise MalformedMessage("request URI", "header fields do not belong there")
    return uri


def _check_top_via(headers: Headers) -> None:
    if "via" not in headers:
        raise MalformedMessage("Via", "absent")


def _check_fields(message: Message) -> None:
    """Required fields exactly once and readable; numbers within their bounds."""
    headers = message.headers
    _check_top_via(headers)
    index = headers.index
    for name in _SINGLE:
        if len(index.get(name, ())) != 1:
            raise MalformedMessage(name, "must stand exactly once")
    for name in headers.repeated:
        if name in _AT_MOST_ONE:
            raise MalformedMessage(name, "must not stand twice")
    if not message.vias or not message.call_id or " " in message.call_id:
        raise MalformedMessage("Call-ID", "empty or not one word")
    _, method = message.cseq
    if isinstance(message, Request):
        _check_request_fields(message, method)
    else:
        _ = message.from_address, message.to_address


def _check_request_fields(request: Request, cseq_method: str) -> None:
    if cseq_method != request.method:
        raise MalformedMessage("CSeq", "names another method")
    addresses = (request.from_address, request.to_address)
    if request.method == "REGISTER" and any(one.uri.scheme not in {"sip", "sips"} for one in addresses):
        raise MalformedMessage("To", "not an address of record")
    _ = request.contacts
    if (hops := request.headers.first("max-forwards")) is not None:
        parse_number(hops, "Max-Forwards", 255)
    if "*" in request.headers.all("contact") and request.method != "REGISTER":
        raise MalformedMessage("Contact", "the asterisk belongs to REGISTER")


def _check_extensions(request: Request) -> None:
    """Section 8.2.2.3. ACK and CANCEL are never refused for what they require."""
    if request.method in {"ACK", "CANCEL"}:
        return
    known = _OPTION_TAGS.get(request.method, _IN_CALLS)
    unknown = [tag for tag in request.headers.listed("require") if tag not in known]
    if unknown:
        raise MalformedMessage("Require", "extension", status=420, headers=(("Unsupported", ", ".join(unknown)),))


def _check_content(request: Request) -> None:
    """Sections 8.2.3 and 20.1: what the body is, and whether ours would be acceptable."""
    taken = _BODY_TYPES.get(request.method)
    if request.method == "MESSAGE" or (
        request.body
        and taken is not None
        and (request.content_type not in taken or request.headers.first("content-encoding"))
    ):
        raise MalformedMessage("Content-Type", "not taken here", status=415, headers=(ACCEPT,))
    if request.method == "INVITE" and "accept" in request.headers:
        ranges = (value.partition(";")[0].strip().lower() for value in request.headers.listed("accept"))
        if not any(one in {"application/sdp", "application/*", "*/*"} for one in ranges):
            raise MalformedMessage("Accept", "no SDP", status=406, headers=(ACCEPT,))


def refuse(frame: Frame, status: int, headers: tuple[tuple[str, str], ...]) -> Response:
    """An answer to a request that could not be read, from what of it can be mirrored."""
    return Response(
        headers=Headers(chain(mirrored(frame.headers, None), headers)),
        status=status,
        reason=REASONS[status],
    )
