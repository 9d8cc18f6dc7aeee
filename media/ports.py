"""Pairs of UDP sockets: an even port for RTP and the odd one above it for RTCP (RFC 3550, section 11)."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import socket
from socket import SocketType
from typing import NamedTuple

from media.errors import NoPortFree

_ANY = (32_768, 60_999)
"""Where Linux looks for a free port itself, by default."""
_DATAGRAMS = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_NO_ADDRESS = bytes(16)
"""A socket address of the family AF_UNSPEC."""

_libc = ctypes.CDLL(None, use_errno=True)


class Pair(NamedTuple):
    """Two bound, non-blocking sockets."""

    rtp: SocketType
    rtcp: SocketType
    port: int
    """The RTP port."""

    def close(self) -> None:
        """Free both ports."""
        self.rtp.close()
        self.rtcp.close()


def address_of(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """A socket address as the system reports it, so that the two compare equal."""
    return (host, port, 0, 0) if ":" in host else (host, port)


def untie(sock: SocketType) -> None:
    """Let a connected socket hear everybody again (connect(2)), which Python has no call for. Raises `OSError`."""
    if _libc.connect(sock.fileno(), _NO_ADDRESS, len(_NO_ADDRESS)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _bind(host: str, port: int) -> SocketType:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # What `socket.socket` is made of: the rest of it, which nobody needs here, takes as long as the system does.
    bound = SocketType(family, _DATAGRAMS)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address_of(host, port))
    except OSError:
        bound.close()
        raise
    return bound


class PortRange:
    """Hands out pairs from `lowest` to `highest`, or of any free ports when both are 0.

    It goes round the range, so that a port rests before its next use: late packets of an old call find no one. Any free
    ones are looked for from anywhere: others on this machine do so too.
    """

    def __init__(self, ports: tuple[int, int]) -> None:
        self._ports = ports
        lowest, highest = _ANY if ports == (0, 0) else ports
        self._evens = range(lowest + lowest % 2, highest, 2)
        self._turn = secrets.randbelow(len(self._evens)) if ports == (0, 0) else 0

    def bind(self, host: str) -> Pair:
        """A free pair on an address of this machine. Raises `NoPortFree`."""
        for _ in self._evens:
            even = self._evens[self._turn % len(self._evens)]
            self._turn += 1
            try:
                return self._bind_pair(host, even)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:  # no address of ours, or no file left: so it would be with any port
                    break
        raise NoPortFree(host, self._ports)

    @staticmethod
    def _bind_pair(host: str, even: int) -> Pair:
        rtp = _bind(host, even)
        try:
            return Pair(rtp, _bind(host, even + 1), even)
        except OSError:
            rtp.close()
            raise
