"""Pairs of UDP sockets: an even port for RTP and the odd one above it for RTCP (RFC 3550, section 11)."""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import suppress
from typing import NamedTuple

from media.errors import NoPortFree

_ANY_PORT_TRIES = 64
_NO_ADDRESS = bytes(16)
"""A socket address of the family AF_UNSPEC."""

_libc = ctypes.CDLL(None, use_errno=True)


class Pair(NamedTuple):
    """Two bound, non-blocking sockets."""

    rtp: socket.socket
    rtcp: socket.socket

    @property
    def port(self) -> int:
        """The RTP port."""
        port: int = self.rtp.getsockname()[1]
        return port

    def close(self) -> None:
        """Free both ports."""
        self.rtp.close()
        self.rtcp.close()


def address_of(host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """A socket address as the system reports it, so that the two compare equal."""
    return (host, port, 0, 0) if ":" in host else (host, port)


def untie(sock: socket.socket) -> None:
    """Let a connected socket hear everybody again (connect(2)), which Python has no call for. Raises `OSError`."""
    if _libc.connect(sock.fileno(), _NO_ADDRESS, len(_NO_ADDRESS)) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address_of(host, port))
    except OSError:
        bound.close()
        raise
    return bound


class PortRange:
    """Hands out pairs from `lowest` to `highest`, or of any free ports when both are 0.

    It goes round the range, so that a port rests before its next use: late packets of an old call find no one.
    """

    def __init__(self, ports: tuple[int, int]) -> None:
        lowest, highest = ports
        self._ports = ports
        self._evens = range(lowest + lowest % 2, highest, 2)
        self._turn = 0

    def bind(self, host: str) -> Pair:
        """A free pair on an address of this machine. Raises `NoPortFree`."""
        if self._ports == (0, 0):
            return self._bind_any(host)
        for _ in self._evens:
            even = self._evens[self._turn % len(self._evens)]
            self._turn += 1
            with suppress(OSError):
                return self._bind_pair(host, even)
        raise NoPortFree(host, self._ports)

    def _bind_any(self, host: str) -> Pair:
        for _ in range(_ANY_PORT_TRIES):
            with suppress(OSError):
                with _bind(host, 0) as free:
                    port = free.getsockname()[1]
                # Bound by its number: one that the kernel chose would lose it in `untie`.
                return self._bind_pair(host, port - port % 2)
        raise NoPortFree(host, self._ports)

    @staticmethod
    def _bind_pair(host: str, even: int) -> Pair:
        rtp = _bind(host, even)
        try:
            return Pair(rtp, _bind(host, even + 1))
        except OSError:
            rtp.close()
            raise
