"""Flows: the ways to peers (RFC 5626, section 3.1). A registration is kept with its flow; a call goes back by it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

SocketAddress = tuple[str, int]


class Protocol3261(StrEnum):
    """The transports served: those of RFC 3261, and the WebSocket of RFC 7118."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    WS = "ws"
    WSS = "wss"


_SECURE = frozenset({Protocol3261.TLS, Protocol3261.WSS})
_PAGES = frozenset({Protocol3261.WS, Protocol3261.WSS})


@dataclass(frozen=True, slots=True)
class Flow:
    """A transport and the peer's address. Over anything but UDP it names the connection while there is one."""

    protocol: Protocol3261
    remote: SocketAddress
    node: str = ""
    """The node at which the connection ends, where that is another than this one."""
    name: str = field(default="", compare=False)
    """What the peer's certificate must name, where the connection is yet to be made; empty: its address."""
    beyond: str = field(default="", compare=False)
    """The address that a request came from, where the peer is a proxy of ours; else empty."""

    @property
    def origin(self) -> str:
        """The address whose doing it is: what is counted, believed and barred goes by it."""
        return self.beyond or self.remote[0]

    @property
    def is_reliable(self) -> bool:
        """Whether nothing need be repeated on it."""
        return self.protocol is not Protocol3261.UDP

    @property
    def is_secure(self) -> bool:
        """Whether nobody else can read it."""
        return self.protocol in _SECURE

    @property
    def can_be_made(self) -> bool:
        """Whether we may connect: nobody listens for connections inside a page."""
        return self.protocol not in _PAGES

    def towards(self, address: SocketAddress) -> Flow:
        """The way to another address by the same socket; a connection leads nowhere else."""
        return self if self.is_reliable or address == self.remote else replace(self, remote=address)

    @property
    def source(self) -> str:
        """Who sends on it, as part of a transaction's name: a connection may be made anew within one, a socket not."""
        return self.remote[0] if self.is_reliable else f"{self.remote[0]}!{self.remote[1]}"

    def __str__(self) -> str:
        """As the node knows it at which it ends."""
        return f"{self.protocol}!{self.remote[0]}!{self.remote[1]}"

    @classmethod
    def parse(cls, text: str) -> Flow:
        """The inverse of `str`, for flows that are kept with a registration. Raises `ValueError`."""
        protocol, host, port = text.split("!")
        return cls(Protocol3261(protocol), (host, int(port)))
