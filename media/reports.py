"""The RTCP side of one far end: a report every five seconds, and what the far end says of our stream."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from media import rtcp

if TYPE_CHECKING:
    from socket import SocketType

    from media.rtp import Incoming, Outgoing
    from media.shield import Shield

REPORT_EVERY_S = 5.0
_MAX_BYTES = 1500
_LONGEST_ROUND_S = 10


@dataclass(frozen=True, slots=True)
class FarQuality:
    """How our stream arrives, in the far end's own words. `fraction_lost` is 0–1 since its last report.

    `round_trip_ms` is to it and back (RFC 3550, section 6.4.1), None until it has answered a report of ours.
    """

    fraction_lost: float
    packets_lost: int
    jitter_ms: float
    round_trip_ms: float | None = None


class Reports:
    """Sends and reads reports on the odd port, or on RTP's own where both agreed on that (RFC 5761)."""

    def __init__(self, incoming: Incoming, outgoing: Outgoing) -> None:
        self.quality: FarQuality | None = None
        self.host: str | None = None
        """Where reports may come from: the host that the far end's voice comes from."""
        self.shield: Shield | None = None
        self.ticks = 1
        """Of the stream's clock for each of ours, which counts samples at 8 kHz."""
        self._incoming = incoming
        self._outgoing = outgoing
        self._cname = ""
        self._due_s = 0.0
        self._reported_packets = 0
        self._far_report = 0
        self._far_report_came_s = 0.0

    def hear(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """A datagram on the port that is theirs alone."""
        plain = data if self.shield is None else self.shield.opened(data, addr)
        if plain is not None:
            self.take(plain, addr)

    def take(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Keep the last reception report about our stream."""
        if addr[0] != self.host or len(data) > _MAX_BYTES:
            return
        now_s = time.time()
        sent_at = rtcp.sent_at(data)
        if sent_at is not None:
            self._far_report, self._far_report_came_s = sent_at, now_s
        for block in rtcp.parse(data):
            if block.ssrc == self._outgoing.ssrc:
                jitter_ms = block.jitter / (8 * self.ticks)
                self.quality = FarQuality(
                    block.fraction_lost / 256, block.lost, jitter_ms, self._round_trip_ms(block, now_s)
                )

    def _round_trip_ms(self, block: rtcp.ReportBlock, now_s: float) -> float | None:
        """What has passed since the report of ours that the far end last had, but for the time that it kept it.

        A clock of ours that was set meanwhile, or a far end that counts otherwise, gives no figure, not a false one.
        """
        if not block.last_report:
            return self.quality.round_trip_ms if self.quality is not None else None
        passed = (rtcp.middle(now_s) - block.last_report - block.delay) & 0xFFFFFFFF
        return passed * 1000 / 65536 if passed < _LONGEST_ROUND_S * 65536 else None

    def send_when_due(self, now_s: float, through: SocketType, target: tuple[str | int, ...]) -> None:
        """One report, if five seconds have passed since the last."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + REPORT_EVERY_S
        report = self._compound(now_s)
        sealed = report if self.shield is None else self.shield.sealed(report)
        if sealed is not None:
            with suppress(OSError):  # a report that does not go out is followed by another
                through.sendto(sealed, target)

    def _compound(self, now_s: float) -> bytes:
        outgoing, incoming = self._outgoing, self._incoming
        # RFC 7022: random, since a host name would be told to strangers. Many calls end before one is said.
        self._cname = self._cname or secrets.token_hex(8)
        sender = None
        if outgoing.packets > self._reported_packets and outgoing.sent_s is not None:
            self._reported_packets = outgoing.packets
            clock = outgoing.timestamp + round((now_s - outgoing.sent_s) * 8000) - 160
            sender = rtcp.SenderInfo(time.time(), clock * self.ticks & 0xFFFFFFFF, outgoing.packets, outgoing.octets)
        block = None
        if incoming.ssrc is not None:
            block = rtcp.ReportBlock(
                ssrc=incoming.ssrc,
                fraction_lost=incoming.lost_since_report(),
                lost=incoming.lost,
                highest=incoming.highest,
                jitter=round(incoming.jitter * self.ticks),
                last_report=self._far_report,
                delay=round((time.time() - self._far_report_came_s) * 65536) & 0xFFFFFFFF if self._far_report else 0,
            )
        return rtcp.build(outgoing.ssrc, self._cname, sender, block)
