"""The sockets: UDP and TCP on one port. Bytes in, frames out; the guard is asked before anything is parsed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, cast

from channels.phone.errors import NotBound
from channels.phone.guard import Guard, is_scanner
from channels.phone.sip.framing import Frame, StreamFramer, frame_datagram

SocketAddress = tuple[str, int]

_RECEIVE_BUFFER = 4 * 1024 * 1024
_PORT_ATTEMPTS = 32
_UNSENT_LIMIT = 256 * 1024
_WAITING_LIMIT = 16
_LINGER_S = 1.0


class Protocol3261(StrEnum):
    """The transports served."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to a peer: a transport and the peer's address. Over TCP it names the connection while there is one."""

    protocol: Protocol3261
    remote: SocketAddress
    node: str = ""
    """The node at which the connection ends, where that is another than this one."""

    @property
    def is_reliable(self) -> bool:
        """Whether nothing need be repeated on it."""
        return self.protocol is Protocol3261.TCP

    @property
    def source(self) -> str:
        """Who sends on it, as part of a transaction's name: a connection may be made anew within one, a socket not."""
        return self.remote[0] if self.is_reliable else f"{self.remote[0]}!{self.remote[1]}"

    def __str__(self) -> str:
        """As the node knows it at which it ends."""
        return f"{self.protocol}!{self.remote[0]}!{self.remote[1]}"

    @classmethod
    def parse(cls, text: str) -> Flow:
        """The inverse of `str`, for flows that are kept with a registration."""
        protocol, host, port = text.split("!")
        return cls(Protocol3261(protocol), (host, int(port)))


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Where to listen and how long to wait, in seconds. Port 0 takes a free one for both transports."""

    host: str = "127.0.0.1"
    port: int = 0
    advertised_host: str = ""
    message_s: float = 10.0
    """A message must be whole this long after its first byte, and a new connection must bring its first in it."""
    idle_s: float = 900.0
    connect_s: float = 4.0
    connections: int = 4_000
    connections_per_host: int = 200


class Receiver(Protocol):
    """Who takes what comes in."""

    def received(self, frame: Frame, flow: Flow) -> None:
        """One message, perhaps a defective one."""
        ...

    def lost(self, flow: Flow) -> None:
        """A TCP connection ended, or could not be made."""
        ...


class Transport:
    """Both sockets. `send` never waits; over TCP it connects in the background where no connection is."""

    def __init__(self, settings: TransportSettings, guard: Guard, receiver: Receiver) -> None:
        self.settings = settings
        self.guard = guard
        self.receiver = receiver
        self.connections: dict[SocketAddress, Connection] = {}
        self._per_host: dict[str, int] = {}
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connecting: dict[SocketAddress, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._local_host = functools.lru_cache(maxsize=1024)(_route_source)

    async def open(self) -> None:
        """Bind TCP first, then UDP on its port; a free port taken by another for UDP is tried again."""
        loop = asyncio.get_running_loop()
        for attempt in range(_PORT_ATTEMPTS):
            server = await loop.create_server(
                lambda: Connection(self, is_ours=False), self.settings.host, self.settings.port, backlog=512
            )
            address = (self.settings.host, int(server.sockets[0].getsockname()[1]))
            try:
                datagrams, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), sock=_bound_socket(address)
                )
            except OSError:
                server.close()
                await server.wait_closed()
                if self.settings.port or attempt == _PORT_ATTEMPTS - 1:
                    raise
                continue
            self._server, self._datagrams = server, datagrams
            return

    async def close(self) -> None:
        """Close both sockets and every connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in tuple(self.connections.values()):
            connection.abort()
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        # One turn lets the transports say goodbye to their protocols.
        await asyncio.sleep(0)

    @property
    def bound(self) -> SocketAddress:
        """The address that both sockets have."""
        if self._server is None or not self._server.sockets:
            raise NotBound
        return (self.settings.host, int(self._server.sockets[0].getsockname()[1]))

    def local_host(self, remote_host: str) -> str:
        """The address by which a peer reaches us: the one configured, bound, or that the route to it would use."""
        if self.settings.advertised_host:
            return self.settings.advertised_host
        host = self.bound[0]
        return self._local_host(remote_host) if host in {"0.0.0.0", "::"} else host  # noqa: S104 - a comparison

    def send(self, data: bytes, flow: Flow) -> None:
        """Put a message on its way; what cannot be sent is reported by `Receiver.lost` (TCP) or not at all (UDP)."""
        if flow.protocol is Protocol3261.UDP:
            if self._datagrams is not None and not self._datagrams.is_closing():
                self._datagrams.sendto(data, flow.remote)
            return
        if self.write(data, flow.remote):
            return
        if (waiting := self._connecting.get(flow.remote)) is not None:
            if len(waiting) < _WAITING_LIMIT:
                waiting.append(data)
        else:
            self._connecting[flow.remote] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def write(self, data: bytes, remote: SocketAddress) -> bool:
        """Put bytes on a TCP connection that is there; False where none is."""
        connection = self.connections.get(remote)
        if connection is None:
            return False
        connection.write(data)
        return True

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.settings.connect_s):
                _, connection = await loop.create_connection(lambda: Connection(self, is_ours=True), *flow.remote)
        except (OSError, TimeoutError):
            self._connecting.pop(flow.remote, None)
            self.receiver.lost(flow)
            return
        for data in self._connecting.pop(flow.remote, []):
            connection.write(data)

    def joined(self, connection: Connection) -> bool:
        """Count a new connection in; False when there are too many of them."""
        host = connection.remote[0]
        mine = self._per_host.get(host, 0)
        if len(self.connections) >= self.settings.connections or mine >= self.settings.connections_per_host:
            return False
        self._per_host[host] = mine + 1
        self.connections[connection.remote] = connection
        return True

    def left(self, connection: Connection) -> None:
        """Count a connection out."""
        if self.connections.get(connection.remote) is not connection:
            return
        del self.connections[connection.remote]
        host = connection.remote[0]
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        self.receiver.lost(Flow(Protocol3261.TCP, connection.remote))


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: one datagram, one message."""

    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._now = asyncio.get_running_loop().time

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        remote = (addr[0], addr[1])
        if not self._owner.guard.admit(remote[0], self._now()) or is_scanner(data):
            return
        frame = frame_datagram(data)
        if frame is not None:
            self._owner.receiver.received(frame, Flow(Protocol3261.UDP, remote))


class Connection(asyncio.Protocol):
    """One TCP connection, with its time-outs: a peer may neither trickle a message nor hold an idle line for ever."""

    def __init__(self, owner: Transport, *, is_ours: bool) -> None:
        self._owner = owner
        self._is_ours = is_ours
        self._loop = asyncio.get_running_loop()
        self._framer = StreamFramer()
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._is_midway = False
        self.remote: SocketAddress = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        if peer is None:
            self._transport.abort()
            return
        self.remote = (peer[0], peer[1])
        admitted = self._is_ours or not self._owner.guard.is_banned(self.remote[0], self._loop.time())
        if not admitted or not self._owner.joined(self):
            self._transport.abort()
            return
        self._wait(self._owner.settings.idle_s if self._is_ours else self._owner.settings.message_s)

    def data_received(self, data: bytes) -> None:
        flow = Flow(Protocol3261.TCP, self.remote)
        for frame in self._framer.feed(data):
            if not self._is_ours and not self._owner.guard.admit(self.remote[0], self._loop.time()):
                self.abort()
                return
            if frame is None:
                # RFC 5626, section 3.5.1: a ping of two line ends is answered with one.
                self.write(b"\r\n")
                continue
            if is_scanner(f"User-Agent:{frame.headers.first('user-agent')}".encode("utf-8", "replace")):
                self.abort()
                return
            self._owner.receiver.received(frame, flow)
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
            self._wait(self._owner.settings.idle_s)
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
            self._owner.receiver.received(frame, Flow(Protocol3261.TCP, self.remote))


def _bound_socket(address: SocketAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    with contextlib.ExitStack() as undo:
        undo.callback(bound.close)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        bound.setblocking(False)
        bound.bind(address)
        undo.pop_all()
    return bound


def _route_source(remote_host: str) -> str:
    """The local address that the route to a host uses; asking sends nothing."""
    family = socket.AF_INET6 if ":" in remote_host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((remote_host, 9))
        return str(probe.getsockname()[0])
