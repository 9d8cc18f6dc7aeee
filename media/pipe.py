"""The gateway's end of the pipe to a process that carries sound: what it is asked, and what it tells."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from media import wire
from media.errors import EngineLost
from media.remote import RemoteCall
from media.wire import Command, Happened, Reply


class Pipe:
    """Lasts as long as the process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls: dict[int, RemoteCall] = {}
        self.is_gone = False
        self._reader, self._writer = reader, writer
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = self._calls_begun = 0

    async def open(self, key: str) -> RemoteCall:
        """A session that begins there with the first thing that is asked of it."""
        self._calls_begun += 1
        call = self.calls[self._calls_begun] = RemoteCall(self._calls_begun, key, self)
        return call

    async def ask(self, call: int, name: str, *arguments: object, **named: object) -> Any:
        """Have something done, and await what comes of it; 0 is the engine itself. Raises `MediaError`."""
        answer = self.begin(call, name, *arguments, **named)
        with suppress(ConnectionError):  # `run` sees the end too, and answers so
            await self._writer.drain()
        return await answer

    def begin(self, call: int, name: str, *arguments: object, **named: object) -> asyncio.Future[Any]:
        """As `ask`, for what need not be awaited."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        number = self.tell(call, name, *arguments, **named)
        self._asked[number] = answer
        answer.add_done_callback(lambda _: self._answered(number))
        if self.is_gone:
            answer.set_exception(EngineLost())
        return answer

    def tell(self, call: int, name: str, *arguments: object, **named: object) -> int:
        """Have something done, whatever comes of it; gives the command's number."""
        self._numbers += 1
        if not self.is_gone:
            self._writer.write(wire.packed(Command(self._numbers, call, name, arguments, named)))
        return self._numbers

    async def run(self) -> None:
        """Take what is said, until the process is no more: then all that was asked is answered so, and calls told."""
        try:
            while (message := await wire.read(self._reader)) is not None:
                self._take(message)
        finally:
            self.is_gone = True
            self._writer.close()
            for answer in tuple(self._asked.values()):
                if not answer.done():
                    answer.set_exception(EngineLost())
            calls, self.calls = self.calls, {}
            for call in calls.values():
                call.lost()

    def _answered(self, number: int) -> None:
        answer = self._asked.pop(number)
        if not answer.cancelled():
            answer.exception()  # looked at, also where nobody awaits it

    def _take(self, message: wire.Message) -> None:
        match message:
            case Reply(number=number, value=value, error=error):
                answer = self._asked.get(number)
                if answer is None or answer.done():
                    return
                if error is None:
                    answer.set_result(value)
                else:
                    answer.set_exception(error)
            case Happened(call=call, event=event) if call in self.calls:
                self.calls[call].happened(event)
