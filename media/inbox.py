"""All sockets of an engine, watched as one.

The loop's own transports read each socket until it is empty, which is another call of the kernel for every packet, and
write down for every packet who sent it. Here a turn of the loop takes one packet from each socket that has one, and
whoever owns the socket reads it as it needs. Linux only, as the whole gateway is: `epoll`.
"""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_IN_A_TURN = 64
"""Packets. At some 12 µs each the rest of the loop, and the 20 ms of what is played, wait less than a millisecond."""


class Inbox:
    """Says to each owner of a socket that a packet waits there."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._owners: dict[int, Callable[[], None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, sock: socket.socket, arrived: Callable[[], None]) -> None:
        """Begin to call `arrived` for each packet, or error, that waits. It may find nothing there."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._deliver)
        self._owners[sock.fileno()] = arrived
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def remove(self, sock: socket.socket) -> None:
        """Cease to, before the socket is closed; again is no harm."""
        if self._owners.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._loop = None
        self._owners.clear()
        self._epoll.close()

    def _deliver(self) -> None:
        owners = self._owners
        for number, _ in self._epoll.poll(0, _IN_A_TURN):
            arrived = owners.get(number)
            if arrived is not None:  # none where an earlier packet of this turn closed the socket
                arrived()
