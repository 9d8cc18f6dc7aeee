"""The gateway's end of the pipe to a process that carries sound: what it is asked, and what it tells."""

from __future__ import annotations

import asyncio
from typing import Any

from media import wire
from media.errors import EngineLost, MediaError
from media.remote import RemoteCall
from media.wire import Command, Happened, Reply


class Pipe(asyncio.Protocol):
    """Lasts as long as the process. What is said is taken as it comes: no task stands between it and who awaits it."""

    def __init__(self) -> None:
        self.calls: dict[int, RemoteCall] = {}
        self.is_gone = False
        self._unread = bytearray()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = self._calls_begun = 0
        self._end = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as a stream's are
        """The process can be spoken to."""
        self._transport = transport

    async def open(self, key: str) -> RemoteCall:
        """A session that begins there with the first thing that is asked of it."""
        self._calls_begun += 1
        call = self.calls[self._calls_begun] = RemoteCall(self._calls_begun, key, self)
        return call

    def ask(self, call: int, name: str, *arguments: object, **named: object) -> asyncio.Future[Any]:
        """Have something done; what comes of it is awaited. 0 is the engine itself. Raises `MediaError`."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.is_gone:
            _fail(answer, EngineLost())
        else:
            self._numbers += 1
            self._asked[self._numbers] = answer
            self._transport.write(wire.packed(Command(self._numbers, call, name, arguments, named)))
        return answer

    def tell(self, call: int, name: str, *arguments: object, **named: object) -> None:
        """Have something done, of which nobody hears what comes."""
        if not self.is_gone:
            self._transport.write(wire.packed(Command(wire.UNANSWERED, call, name, arguments, named)))

    async def run(self) -> None:
        """Until the process is no more."""
        await self._end.wait()

    def data_received(self, data: bytes) -> None:
        """Something is said."""
        self._unread += data
        try:
            for message in wire.cut(self._unread):
                self._take(message)
        except EngineLost:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the process is no more, however
        """The process is no more: all that was asked is answered so, and calls are told."""
        self.is_gone = True
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            _fail(answer, EngineLost())
        calls, self.calls = self.calls, {}
        for call in calls.values():
            call.lost()
        self._end.set()

    def _take(self, message: wire.Message) -> None:
        match message:
            case Reply(number=number, value=value, error=error):
                answer = self._asked.pop(number, None)
                if answer is None:
                    return
                if error is not None:
                    _fail(answer, error)
                elif not answer.done():
                    answer.set_result(value)
            case Happened(call=call, event=event) if call in self.calls:
                self.calls[call].happened(event)


def _fail(answer: asyncio.Future[Any], error: MediaError) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()  # looked at, also where nobody awaits it
