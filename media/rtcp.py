"""RTCP sender and receiver reports (RFC 3550, section 6): what we send, and the part of a peer's that we read."""

from __future__ import annotations

import struct
from typing import NamedTuple

SENDER_REPORT = 200
RECEIVER_REPORT = 201
_DESCRIPTION = 202
_CNAME = 1
_NTP_EPOCH_S = 2_208_988_800

_HEADER = struct.Struct("!BBHI")
_SENDER = struct.Struct("!IIIII")
_BLOCK = struct.Struct("!IIIIII")


class SenderInfo(NamedTuple):
    """What the sender part of a report says. `wall_s` is Unix time."""

    wall_s: float
    timestamp: int
    packets: int
    octets: int


class ReportBlock(NamedTuple):
    """Reception of one source. `fraction_lost` in 1/256, `jitter` in samples, the last two as RFC 3550 has them."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int = 0
    delay: int = 0


def build(ssrc: int, cname: str, sender: SenderInfo | None, block: ReportBlock | None) -> bytes:
    """A compound packet: SR or RR, then the SDES with our CNAME, as section 6.1 demands."""
    body = b""
    if sender is not None:
        ntp = round((sender.wall_s + _NTP_EPOCH_S) * 2**32)
        body += _SENDER.pack(
            (ntp >> 32) & 0xFFFFFFFF,
            ntp & 0xFFFFFFFF,
            sender.timestamp,
            sender.packets & 0xFFFFFFFF,
            sender.octets & 0xFFFFFFFF,
        )
    if block is not None:
        loss = block.fraction_lost << 24 | min(block.lost, 0x7FFFFF)
        body += _BLOCK.pack(block.ssrc, loss, block.highest, block.jitter & 0xFFFFFFFF, block.last_report, block.delay)
    kind = RECEIVER_REPORT if sender is None else SENDER_REPORT
    return _packet(kind, int(block is not None), ssrc, body) + _description(ssrc, cname)


def _packet(kind: int, count: int, ssrc: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, 1 + len(body) // 4, ssrc) + body


def _description(ssrc: int, cname: str) -> bytes:
    name = cname.encode()
    item = bytes([_CNAME, len(name)]) + name + b"\0"
    return _packet(_DESCRIPTION, 1, ssrc, item + bytes(-len(item) % 4))


def parse(data: bytes) -> list[ReportBlock]:
    """Every reception block in a compound packet; what is malformed ends the reading, it raises nothing."""
    blocks: list[ReportBlock] = []
    at = 0
    while at + _HEADER.size <= len(data):
        first, kind, words, _ssrc = _HEADER.unpack_from(data, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            break
        start = at + _HEADER.size + (_SENDER.size if kind == SENDER_REPORT else 0)
        if kind in (SENDER_REPORT, RECEIVER_REPORT):
            blocks += _blocks(data, start, end, first & 0x1F)
        at = end
    return blocks


def sent_at(data: bytes) -> int | None:
    """The middle 32 bits of the time in the sender report with which a compound packet begins; None without one."""
    if len(data) < _HEADER.size + _SENDER.size or data[0] >> 6 != 2 or data[1] != SENDER_REPORT:
        return None
    return int.from_bytes(data[_HEADER.size + 2 : _HEADER.size + 6])


def middle(wall_s: float) -> int:
    """A Unix time as the middle 32 bits of an NTP timestamp: seconds in 1/65536, round every 18 hours."""
    return round((wall_s + _NTP_EPOCH_S) * 65536) & 0xFFFFFFFF


def _blocks(data: bytes, start: int, end: int, count: int) -> list[ReportBlock]:
    blocks = []
    for at in range(start, min(end, start + count * _BLOCK.size) - _BLOCK.size + 1, _BLOCK.size):
        ssrc, loss, highest, jitter, last_report, delay = _BLOCK.unpack_from(data, at)
        lost = loss & 0xFFFFFF
        signed = lost - 0x1000000 if lost & 0x800000 else lost
        blocks.append(ReportBlock(ssrc, loss >> 24, signed, highest, jitter, last_report, delay))
    return blocks
