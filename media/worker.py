"""The far side of the pipe: an engine in a process of its own, doing what the gateway says (`media.crew`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from media import wire
from media.call import Call
from media.engine import Engine
from media.errors import EngineFailed, MediaError, NotNegotiated
from media.prompts import Sound
from media.wire import Command, Happened, Reply
from session.audio import AudioCapabilities

log = logging.getLogger(__name__)

IN_TURN = frozenset({
    "answer", "offer", "accept", "drop", "move", "play", "stop", "join", "mix", "part", "hold", "mute",
    "send_digits", "record", "finish_recording",
})  # fmt: skip
"""What of `AudioSession` changes a call, one after the other."""
AT_ONCE = frozenset({"stats", "quality"})
"""What is only looked at, also while a recording takes its time to end."""


@dataclass(eq=False)
class _Seat:
    """A call of ours."""

    call: Call
    telling: asyncio.Task[None]
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Worker:
    """Serves one gateway until that says goodbye, or is no more."""

    def __init__(self, engine: Engine, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._engine, self._reader, self._writer = engine, reader, writer
        self._seats: dict[int, _Seat] = {}
        self._doing: set[asyncio.Task[None]] = set()

    async def serve(self) -> bool:
        """Whether it was told to end: if not, the gateway has died, and what it held is for the next one to mend."""
        while isinstance(command := await wire.read(self._reader), Command):
            if command.name == "leave":
                await asyncio.gather(*(self._close(number) for number in tuple(self._seats)))
                await self._answer(Reply(command.number, None))
                return True
            if command.name == "open":  # what comes right behind it must find the session
                await self._obey(command)
                continue
            task = asyncio.create_task(self._obey(command))
            self._doing.add(task)
            task.add_done_callback(self._doing.discard)
        return False

    async def _obey(self, command: Command) -> None:
        try:
            reply = Reply(command.number, await self._result(command))
        except MediaError as error:
            reply = Reply(command.number, None, error)
        except Exception as error:  # a task's top: the gateway is told that it broke, and here is how
            log.exception("the audio engine failed")
            reply = Reply(command.number, None, EngineFailed(type(error).__name__))
        await self._answer(reply)

    async def _result(self, command: Command) -> Any:
        if command.call == 0:
            return self._of_engine(command.name, *command.arguments)
        if command.name == "open":
            return await self._open(command.call, *command.arguments)
        if command.name == "close":
            return await self._close(command.call)
        seat = self._seats.get(command.call)
        if seat is None or command.name not in IN_TURN | AT_ONCE:
            raise NotNegotiated("a session that is not closed")
        act = getattr(seat.call, command.name)
        if command.name in AT_ONCE:
            return await act(*command.arguments, **command.named)
        async with seat.turn:
            return await act(*command.arguments, **command.named)

    def _of_engine(self, name: str, *arguments: Any) -> AudioCapabilities | int | None:
        match name:
            case "begin":
                self._furnish(*arguments)
                return self._engine.capabilities
            case "say":
                self._engine.prompts.put(*arguments)
        return self._engine.packets_lost

    def _furnish(self, shipped: Mapping[str, Sound], own: Mapping[str, Sound]) -> None:
        self._engine.prompts.furnish(shipped)
        for name, sound in own.items():
            self._engine.prompts.put(name, sound)

    async def _open(self, number: int, key: str) -> None:
        call = await self._engine.open(key)
        self._seats[number] = _Seat(call, asyncio.create_task(self._tell(number, call)))

    async def _close(self, number: int) -> None:
        seat = self._seats.pop(number, None)
        if seat is not None:
            async with seat.turn:
                await seat.call.close()
            await seat.telling

    async def _tell(self, number: int, call: Call) -> None:
        """A gateway that does not read is not told on: the call bounds what waits."""
        async for event in call.events():
            await self._answer(Happened(number, event))

    async def _answer(self, message: Reply | Happened) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.packed(message))
            try:
                await self._writer.drain()
            except ConnectionError:
                return
