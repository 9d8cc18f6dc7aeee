"""Captures that Wireshark opens: SIP messages as they stood on the wire, in packets made for them.

The file is a classic pcap of bare IP packets (LINKTYPE_RAW). Whatever carried a message, it stands in a UDP datagram
between the two addresses: what TLS hid is readable, and a stream need not be put together again.
"""

from __future__ import annotations

import ipaddress
import re
import struct

from channels.phone.flow import Flow, SocketAddress

_RAW_IP = 101
_SNAPLEN = 65_535
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAPLEN, _RAW_IP)
_UDP = 17
_SECRETS = re.compile(rb"(?im)^((?:proxy-)?authorization[ \t]*:|a=crypto:|a=ice-pwd:).*?(?=\r?$)")


def packet(at: float, flow: Flow, local: SocketAddress, data: bytes, *, is_ours: bool) -> bytes:
    """One record. Proofs of passwords and keys of sound are taken out."""
    data = _SECRETS.sub(rb"\1 (not kept)", data)
    source, target = (local, flow.remote) if is_ours else (flow.remote, local)
    body = _datagram(source, target, data[: _SNAPLEN - 48])
    return struct.pack("<IIII", int(at), int(at % 1 * 1_000_000), len(body), len(body)) + body


def _datagram(source: SocketAddress, target: SocketAddress, data: bytes) -> bytes:
    source_ip, target_ip = (ipaddress.ip_address(one[0].partition("%")[0]) for one in (source, target))
    udp = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
    if isinstance(source_ip, ipaddress.IPv4Address) and isinstance(target_ip, ipaddress.IPv4Address):
        head = struct.pack(
            ">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0, source_ip.packed, target_ip.packed
        )
        return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + udp
    both = (_as_v6(source_ip), _as_v6(target_ip))
    # A checksum of nought is not allowed over IPv6.
    pseudo = both[0] + both[1] + struct.pack(">IxxxB", len(udp), _UDP)
    udp = udp[:6] + struct.pack(">H", _checksum(pseudo + udp) or 0xFFFF) + udp[8:]
    return struct.pack(">IHBB16s16s", 6 << 28, len(udp), _UDP, 64, *both) + udp


def _as_v6(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return address.packed if address.version == 6 else b"\0" * 10 + b"\xff\xff" + address.packed


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
