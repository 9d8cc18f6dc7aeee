"""One far end: its sockets, whose packets are its own, what it says and what it hears, in the clear or under a shield.

Whose packets: the signalled address is believed at once. Until a packet came from there, the first other source
that speaks the agreed payload types is taken instead (a phone behind NAT), and kept; nobody else is listened to
after that ("RTP bleed"). A new SSRC is believed once the old one has been silent for 200 ms.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from os import urandom
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, Protocol

from media import codecs, telephone_event
from media.g711 import EXPANSIONS, FRAME_SAMPLES, SILENCE, TRANSCODE, Law
from media.inbox import ROOM_BYTES
from media.interpreter import Interpreter
from media.ports import address_of, untie
from media.reports import Reports
from media.rtp import HEADER, HEADER_BYTES, VERSION_2, Incoming, Outgoing, Packet, parse
from media.run import Run, Sink, Source
from media.srtp import is_rtcp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from media.inbox import Inbox
    from media.negotiation import Terms
    from media.pace import Ticker
    from media.ports import Pair
    from media.shield import Protection, Shield
    from media.tap import Ear
    from session.audio import Slot

MAX_PAYLOAD_BYTES = 480
"""60 ms of G.711, the longest packet that telephones send; other codecs have bounds of their own."""

_DATAGRAM_BYTES = ROOM_BYTES

_MAX_WAITING = 1024
"""More packets than a socket's buffer holds (208 KiB by Linux' default): a far end that floods keeps nobody waiting."""

_BEGINNING = struct.Struct("!IHI")
"""What a stream of ours begins with, at random (RFC 3550, section 5.1): its source, sequence and timestamp."""
_SSRC_SILENT_S = 0.2
_MAX_DIGITS_WAITING = 64
_Address = tuple[str | int, ...]


class Played(Protocol):
    """What an end makes its far end hear by itself: a playlist, or a mix of others."""

    def frame(self, law: Law) -> bytes | None:
        """The next 20 ms; None once all has been heard."""
        ...


class Owner(Protocol):
    """The call that an end belongs to."""

    def digit_heard(self, slot: Slot, heard: telephone_event.Heard) -> None:
        """A digit came from the far end."""
        ...

    def played(self, slot: Slot) -> None:
        """The playlist has been heard to its end."""
        ...


class Counted(NamedTuple):
    """Packets that were to come and did not, and ours that were sent and have not arrived."""

    expected: int = 0
    lost: int = 0
    sent: int = 0
    far_lost: int = 0

    def loss_since(self, before: Counted) -> float:
        """The share that was lost, the worse of both ways."""
        ours = _share(self.lost - before.lost, self.expected - before.expected)
        return max(ours, _share(self.far_lost - before.far_lost, self.sent - before.sent))


NOTHING = Counted()


class End:
    """See the module. Nothing is sent or believed before `agree`."""

    __slots__ = (  # an instance's dict of more than thirty names is one of its own, slow and large
        "_digit_start",
        "_digits",
        "_digits_waiting",
        "_expansion",
        "_far_law",
        "_far_type",
        "_heard_by",
        "_inbox",
        "_incoming",
        "_interpreter",
        "_law",
        "_laws",
        "_listener",
        "_note",
        "_outgoing",
        "_owner",
        "_pair",
        "_payload_type",
        "_played",
        "_protection",
        "_reader",
        "_receive",
        "_receive_from",
        "_relayed",
        "_run",
        "_send_there",
        "_send_to",
        "_shield",
        "_signalled",
        "_source",
        "_target",
        "_ticker",
        "_tied",
        "hears",
        "looked_at",
        "port",
        "reports",
        "since_s",
        "slot",
        "terms",
    )

    def __init__(
        self, slot: Slot, pair: Pair, owner: Owner, inbox: Inbox, ticker: Ticker, protection: Protection
    ) -> None:
        self.slot = slot
        self.port = pair.port
        self.terms: Terms | None = None
        self._incoming = Incoming()
        ssrc, sequence, timestamp = _BEGINNING.unpack(urandom(_BEGINNING.size))
        self._outgoing = Outgoing(ssrc, sequence >> 1, timestamp)
        self.reports = Reports(self._incoming, self._outgoing)
        self.looked_at = NOTHING
        """As it stood when somebody last asked how it sounds."""
        self._listener: End | None = None
        self._note: Ear | None = None
        self._run: Run | None = None
        self._heard_by: End | None = None
        """Who hears the run."""
        self.hears: End | None = None
        """Whose run goes out here."""
        self.since_s = monotonic()
        """From when on silence of the far end counts."""
        self._pair = pair
        self._receive = pair.rtp.recv
        self._receive_from = pair.rtp.recvfrom
        self._send_to = pair.rtp.sendto
        self._send_there = pair.rtp.send
        self._tied: _Address | None = None
        """The one address that the socket is connected to: deaf to all others, and quicker with this one."""
        self._owner = owner
        self._inbox = inbox
        self._ticker = ticker
        self._protection = protection
        self._shield: Shield | None = None
        self._signalled: _Address | None = None
        self._source: _Address | None = None
        self._target: _Address | None = None
        self._laws: Mapping[int, Law] = {}
        self._interpreter: Interpreter | None = None
        """None where all that was agreed is G.711."""
        self._far_type = -1
        self._far_law = self._law = Law.PCMA
        self._expansion = EXPANSIONS[Law.PCMA]
        self._payload_type = 0
        self._played: Played | None = None
        self._relayed = False
        self._digits: Iterator[telephone_event.Written] | None = None
        self._digits_waiting = ""
        self._digit_start = 0
        self._reader = telephone_event.DigitReader()
        inbox.add(pair.rtp, self._arrived)
        inbox.add(pair.rtcp, self._report_arrived)

    @property
    def incoming(self) -> Incoming:
        """What came, up to date."""
        self.count_run()
        return self._incoming

    @property
    def outgoing(self) -> Outgoing:
        """What went, up to date."""
        if self.hears is not None:
            self.hears.count_run()
        return self._outgoing

    @property
    def _voice(self) -> Outgoing:
        """The same, to speak there ourselves."""
        if self.hears is not None:
            self.hears.end_run()
        return self._outgoing

    @property
    def listener(self) -> End | None:
        """Who hears this far end."""
        return self._listener

    @listener.setter
    def listener(self, listener: End | None) -> None:
        self.end_run()
        self._listener = listener

    @property
    def note(self) -> Ear | None:
        """What records it."""
        return self._note

    @note.setter
    def note(self, note: Ear | None) -> None:
        self.end_run()
        self._note = note

    def close(self) -> None:
        """Free both ports. Idempotent."""
        self._end_runs()
        self._ticker.remove(self)
        self._protection.close()
        self._shield = self.reports.shield = None
        self.terms = self._listener = self._note = self._source = self._target = self._signalled = None
        self._inbox.forget(self._pair.rtp)
        self._inbox.forget(self._pair.rtcp)
        self._pair.close()

    def agree(self, terms: Terms) -> None:
        """Take what was negotiated, first or anew. A far end that keeps its address keeps its place."""
        self._end_runs()
        if self.terms is None or self.terms.formats != terms.formats:
            self._interpreter = Interpreter(terms.formats) if terms.is_foreign else None
        self.terms = terms
        self._laws = terms.laws
        self._payload_type, self._law = next(iter(self._laws.items()))
        self.reports.ticks = self._interpreter.ticks(self._payload_type) if self._interpreter is not None else 1
        self._far_type = -1
        self.since_s = monotonic()
        self._shield = self.reports.shield = self._protection.agree(terms, self)
        if self._shield is not None:
            self._untie()  # a page is where its checks come from
        address = address_of(terms.address, terms.port)
        if terms.is_placed and address != self._signalled:
            self._untie()
            self._signalled = self._target = address
            self._source = None
            self.reports.host = terms.address
        self._settle()

    def found(self, addr: _Address) -> None:
        """A page is there, by its checks."""
        self._end_runs()
        self._signalled = self._source = self._target = addr
        self.reports.host = str(addr[0])

    def send_raw(self, data: bytes, addr: _Address) -> None:
        """The shield's own, as it is."""
        with suppress(OSError):
            self._send_to(data, addr)

    def hear(self, played: Played | None, *, relayed: bool) -> None:
        """What the far end is to hear: what is played, else the other end (`relayed`), else silence."""
        self._end_runs()
        self._played = played
        self._relayed = relayed
        self._settle()

    def press(self, digits: str) -> bool:
        """Queue digits for the far end; False when more wait already than anyone dials."""
        if len(self._digits_waiting) + len(digits) > _MAX_DIGITS_WAITING:
            return False
        self._digits_waiting += digits
        self._settle()
        return True

    def look(self, now_s: float) -> None:
        """Once a second: reports, and a digit whose last packets were lost."""
        self.count_run()
        if self.hears is not None:
            self.hears.count_run()
        if self.terms is None or self._target is None:
            return
        self._tie_if_found(now_s)
        for heard in self._reader.expire(now_s):
            self._owner.digit_heard(self.slot, heard)
        if self.terms.rtcp_mux:
            target = self._target
        elif self._source in (None, self._signalled):
            target = address_of(self.terms.address, self.terms.rtcp_port)
        else:
            host, port = str(self._source[0]), int(self._source[1])
            target = address_of(host, min(port + 1, 65535))
        through = self._pair.rtp if self.terms.rtcp_mux else self._pair.rtcp
        if self.terms.routable:
            self.reports.send_when_due(now_s, through, target)

    # What comes

    def _arrived(self, now_s: float) -> None:
        addr = self._tied
        try:
            if addr is not None:
                data = self._receive(_DATAGRAM_BYTES)
            else:
                data, addr = self._receive_from(_DATAGRAM_BYTES)
        except OSError:  # nothing, or an ICMP error: whether the far end is gone, silence and signalling tell
            return
        if self._shield is not None:
            opened = self._shield.opened(data, addr)
            if opened is None:
                return
            data = opened
        self._hear(data, addr, now_s)

    def _hear(self, data: bytes, addr: _Address, now_s: float) -> None:
        """A packet. The one that was expected next takes the short way, and may be the first of a run."""
        incoming = self._incoming
        if addr == self._source and HEADER_BYTES < len(data) <= HEADER_BYTES + MAX_PAYLOAD_BYTES:
            first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
            if (
                sequence == incoming.next_sequence
                and timestamp == incoming.next_timestamp
                and ssrc == incoming.ssrc
                and second == self._far_type
                and first == VERSION_2
            ):
                payload = data[HEADER_BYTES:]
                incoming.follow(now_s, len(payload))
                self._pass_on(sequence, timestamp, payload, now_s)
                if self._tied is None:
                    self._tie_if_found(now_s)
                elif self._listener is not None and self._listener.takes(self._far_law):
                    self._run_on(self._listener, len(data))
                return
        self._examine(data, addr, now_s)

    def _run_on(self, listener: End, size: int) -> None:
        """Let what comes go straight to who hears it, as long as nothing else happens."""
        reel = None
        if self._note is not None:
            reel = self._note.reel(self._incoming.next_timestamp, size - HEADER_BYTES, self._expansion)
            if reel is None:
                return
        source = Source(self._incoming, self._pair.rtp, self._far_type, reel, self._stray, self.end_run)
        self._run = Run.begun(source, listener.sink, self._inbox, size)
        if self._run is not None:
            self._heard_by, listener.hears = listener, self
            self._inbox.hand(self._pair.rtp, self._run.arrived)

    def _stray(self, data: bytes, now_s: float) -> None:
        addr = self._tied
        self.end_run()
        if addr is not None:
            self._hear(data, addr, now_s)

    def count_run(self) -> None:
        """What has come in a run that goes on."""
        if self._run is not None:
            self._run.settle()

    def end_run(self) -> None:
        """What comes is looked at again; the streams are as they would be if all of it had been."""
        run, self._run = self._run, None
        if run is None:
            return
        run.settle()
        self._inbox.hand(self._pair.rtp, self._arrived)
        listener, self._heard_by = self._heard_by, None
        if listener is not None:
            listener.hears = None

    def _end_runs(self) -> None:
        """From here, and to here."""
        self.end_run()
        if self.hears is not None:
            self.hears.end_run()

    def _report_arrived(self, _now_s: float) -> None:
        with suppress(OSError):
            self.reports.hear(*self._pair.rtcp.recvfrom(_DATAGRAM_BYTES))

    def _examine(self, data: bytes, addr: _Address, now_s: float) -> None:
        if self.terms is None:
            return
        if self.terms.rtcp_mux and is_rtcp(data):
            self.reports.take(data, addr)
            return
        packet = parse(data)
        most = MAX_PAYLOAD_BYTES if self._interpreter is None else codecs.MOST_BYTES
        if packet is None or not 0 < len(packet.payload) <= most:
            return
        law = self._laws.get(packet.payload_type)
        if law is None and packet.payload_type != self.terms.event_type:
            return
        if not self._is_theirs(addr, packet.ssrc, now_s):
            return
        if self._interpreter is None:
            self._take(packet, law, now_s)
            return
        lost, heard = self._interpreter.mended(packet), self._interpreter.opened(packet)
        if lost is not None:
            self._pass_on(lost.sequence, lost.timestamp, lost.payload, now_s)
        if heard is not None:
            self._take(heard, law, now_s)
        self._far_type = -1

    def _take(self, packet: Packet, law: Law | None, now_s: float) -> None:
        """A packet of theirs, as the house hears it."""
        if law is None:
            self._take_event(packet, now_s)
        elif len(packet.payload) <= MAX_PAYLOAD_BYTES:
            self._incoming.take(packet, now_s)
            self._far_type, self._far_law, self._expansion = packet.payload_type, law, EXPANSIONS[law]
            self._pass_on(packet.sequence, packet.timestamp, packet.payload, now_s)

    def _is_theirs(self, addr: _Address, ssrc: int, now_s: float) -> bool:
        incoming = self._incoming
        if addr != self._source:
            if self._source is not None and addr != self._signalled:
                return False
            self._source = self._target = addr
            incoming.ssrc = None  # another source is another stream, should it even show the same SSRC
            self.reports.host = str(addr[0])
        elif incoming.ssrc != ssrc and now_s - incoming.arrived_s < _SSRC_SILENT_S:
            return False
        if incoming.ssrc != ssrc:
            self._reader.restart()
        return True

    def _take_event(self, packet: Packet, now_s: float) -> None:
        self._incoming.take_event(packet, now_s)
        for heard in self._reader.take(packet.payload, packet.timestamp, now_s):
            self._owner.digit_heard(self.slot, heard)
        if self._listener is not None:
            self._listener.forward_event(packet, self._incoming.generation, now_s)

    def _pass_on(self, sequence: int, timestamp: int, payload: bytes, now_s: float) -> None:
        note = self._note
        if note is not None:
            note.note(now_s, timestamp, payload, self._expansion)
        listener = self._listener
        if listener is not None:
            listener.relay(self._far_law, self._incoming.generation, sequence, timestamp, payload, now_s)

    # What goes

    def relay(self, law: Law, generation: int, sequence: int, timestamp: int, payload: bytes, now_s: float) -> None:
        """A packet of the other far end's voice, under this one's law, unless digits are being sent."""
        if self._digits is not None:
            return
        if law is not self._law:
            payload = payload.translate(TRANSCODE[law, self._law])
        self._send(self._voice.relayed(self._payload_type, generation, sequence, timestamp, payload, now_s))

    def takes(self, law: Law) -> bool:
        """Whether another far end's packets under this law go out as they came, but for their header."""
        return (
            law is self._law
            and self._tied is not None
            and self._digits is None
            and self._shield is None
            and self._interpreter is None
        )

    @property
    def sink(self) -> Sink:
        """Where they go."""
        return Sink(self._voice, self._pair.rtp, self._payload_type)

    def forward_event(self, packet: Packet, generation: int, now_s: float) -> None:
        """A digit of the other far end's, as it is, where this one takes digits."""
        event_type = self.terms.event_type if self.terms is not None else None
        if event_type is None or self._digits is not None:
            return
        second = event_type | (0x80 if packet.marker else 0)
        self._send(self._voice.relayed(second, generation, packet.sequence, packet.timestamp, packet.payload, now_s))

    def tick(self, now_s: float) -> None:
        """The next 20 ms of what we send ourselves: a digit, else what is played, else silence."""
        step = self._next_step()
        if step is not None and step.payload is not None and self.terms is not None:
            self._send_event(step, self.terms.event_type, now_s)
            return
        frame = self._played.frame(self._law) if self._played is not None else None
        if self._played is not None and frame is None:
            self._played = None
            self._owner.played(self.slot)
        if self.terms is not None and self.terms.far_hears:
            silence = SILENCE[self._law] * FRAME_SAMPLES
            self._send(self._voice.paced(self._payload_type, frame or silence, now_s))

    def _next_step(self) -> telephone_event.Written | None:
        if self._digits is None:
            if not self._digits_waiting:
                return None
            self._digits = telephone_event.write(self._digits_waiting)
            self._digits_waiting = ""
        step = next(self._digits, None)
        if step is None:
            self._digits = None
            self._settle()
        return step

    def _send_event(self, step: telephone_event.Written, event_type: int | None, now_s: float) -> None:
        if step.payload is None or event_type is None:
            return
        if step.first:
            self._digit_start = self._voice.timestamp
        self._send(self._voice.event(event_type, step.payload, self._digit_start, first=step.first, now_s=now_s))

    def _send(self, packet: bytes) -> None:
        # Straight to the socket: the loop's transport would queue what the kernel cannot take, and sound is
        # worth nothing later.
        target = self._target
        if self._interpreter is not None:
            translated = self._interpreter.sealed(packet, self._law)
            if translated is None:
                return
            packet = translated
        if self._shield is not None:
            sealed = self._shield.sealed(packet)
            if sealed is None:
                return
            packet = sealed
        if target is not None:
            try:
                if self._tied is not None:
                    self._send_there(packet)
                else:
                    self._send_to(packet, target)
            except OSError:  # `suppress` would take longer than all else here
                pass

    def _tie_if_found(self, now_s: float) -> None:
        if self._tied is None and self._target is not None and self._source == self._signalled and self._shield is None:
            self._tie(self._target, now_s)

    def _tie(self, addr: _Address, now_s: float) -> None:
        """Nobody but the signalled address is heard any more: let the kernel see to that from now on.

        What waits is still read by who sent it.
        """
        with suppress(OSError):
            self._pair.rtp.connect(addr)
            self._tied = addr
            for _ in range(_MAX_WAITING):
                self._examine(*self._receive_from(_DATAGRAM_BYTES), now_s)

    def _untie(self) -> None:
        if self._tied is not None:
            self._tied = None
            untie(self._pair.rtp)

    def _settle(self) -> None:
        """Be called every 20 ms exactly while it is we who make the sound: nobody is sent silence who hears none."""
        terms, sending_digits = self.terms, self._digits is not None or bool(self._digits_waiting)
        makes_silence = not self._relayed and terms is not None and terms.far_hears
        if terms is not None and (sending_digits or self._played is not None or makes_silence):
            self._ticker.add(self)
        else:
            self._ticker.remove(self)


def _share(lost: int, of: int) -> float:
    """From 0 to 1: what came late or twice may make a loss undone."""
    return min(1.0, max(0, lost) / max(1, of))
