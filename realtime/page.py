"""One WebSocket of a page: a protocol of our own on the connection that aiohttp's request came by.

No task is woken to write, nor to take what waits for nothing: `docs/decisions/0050-own-sockets.md`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Self

from aiohttp import web

from realtime.bucket import Bucket
from realtime.errors import FrameRefused
from realtime.framing import Deframer, Opcode, answer_to_close, closing, framed
from realtime.handshake import accepted
from realtime.messages import Close, Control, Up
from realtime.settings import SocketSettings
from realtime.wire import Reader, encode

_CLOSING_S = 2.0
"""How long a far end that does not answer our close, or does not take what it was sent, is waited for."""

_TEXT = int(Opcode.TEXT)
Heard = Up | FrameRefused
"""What a text was. (A frame that is refused may be a command, so its answer waits for its turn too.)"""

_BEATS = 3
"""In the time after which a silent far end is given up; it is pinged one before the last."""


def _nothing() -> None:
    """Nobody waits for room."""


class Page(asyncio.Protocol):
    """A socket that is open. Closing it is started at once and ends by itself, whatever the far end does.

    It takes the connection over from aiohttp (`former`), which still has to hear that it is lost.
    """

    __slots__ = (
        "_beat_s",
        "_deframer",
        "_former",
        "_frames",
        "_gone",
        "_is_closing",
        "_is_paused",
        "_loop",
        "_most_bytes",
        "_reader",
        "_received_bytes",
        "_silent_beats",
        "_timer",
        "_transport",
        "_waiter",
        "is_full",
        "is_taken",
        "on_note",
        "on_room",
        "on_turn",
        "received",
    )

    def __init__(
        self, transport: asyncio.Transport, former: asyncio.BaseProtocol, reader: Reader, settings: SocketSettings
    ) -> None:
        self.is_full = False
        """The far end does not take what it is sent: nothing more is to be written until there is room."""
        self.on_room: Callable[[], None] = _nothing
        """Called when it is full no more."""
        self.on_note: Callable[[Up], None] | None = None
        """Takes what waits for nothing as soon as it comes, once the page is greeted; may raise `FrameRefused`."""
        self.on_turn: Callable[[], None] = self._wake
        """Called when something waits for its turn; then not again while it `is_taken`."""
        self.received: list[Heard] = []
        """What has come and waits for its turn: see `take`."""
        self.is_taken = False
        """Somebody is on it; whoever was called says so when they have found nothing more."""
        self._transport, self._former, self._reader = transport, former, reader
        self._loop = asyncio.get_running_loop()
        self._most_bytes = settings.frame_bytes
        self._deframer = Deframer(settings.frame_bytes)
        self._frames = Bucket(settings.frames_per_s, settings.frames_burst)
        self._received_bytes = 0
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._is_closing = False
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._silent_beats = 0
        self._beat_s = settings.dead_s / _BEATS
        self._timer = self._loop.call_later(self._beat_s, self._beat)

    @classmethod
    def accept(cls, request: web.Request, reader: Reader, settings: SocketSettings) -> Self:
        """Answer the upgrade, and take the connection. Raises `web.HTTPException` for a request that asks for none."""
        head = accepted(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the far end left during the upgrade")
        page = cls(transport, request.protocol, reader, settings)
        transport.set_protocol(page)
        page._transport.write(head)
        return page

    # --- what the far end does ---------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._silent_beats = 0
        now = time.monotonic()
        for opcode, payload in self._deframer.feed(data):
            if not self._frames.take(now):
                self.close(Close.RATE, "rate")
            elif opcode == _TEXT and not self._is_closing:
                self._hear(payload)
            else:
                self._take(opcode, payload)
        if self._deframer.fault is not None:
            self.close(self._deframer.fault, self._deframer.fault.name.lower())
        if self.received:
            if not self.is_taken:
                self.is_taken = True
                self.on_turn()
            if self._received_bytes > self._most_bytes and not self._is_paused and not self._is_closing:
                self._is_paused = True
                self._transport.pause_reading()

    def _hear(self, text: bytes | bytearray) -> None:
        heard: Heard
        try:
            heard = self._reader.read(text)
            if not heard.waits and self.on_note is not None:
                self.on_note(heard)
                return
        except FrameRefused as refused:
            heard = refused.with_traceback(None)  # which would hold this frame, and this frame it
        self.received.append(heard)
        self._received_bytes += len(text)

    def _take(self, opcode: int, payload: bytes | bytearray) -> None:
        """What is no text of a socket that serves. A ping is not answered to one who does not read (section 5.5.3)."""
        if opcode == Opcode.CLOSE:
            self._answer_close(payload)
        elif opcode == Opcode.PING and not self._is_closing and not self.is_full:
            self._transport.write(framed(bytes(payload), Opcode.PONG))
        elif opcode == Opcode.BINARY:
            self.close(Close.MALFORMED, "malformed")

    def _answer_close(self, payload: bytes | bytearray) -> None:
        """The far end closes, or answers our close: the server closes the connection first (section 7.1.1)."""
        if not self._is_closing:
            self.close(answer_to_close(payload), "")
        self._transport.close()

    def pause_writing(self) -> None:
        """The transport holds more than it wants to."""
        self.is_full = True

    def resume_writing(self) -> None:
        """The far end has taken most of it."""
        self.is_full = False
        self.on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._is_closing = True
        self._timer.cancel()
        self._wake()
        self.on_note, self.on_turn, self.on_room = None, _nothing, _nothing  # which hold what holds this
        if not self._gone.done():
            self._gone.set_result(None)
        self._former.connection_lost(exc)

    # --- what we do --------------------------------------------------------------------------------------------------

    async def first(self) -> Heard | None:
        """The first frame that has come; None once the socket is closing."""
        while not self.received and not self._is_closing:
            await self._news()
        return self.received.pop(0) if self.received else None

    def serve(self, on_note: Callable[[Up], None], on_turn: Callable[[], None]) -> None:
        """The page is greeted: what comes from now on, and what came behind its hello, is for these."""
        self.on_note, self.on_turn = on_note, on_turn
        self.is_taken = bool(self.received)
        if self.received:
            on_turn()

    def take(self) -> list[Heard]:
        """All that has come and waits for its turn."""
        received, self.received, self._received_bytes = self.received, [], 0
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()
        return received

    async def closing(self) -> None:
        """Wait until the socket is closing, whoever closes it."""
        while not self._is_closing:
            await self._news()

    async def _news(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def write(self, frames: bytes) -> None:
        """Send frames that are made already."""
        if not self._is_closing:
            self._transport.write(frames)

    def waiting_bytes(self) -> int:
        """Bytes that were written and that the far end has not taken."""
        return self._transport.get_write_buffer_size()

    def close(self, code: int, reason: str, last_word: Control | None = None) -> None:
        """Start closing, after a last word; the first reason given stands."""
        if self._is_closing:
            return
        if last_word is not None:
            self.write(framed(encode(last_word)))
        self.write(closing(code, reason))
        self._is_closing = True
        self._timer.cancel()
        self._timer = self._loop.call_later(_CLOSING_S, self._transport.abort)
        self._wake()

    async def closed(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.shield(self._gone)

    def _beat(self) -> None:
        self._silent_beats += 1
        if self._silent_beats == _BEATS:
            self._transport.abort()
            return
        if self._silent_beats == _BEATS - 1:
            self.write(framed(b"", Opcode.PING))
        self._timer = self._loop.call_later(self._beat_s, self._beat)
