"""An engine in processes of its own: signalling never waits for sound, and each core carries calls.

A session lives in one process with all its slots; the one that has the fewest takes the next. A process that dies is
told to each of its calls, and another is started in its place.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from media.errors import EngineLost, MediaError
from media.pipe import Pipe
from media.prompts import PromptLibrary, Sound
from media.remote import RemoteCall
from session.audio import AudioCapabilities

log = logging.getLogger(__name__)

_BEGINS_S = 30.0
"""For a process to load, and to say what it can do."""
_LOOK_S = 1.0
_ANSWERS_S = 5.0
"""A process that says nothing for so long, twice in a row, hangs: its calls are dead air."""
_ROOM_S = 5.0
"""How long a new call waits where no process is there just now."""
_LEAVES_S = 10.0
"""For all recordings to be completed."""
_PAUSES_S = (0.0, 0.5, 2.0, 8.0)
"""Before another is started: longer each time, where they do not live long."""
_LIVES_S = 30.0


@dataclass(eq=False)
class _Hand:
    """One process."""

    process: asyncio.subprocess.Process
    pipe: Pipe
    hearing: asyncio.Task[None]
    """Until it is no more."""
    is_ready: bool = False
    packets_lost: int = 0
    """As it said last."""

    async def end(self) -> None:
        """Be sure that it is no more."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()
        await self.process.wait()
        await asyncio.wait({self.hearing})


class Crew:
    """A `session.audio.Audio`, and an async context manager: leaving it lets each process complete what it has.

    `command` gives the words that start the process of each place, counted from 0: its standard input is the pipe,
    at whose other end a `media.worker.Worker` serves. `mourn` is told the process id of one that has died: nobody
    completes its files any more.
    """

    capabilities: AudioCapabilities

    def __init__(
        self,
        prompts: PromptLibrary,
        size: int,
        command: Callable[[int], Sequence[str]],
        mourn: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._prompts, self._command, self._mourn = prompts, command, mourn
        self._hands: list[_Hand | None] = [None] * size
        self._came = asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []
        self._lost_by_dead = 0
        self.deaths = 0
        """Of processes, since the start."""

    async def __aenter__(self) -> Self:
        self._prompts.follow(self._say)
        hired = await asyncio.gather(*map(self._hire, range(len(self._hands))), return_exceptions=True)
        for hand in hired:
            if isinstance(hand, BaseException):
                await self.__aexit__(None, None, None)
                raise hand
        self._keeping = [asyncio.create_task(self._keep(place)) for place in range(len(self._hands))]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._prompts.unfollow(self._say)
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(self._part(hand) for hand in self._hands if hand is not None))
        self._hands = [None] * len(self._hands)

    @property
    def packets_lost(self) -> int:
        """See the port; as it was a second ago."""
        return self._lost_by_dead + sum(hand.packets_lost for hand in self._hands if hand is not None)

    @property
    def pids(self) -> list[int]:
        """Of the processes that are there."""
        return [hand.process.pid for hand in self._hands if hand is not None and hand.is_ready]

    async def open(self, key: str) -> RemoteCall:
        """A new session. Raises `EngineLost` where no process is there and none comes soon.

        Whether that process has room is known at the first thing that is asked of the session.
        """
        return await (await self._freest()).pipe.open(key)

    async def _freest(self) -> _Hand:
        if not self._ready():
            with suppress(TimeoutError):
                async with asyncio.timeout(_ROOM_S):
                    while not self._ready():
                        self._came.clear()
                        await self._came.wait()
        freest = min(self._ready(), key=lambda hand: len(hand.pipe.calls), default=None)
        if freest is None:
            raise EngineLost
        return freest

    def _ready(self) -> list[_Hand]:
        return [hand for hand in self._hands if hand is not None and hand.is_ready and not hand.pipe.is_gone]

    def _say(self, name: str, sound: Sound | None) -> None:
        """An announcement is another from now on."""
        for hand in self._hands:
            if hand is not None:
                hand.pipe.tell(0, "say", name, sound)

    # Processes

    async def _hire(self, place: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            starting = asyncio.create_task(_started(self._command(place), theirs))
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:  # whoever leaves then must not leave it behind
                ours.close()
                await (await starting).wait()
                raise
        _, pipe = await asyncio.get_running_loop().create_unix_connection(Pipe, sock=ours)
        hand = self._hands[place] = _Hand(process, pipe, asyncio.create_task(pipe.run()))
        try:
            async with asyncio.timeout(_BEGINS_S):
                self.capabilities = await pipe.ask(0, "begin", self._prompts.shipped, self._prompts.own)
        except (MediaError, TimeoutError, asyncio.CancelledError) as error:
            self._hands[place] = None
            await hand.end()
            if isinstance(error, TimeoutError):
                raise EngineLost from error
            raise
        hand.is_ready = True
        self._came.set()

    async def _keep(self, place: int) -> None:
        """Watch the process of a place; start another when it has died."""
        loop = asyncio.get_running_loop()
        began_s, falls = loop.time(), 0
        while True:
            hand = self._hands[place]
            if hand is not None:
                await self._watch(hand)
                self._hands[place] = None
                self._lost_by_dead += hand.packets_lost
                self.deaths += 1
                pid = hand.process.pid
                log.error("a process that carried sound has died", extra={"pid": pid, "code": hand.process.returncode})
                self._mourn(pid)
            if loop.time() - began_s > _LIVES_S:
                falls = 0
            await asyncio.sleep(_PAUSES_S[min(falls, len(_PAUSES_S) - 1)])
            began_s, falls = loop.time(), falls + 1
            try:
                await self._hire(place)
            except (MediaError, OSError):
                log.exception("a process to carry sound could not be started")

    async def _watch(self, hand: _Hand) -> None:
        """Until it has died."""
        beat = asyncio.create_task(self._beat(hand))
        try:
            await asyncio.wait({hand.hearing})
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
        await hand.end()

    async def _beat(self, hand: _Hand) -> None:
        missed = 0
        while missed < 2:
            try:
                async with asyncio.timeout(_ANSWERS_S):
                    hand.packets_lost = await hand.pipe.ask(0, "look")
            except TimeoutError:
                missed += 1
                continue
            missed = 0
            await asyncio.sleep(_LOOK_S)
        log.error("a process that carries sound hangs", extra={"pid": hand.process.pid})
        hand.process.kill()

    async def _part(self, hand: _Hand) -> None:
        """Let it complete what it has."""
        with suppress(MediaError, TimeoutError):
            async with asyncio.timeout(_LEAVES_S):
                await hand.pipe.ask(0, "leave")
                await hand.process.wait()
        await hand.end()


async def _started(command: Sequence[str], pipe: socket.socket) -> asyncio.subprocess.Process:
    """In a session of its own: Ctrl+C at the terminal is the gateway's to hear, and would end one that only starts."""
    return await asyncio.create_subprocess_exec(
        *command, stdin=pipe.fileno(), stdout=asyncio.subprocess.DEVNULL, start_new_session=True
    )
