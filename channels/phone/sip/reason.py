"""Why a network ended a call (RFC 3326): whether somebody hung up, or nobody did.

A mobile network that has lost its subscriber sends BYE for them. It says so by a cause of Q.850, or by the status that
it would have answered with (3GPP TS 24.229, section 5.2.8.1.2: 503 where the bearer was lost).
"""

from __future__ import annotations

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import parse_params, split_outside
from channels.phone.sip.message import Request

_BROKEN = {
    "Q.850": frozenset({27, 38, 41, 102}),
    "SIP": frozenset({408, 503, 504}),
}
"""Destination or network out of order, temporary failure, recovery on timer expiry; no answer, no service."""


def broke_off(request: Request) -> bool:
    """Whether a BYE says that the call broke off. What cannot be read says nothing."""
    try:
        return any(
            _is_broken(value) for line in request.headers.all("reason") for value in split_outside(line, ",", "Reason")
        )
    except MalformedMessage:
        return False


def _is_broken(value: str) -> bool:
    protocol, semicolon, rest = value.partition(";")
    params = dict(parse_params(semicolon + rest, "Reason"))
    cause = params.get("cause") or ""
    return cause.isascii() and cause.isdigit() and int(cause[:9]) in _BROKEN.get(protocol.strip().upper(), frozenset())
