"""The sockets: UDP and TCP on one port, TLS on another, pages' own. The guard is asked before anything is parsed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from dataclasses import dataclass
from typing import Protocol

from channels.phone.connection import Connection
from channels.phone.errors import NotBound
from channels.phone.flow import Flow, Protocol3261, SocketAddress
from channels.phone.guard import Guard
from channels.phone.sip.framing import Frame, frame_datagram
from channels.phone.sip.stun import answer_binding

_RECEIVE_BUFFER = 4 * 1024 * 1024
_PORT_ATTEMPTS = 32
_WAITING_LIMIT = 16
_ANY = frozenset({"0.0.0.0", "::"})  # noqa: S104 - a comparison


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Where to listen and how long to wait, in seconds. Port 0 takes a free one, the same for UDP and TCP."""

    host: str = "127.0.0.1"
    host6: str = ""
    """A second address, of the other family; empty listens on one."""
    port: int = 0
    advertised_host: str = ""
    tls: ssl.SSLContext | None = None
    """With our certificate; None takes no TLS."""
    tls_port: int = 0
    verifying: ssl.SSLContext | None = None
    """For connections that we make; None trusts whom the system trusts."""
    message_s: float = 10.0
    """A message must be whole this long after its first byte, and a new connection must bring its first in it."""
    idle_s: float = 900.0
    connect_s: float = 4.0
    connections: int = 8_000
    connections_per_host: int = 200

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every address listened on, the main one first."""
        return (self.host, self.host6) if self.host6 else (self.host,)


class Receiver(Protocol):
    """Who takes what comes in."""

    def received(self, frame: Frame, flow: Flow) -> None:
        """One message, perhaps a defective one."""
        ...

    def lost(self, flow: Flow) -> None:
        """A connection ended, or could not be made."""
        ...


class Link(Protocol):
    """A connection that is there."""

    flow: Flow

    def write(self, data: bytes) -> None:
        """Send a message."""
        ...

    def keep(self, idle_s: float) -> None:
        """Let it be silent for that long."""
        ...

    def abort(self) -> None:
        """Cut it."""
        ...


class Transport:
    """All sockets. `send` never waits; where no connection is it connects in the background, if one can be made."""

    def __init__(self, settings: TransportSettings, guard: Guard, receiver: Receiver) -> None:
        self.settings = settings
        self.guard = guard
        self.receiver = receiver
        self.links: dict[Flow, Link] = {}
        self._per_host: dict[str, int] = {}
        self._datagrams: dict[bool, asyncio.DatagramTransport] = {}
        self._servers: list[asyncio.Server] = []
        self._ports = (0, 0)
        self._connecting: dict[Flow, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._local_host = functools.lru_cache(maxsize=1024)(_route_source)

    async def open(self) -> None:
        """Bind all; a free port that another has for UDP, or on the other address, is tried again."""
        for attempt in range(_PORT_ATTEMPTS):
            async with contextlib.AsyncExitStack() as undo:
                undo.push_async_callback(self._close_sockets)
                try:
                    port, tls_port = self.settings.port, 0
                    for host in self.settings.hosts:
                        port = await self._bind(host, port)
                    if self.settings.tls is not None:
                        tls_port = self.settings.tls_port
                        for host in self.settings.hosts:
                            tls_port = await self._listen(host, tls_port, Protocol3261.TLS, self.settings.tls)
                except OSError:
                    if self.settings.port or attempt == _PORT_ATTEMPTS - 1:
                        raise
                    continue
                self._ports = (port, tls_port)
                undo.pop_all()
                return

    async def close(self) -> None:
        """Close every socket and connection."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in tuple(self.links.values()):
            link.abort()
        await self._close_sockets()
        # One turn lets the transports say goodbye to their protocols.
        await asyncio.sleep(0)

    @property
    def bound(self) -> SocketAddress:
        """The main address, for UDP and TCP."""
        if not self._servers:
            raise NotBound
        return (self.settings.host, self._ports[0])

    @property
    def tls_port(self) -> int:
        """Where TLS is listened for; 0 where it is not."""
        return self._ports[1]

    def local(self, flow: Flow) -> SocketAddress:
        """The address by which a peer reaches us by such a flow."""
        port = self._ports[1] if flow.protocol is Protocol3261.TLS and self._ports[1] else self.bound[1]
        return (self._local(flow.remote[0]), port)

    def send(self, data: bytes, flow: Flow) -> None:
        """Put a message on its way; what cannot be sent is reported by `Receiver.lost`, or over UDP not at all."""
        if not flow.is_reliable:
            datagrams = self._datagrams.get(":" in flow.remote[0])
            if datagrams is not None and not datagrams.is_closing():
                datagrams.sendto(data, flow.remote)
            return
        if self.write(data, flow):
            return
        if (waiting := self._connecting.get(flow)) is not None:
            if len(waiting) < _WAITING_LIMIT:
                waiting.append(data)
        elif not flow.can_be_made:
            asyncio.get_running_loop().call_soon(self.receiver.lost, flow)
        else:
            self._connecting[flow] = [data]
            task = asyncio.get_running_loop().create_task(self._connect(flow))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def write(self, data: bytes, flow: Flow) -> bool:
        """Put bytes on a connection that is there; False where none is."""
        link = self.links.get(flow)
        if link is None:
            return False
        link.write(data)
        return True

    def keep(self, flow: Flow, idle_s: float) -> None:
        """A telephone is registered by that connection: let it be silent for so long."""
        link = self.links.get(flow)
        if link is not None:
            link.keep(idle_s)

    def cut(self, flow: Flow) -> None:
        """End a connection."""
        link = self.links.get(flow)
        if link is not None:
            link.abort()

    def joined(self, link: Link) -> bool:
        """Count a new connection in; False when there are too many of them."""
        host = link.flow.remote[0]
        mine = self._per_host.get(host, 0)
        if len(self.links) >= self.settings.connections or mine >= self.settings.connections_per_host:
            return False
        self._per_host[host] = mine + 1
        self.links[link.flow] = link
        return True

    def left(self, link: Link) -> None:
        """Count a connection out."""
        if self.links.get(link.flow) is not link:
            return
        del self.links[link.flow]
        host = link.flow.remote[0]
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        self.receiver.lost(link.flow)

    async def _bind(self, host: str, port: int) -> int:
        """UDP and TCP on one port of one address."""
        port = await self._listen(host, port, Protocol3261.TCP)
        datagrams, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self), sock=_bound_socket((host, port))
        )
        self._datagrams[":" in host] = datagrams
        return port

    async def _listen(self, host: str, port: int, protocol: Protocol3261, tls: ssl.SSLContext | None = None) -> int:
        loop = asyncio.get_running_loop()
        handshake_s = self.settings.message_s if tls is not None else None
        server = await loop.create_server(
            lambda: Connection(self, protocol, is_ours=False),
            host,
            port,
            backlog=512,
            ssl=tls,
            ssl_handshake_timeout=handshake_s,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _close_sockets(self) -> None:
        for datagrams in self._datagrams.values():
            datagrams.close()
        for server in self._servers:
            server.close()
        for server in self._servers:
            await server.wait_closed()
        self._datagrams.clear()
        self._servers.clear()

    async def _connect(self, flow: Flow) -> None:
        loop = asyncio.get_running_loop()
        is_tls = flow.protocol is Protocol3261.TLS
        try:
            async with asyncio.timeout(self.settings.connect_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, flow.protocol, is_ours=True),
                    *flow.remote,
                    ssl=self._verifying if is_tls else None,
                    server_hostname=(flow.name or flow.remote[0]) if is_tls else None,
                )
        except (OSError, TimeoutError):
            self._connecting.pop(flow, None)
            self.receiver.lost(flow)
            return
        for data in self._connecting.pop(flow, []):
            connection.write(data)

    @functools.cached_property
    def _verifying(self) -> ssl.SSLContext:
        """Made at the first connection that needs it: reading whom the system trusts takes some 20 ms."""
        return self.settings.verifying or ssl.create_default_context()

    def _local(self, remote_host: str) -> str:
        """The address configured, or the one bound, or the one that the route to the peer would use."""
        advertised = self.settings.advertised_host
        if advertised and (":" in advertised) == (":" in remote_host):
            return advertised
        fitting = [host for host in self.settings.hosts if (":" in host) == (":" in remote_host)]
        host = fitting[0] if fitting else self.settings.host
        return self._local_host(remote_host) if host in _ANY else host


class _Datagrams(asyncio.DatagramProtocol):
    """UDP: one datagram, one message."""

    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._now = asyncio.get_running_loop().time

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # as UDP's are
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        remote, guard, now = (addr[0], addr[1]), self._owner.guard, self._now()
        if not guard.admit(remote[0], now) or guard.is_scan(remote[0], data, now):
            return
        # A SIP message begins with a letter, a line end or a blank: its first byte is never below 4, as STUN's is.
        if data[:1] < b"\x04" and (answer := answer_binding(data, remote)) is not None:
            self._transport.sendto(answer, remote)
            return
        frame = frame_datagram(data)
        if frame is not None:
            self._owner.receiver.received(frame, Flow(Protocol3261.UDP, remote))


def _bound_socket(address: SocketAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    with contextlib.ExitStack() as undo:
        undo.callback(bound.close)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if family == socket.AF_INET6:
            # The other family has a socket of its own: no address comes in two forms.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
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
