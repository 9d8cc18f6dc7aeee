"""STUN as SIP needs it: the answer to a keep-alive on UDP (RFC 5626, section 4.4.2; RFC 8489, sections 5 and 14.2)."""

from __future__ import annotations

import ipaddress
import struct

_COOKIE = 0x2112A442
_BINDING_REQUEST, _BINDING_SUCCESS = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_HEADER = struct.Struct(">HHI12s")


def answer_binding(data: bytes, remote: tuple[str, int]) -> bytes | None:
    """The success response to a Binding request; None for anything else. Its attributes are not looked at.

    The answer is 12 bytes larger than the shortest request over IPv4, 24 over IPv6: nothing to amplify with.
    """
    if len(data) < _HEADER.size or len(data) % 4 or data[0] & 0xC0:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or cookie != _COOKIE or length != len(data) - _HEADER.size:
        return None
    address = ipaddress.ip_address(remote[0].partition("%")[0])
    mask = struct.pack(">I", _COOKIE) + transaction
    hidden = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    value = struct.pack(">BBH", 0, 1 if address.version == 4 else 2, remote[1] ^ _COOKIE >> 16) + hidden
    attribute = struct.pack(">HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEADER.pack(_BINDING_SUCCESS, len(attribute), _COOKIE, transaction) + attribute
