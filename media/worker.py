"""The far side of the pipe: an engine in a process of its own, doing what the gateway says (`media.crew`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from media import wire
from media.call import Call
from media.engine import Engine
from media.errors import EngineFailed, EngineLost, MediaError, NotNegotiated
from media.prompts import Sound
from media.wire import Command, Happened, Reply
from session.audio import AudioCapabilities, AudioEvent, DigitHeard

log = logging.getLogger(__name__)

IN_TURN = frozenset({
    "answer", "offer", "accept", "drop", "move", "play", "stop", "join", "mix", "part", "hold", "mute",
    "send_digits", "record", "finish_recording",
})  # fmt: skip
"""What of `AudioSession` changes a call, one after the other."""
AT_ONCE = frozenset({"stats", "quality"})
"""What is only looked at, also while a recording takes its time to end."""
_OF_CALLS = IN_TURN | AT_ONCE

_MOST_UNTOLD = 4_096
"""Events that wait while the gateway does not read; digits beyond are lost."""


@dataclass(eq=False)
class _Seat:
    """A call of ours."""

    call: Call
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: int = 0
    """How much runs that takes its time."""

    def takes_time(self, name: str) -> bool:
        """Whether that is done by a task: because it waits for something, or for its turn."""
        return not self.call.does_at_once(name) or (self.tasks > 0 and name in IN_TURN | {"close"})


class Worker(asyncio.Protocol):
    """Serves one gateway until that says goodbye, or is no more.

    What waits for nothing is done as it comes: a caller waits for several such answers, one after the other, and a task
    for each took more of this core than what was asked.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seats: dict[int, _Seat] = {}
        self._doing: set[asyncio.Task[None]] = set()
        self._unread = bytearray()
        self._is_heard = True
        """The gateway reads what it is told."""
        self._untold: list[Happened] = []
        self._end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def serve(self) -> bool:
        """Whether it was told to end: if not, the gateway has died, and what it held is for the next one to mend."""
        return await self._end

    # The pipe

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as a stream's are
        """The gateway is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Something is asked."""
        self._unread += data
        try:
            for message in wire.cut(self._unread):
                if isinstance(message, Command):
                    self._take(message)
        except EngineLost:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the gateway is no more, however
        """The gateway is no more."""
        self._finish(told=False)

    def pause_writing(self) -> None:
        """A gateway that does not read is not asked on, nor told."""
        self._is_heard = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._is_heard = True
        self._transport.resume_reading()
        untold, self._untold = self._untold, []
        for happened in untold:
            self._say(happened)

    def close(self) -> None:
        """Part with the gateway."""
        self._transport.close()

    def _say(self, message: Reply | Happened) -> None:
        if not self._transport.is_closing():
            self._transport.write(wire.packed(message))

    def _tell(self, number: int, event: AudioEvent) -> None:
        happened = Happened(number, event)
        if self._is_heard:
            self._say(happened)
        elif len(self._untold) < _MOST_UNTOLD or not isinstance(event, DigitHeard):
            self._untold.append(happened)

    def _finish(self, *, told: bool) -> None:
        if not self._end.done():
            self._end.set_result(told)

    # What is asked

    def _take(self, command: Command) -> None:
        if command.name == "open":
            self._open(command)
            return
        seat = self._seats.get(command.call)
        if command.name != "leave" and (seat is None or not seat.takes_time(command.name)):
            _finished(self._obey(command))
            return
        task = asyncio.create_task(self._obey(command))
        self._doing.add(task)
        task.add_done_callback(partial(self._done, seat))
        if seat is not None:
            seat.tasks += 1

    def _open(self, command: Command) -> None:
        """Begin a session, unless it has begun, with what is asked of it first."""
        key, name, arguments, named = command.arguments
        try:
            if command.call not in self._seats:
                call = self._engine.begin(key)
                call.listen(partial(self._tell, command.call))
                self._seats[command.call] = _Seat(call)
        except MediaError as error:
            self._say(Reply(command.number, None, error))
        else:
            self._take(Command(command.number, command.call, name, arguments, named))

    def _done(self, seat: _Seat | None, task: asyncio.Task[None]) -> None:
        self._doing.discard(task)
        if seat is not None:
            seat.tasks -= 1

    async def _obey(self, command: Command) -> None:
        seat, name = self._seats.get(command.call), command.name
        try:
            if seat is None or name not in _OF_CALLS:
                value = await self._elsewhere(command)
            elif seat.tasks == 0 or name in AT_ONCE:  # nothing runs whose turn it could be
                value = await getattr(seat.call, name)(*command.arguments, **command.named)
            else:
                async with seat.turn:
                    value = await getattr(seat.call, name)(*command.arguments, **command.named)
            reply = Reply(command.number, value)
        except MediaError as error:
            reply = Reply(command.number, None, error)
        except Exception as error:  # a task's top: the gateway is told that it broke, and here is how
            log.exception("the audio engine failed")
            reply = Reply(command.number, None, EngineFailed(type(error).__name__))
        if command.number != wire.UNANSWERED:
            self._say(reply)
        if command.name == "leave":
            self._finish(told=True)

    async def _elsewhere(self, command: Command) -> Any:
        """What is not of a call that is there."""
        if command.call == 0:
            return await self._of_engine(command.name, *command.arguments)
        if command.name == "close":
            return await self._close(command.call)
        raise NotNegotiated("a session that is not closed")

    async def _of_engine(self, name: str, *arguments: Any) -> AudioCapabilities | int | None:
        match name:
            case "begin":
                self._furnish(*arguments)
                return self._engine.capabilities
            case "say":
                self._engine.prompts.put(*arguments)
            case "leave":
                await asyncio.gather(*(self._close(number) for number in tuple(self._seats)))
                return None
        return self._engine.packets_lost

    def _furnish(self, shipped: Mapping[str, Sound], own: Mapping[str, Sound]) -> None:
        self._engine.prompts.furnish(shipped)
        for name, sound in own.items():
            self._engine.prompts.put(name, sound)

    async def _close(self, number: int) -> None:
        seat = self._seats.pop(number, None)
        if seat is None:
            return
        if seat.tasks == 0:
            await seat.call.close()
            return
        async with seat.turn:
            await seat.call.close()


def _finished(work: Coroutine[Any, Any, None]) -> None:
    """See through what waits for nothing. What does all the same breaks there, and its reply says so."""
    try:  # `suppress` would take longer than much of what is asked
        work.send(None)
        work.throw(RuntimeError("what was to be done at once waits"))
    except StopIteration:
        pass
