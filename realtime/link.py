"""A page's link: what outlives its sockets. One writer a socket, with a pointer into the backlog."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from realtime.backlog import Backlog
from realtime.bucket import Bucket
from realtime.framing import framed
from realtime.messages import Close, Control, Durable, Ephemeral
from realtime.settings import SocketSettings
from realtime.turn import Turn
from realtime.wire import encode, numbered

_log = logging.getLogger(__name__)

_MOST_REPLIES = 1000
"""That wait to be written: a page that asks and never reads."""


_WRITE_BYTES = 64 * 1024
"""Given to the transport at once; it holds no more while the far end does not read."""


class Endpoint(Protocol):
    """One socket, as the link sees it."""

    is_full: bool
    """Nothing is to be written until `on_room` is called."""
    on_room: Callable[[], None]

    def write(self, frames: bytes) -> None:
        """Send frames."""
        ...

    def waiting_bytes(self) -> int:
        """Bytes that were written and that the far end has not taken."""
        ...

    def close(self, code: Close, reason: str) -> None:
        """Start closing."""
        ...


class Link:
    """Durable frames are numbered, kept until confirmed, and replayed; the newest ephemeral one of a key is kept
    while a socket is there. Nothing here waits: `publish` and `mention` only note it, and what was noted in one turn of
    the loop goes out in one write. An answer goes out by itself: its page has asked alone, and waits for it.
    """

    __slots__ = (
        "_backlog",
        "_endpoint",
        "_ephemeral",
        "_is_waking",
        "_pointer",
        "_replies",
        "_settings",
        "_turn",
        "_unsent_bytes",
        "commands",
        "expects",
        "sid",
        "subject",
    )

    def __init__(self, sid: str, subject: str, settings: SocketSettings, turn: Turn) -> None:
        self.sid, self.subject = sid, subject
        self.expects: int | None = None
        """The `cseq` of the next command; None until there was one."""
        self.commands = Bucket(settings.rate_per_s, settings.burst)
        """How many more its page may send; one bucket for all links of a subject."""
        self._settings, self._turn = settings, turn
        self._backlog = Backlog(
            frames=settings.backlog_frames, keep_s=settings.resume_s, most_bytes=settings.backlog_bytes
        )
        self._endpoint: Endpoint | None = None
        self._pointer = 1
        """The number of the next durable frame to write."""
        self._unsent_bytes = 0
        self._replies: list[bytes] = []
        self._ephemeral: dict[str, bytes] = {}
        self._is_waking = False

    @property
    def is_connected(self) -> bool:
        """Whether a socket is there."""
        return self._endpoint is not None

    @property
    def last(self) -> int:
        """The number of the newest durable frame."""
        return self._backlog.last

    # --- what the peer does ------------------------------------------------------------------------------------

    def publish(self, frame: Durable) -> int:
        """Show it for certain; gives its number."""
        return self.publish_body(encode(frame))

    def publish_body(self, body: bytes) -> int:
        """The same, for a frame that was encoded once for several links."""
        seq = self._backlog.append(body, time.monotonic())
        endpoint = self._endpoint
        if endpoint is not None:
            self._unsent_bytes += len(body)
            if endpoint.is_full and self._unsent_bytes + endpoint.waiting_bytes() > self._settings.slow_bytes:
                self._give_up()
            else:
                self._wake()
        return seq

    def mention(self, frame: Ephemeral) -> None:
        """Show it if the page is there; a newer one of its key takes its place."""
        if self._endpoint is not None:
            self._ephemeral[frame.key] = framed(encode(frame))
            self._wake()

    # --- what the socket does ----------------------------------------------------------------------------------

    def can_resume(self, last: int) -> bool:
        """Whether a page that has everything up to `last` can go on."""
        return self._backlog.holds_after(last)

    def attach(self, endpoint: Endpoint, welcome: Control, after: int) -> Endpoint | None:
        """Serve this socket from now on: `welcome`, then every durable frame after `after`. Gives the former one."""
        former, self._endpoint = self._endpoint, endpoint
        self._replies.clear()
        self._ephemeral.clear()
        self._backlog.confirm(after)
        self._pointer = after + 1
        self._unsent_bytes = 0
        endpoint.on_room = self._flush
        endpoint.write(framed(encode(welcome)))
        self._flush()
        return former

    def detach(self) -> None:
        """No socket serves any more."""
        self._endpoint = None
        self._replies.clear()
        self._ephemeral.clear()

    def close(self, code: Close, reason: str) -> None:
        """Close the socket that serves; the link stays."""
        endpoint = self._endpoint
        if endpoint is not None:
            self.detach()
            endpoint.close(code, reason)

    def reply(self, frame: Control) -> None:
        """Answer on the socket that serves, at once, behind what was published before. Lost with the socket."""
        if self._is_waking:
            self._flush()
        endpoint = self._endpoint
        if endpoint is None:
            return
        reply = framed(encode(frame))
        if not endpoint.is_full:
            endpoint.write(reply)
            return
        self._replies.append(reply)
        if len(self._replies) > _MOST_REPLIES:
            self._give_up()

    def confirm(self, seq: int) -> bool:
        """The page has everything up to `seq`. False where that was never sent."""
        if seq >= self._pointer:
            return False
        self._backlog.confirm(seq)
        return True

    # --- the writer ----------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._is_waking:
            self._is_waking = True
            self._turn.put_off(self._flush)

    def _flush(self) -> None:
        """Write what waits, as far as the far end takes it."""
        self._is_waking = False
        endpoint = self._endpoint
        if endpoint is None:
            return
        if self._backlog.first > self._pointer:
            self._give_up()  # more came in one turn than is kept
            return
        while not endpoint.is_full and (due := self._due()):
            endpoint.write(b"".join(due))

    def _due(self) -> list[bytes]:
        """Frames for one write, in order."""
        due: list[bytes] = []
        written = 0
        while self._pointer <= self._backlog.last and written < _WRITE_BYTES:
            body = self._backlog[self._pointer]
            due.append(framed(numbered(body, self._pointer)))
            written += len(body)
            self._pointer += 1
        self._unsent_bytes -= min(self._unsent_bytes, written)
        if written < _WRITE_BYTES:
            due += self._replies
            due += self._ephemeral.values()
            self._replies.clear()
            self._ephemeral.clear()
        return due

    def _give_up(self) -> None:
        """The page does not read: what it lacks is kept for when it comes back, as far as the backlog goes."""
        _log.info("a page reads too slowly; its socket is closed")
        self.close(Close.SLOW, "slow")
