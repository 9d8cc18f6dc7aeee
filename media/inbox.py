"""All sockets of an engine, watched as one.

The loop's own transports read each socket until it is empty, which is another call of the kernel for every packet, and
write down for every packet who sent it. Here a turn of the loop takes one packet from each socket that has one, and
whoever owns the socket reads it as it needs. Linux only, as the whole gateway is: `epoll`.
"""

from __future__ import annotations

import asyncio
import select
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import SocketType

_IN_A_TURN = 64
"""Packets. At some 12 µs each the rest of the loop, and the 20 ms of what is played, wait less than a millisecond."""

ROOM_BYTES = 2048
"""More than any packet that is taken: what is longer is cut, and so seen to be too long."""


class Inbox:
    """Says to each owner of a socket that a packet waits there."""

    def __init__(self) -> None:
        self.room = bytearray(ROOM_BYTES)
        """Where owners may read a packet to, and send it on from: it is theirs until they return."""
        whole = memoryview(self.room)
        self.packets = tuple(whole[:size] for size in range(ROOM_BYTES + 1))
        """The room's first octets, for each number of them."""
        self._epoll = select.epoll()
        self._owners: dict[int, Callable[[float], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, sock: SocketType, arrived: Callable[[float], None]) -> None:
        """Begin to call `arrived`, with the time, for each packet, or error, that waits. It may find nothing there."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._deliver)
        self._owners[sock.fileno()] = arrived
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def hand(self, sock: SocketType, arrived: Callable[[float], None]) -> None:
        """Call another one from now on, for a socket that is watched."""
        if sock.fileno() in self._owners:
            self._owners[sock.fileno()] = arrived

    def forget(self, sock: SocketType) -> None:
        """Cease to, before the socket is closed, by which the system ceases to watch it; again is no harm."""
        self._owners.pop(sock.fileno(), None)

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._loop = None
        self._owners.clear()
        self._epoll.close()

    def _deliver(self) -> None:
        owners, poll, left = self._owners, self._epoll.poll, _IN_A_TURN
        # More will have come meanwhile: to look again takes less than a turn of the loop does.
        while left > 0 and (waiting := poll(0, left)):
            left -= len(waiting)
            now_s = monotonic()
            for number, _ in waiting:
                arrived = owners.get(number)
                if arrived is not None:  # none where an earlier packet of this turn closed the socket
                    arrived(now_s)
