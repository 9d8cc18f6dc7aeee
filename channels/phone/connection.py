"""One connection over TCP or TLS: a byte stream cut into messages, with its time-outs."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from channels.phone.flow import Flow, Protocol3261
from channels.phone.sip.framing import StreamFramer

if TYPE_CHECKING:
    from channels.phone.transport import Transport

_UNSENT_LIMIT = 256 * 1024
_LINGER_S = 1.0
_NOWHERE = ("", 0)


class Connection(asyncio.Protocol):
    """A peer may neither trickle a message nor hold an idle line for ever."""

    def __init__(self, owner: Transport, protocol: Protocol3261, *, is_ours: bool) -> None:
        self._owner = owner
        self._is_ours = is_ours
        self._loop = asyncio.get_running_loop()
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_midway = False
        self._idle_s = owner.settings.idle_s
        self.flow = Flow(protocol, _NOWHERE)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer is None:
            self._transport.abort()
            return
        self.flow = Flow(self.flow.protocol, (peer[0], peer[1]))
        host = peer[0]
        admitted = self._is_ours or not self._owner.guard.is_banned(host, self._loop.time())
        if not admitted or not self._owner.joined(self):
            self._transport.abort()
            return
        _look_for_the_dead(transport)
        self._wait(self._idle_s if self._is_ours else self._owner.settings.message_s)

    def data_received(self, data: bytes) -> None:
        for frame in self._framer.feed(data):
            if not self._is_ours and not self._owner.guard.admit(self.flow.remote[0], self._loop.time()):
                self.abort()
                return
            if frame is None:
                # RFC 5626, section 3.5.1: a ping of two line ends is answered with one.
                self.write(b"\r\n")
                continue
            said = f"User-Agent:{frame.headers.first('user-agent')}".encode("utf-8", "replace")
            if not self._is_ours and self._owner.guard.is_scan(self.flow.remote[0], said, self._loop.time()):
                self.abort()
                return
            self._owner.receiver.received(frame, self.flow)
            if not frame.is_framed:
                # Nothing more is read; answers to what came before may still be on their way.
                if self._transport is not None and not self._transport.is_closing():
                    self._transport.pause_reading()
                self._wait(_LINGER_S)
                return
        self._rest()

    def eof_received(self) -> bool:
        self._refuse_half()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._owner.left(self)

    def write(self, data: bytes) -> None:
        """Send; a peer that does not read is cut off rather than remembered for."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > _UNSENT_LIMIT:
            self.abort()
            return
        self._transport.write(data)

    def keep(self, idle_s: float) -> None:
        """Let it be silent for that long: a telephone is registered by it."""
        self._idle_s = max(self._owner.settings.idle_s, idle_s)
        self._rest()

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _rest(self) -> None:
        """Restart the wait: a message under way keeps the deadline of its first byte."""
        if self._framer.is_midway:
            if not self._is_midway:
                self._wait(self._owner.settings.message_s)
        else:
            self._wait(self._idle_s)
        self._is_midway = self._framer.is_midway

    def _wait(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._refuse_half()
        self._close()

    def _refuse_half(self) -> None:
        """RFC 4475, section 3.1.2.2: a body that never comes is refused, if its header has come."""
        frame = self._framer.give_up()
        if frame is not None:
            self._owner.receiver.received(frame, self.flow)


def _look_for_the_dead(transport: asyncio.BaseTransport) -> None:
    """A telephone without power says no goodbye: the kernel asks after a minute of silence, six times in a minute."""
    sock = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
