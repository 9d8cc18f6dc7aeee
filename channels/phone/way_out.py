"""How a caller goes whom no human takes: with a word, or once they have left a voice message (语音留言)."""

from __future__ import annotations

import asyncio
import logging
from array import array
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from channels.phone.taping import Taping
from session.audio import Announcement, AudioSession, Slot
from session.errors import YihaoError
from session.event import Event
from session.events import VoiceMessageLeft
from session.ids import LegId, RecordingId, SessionId
from session.state import LegEnd

log = logging.getLogger(__name__)

PROMPT = (Announcement("leave_message"), Announcement("beep"))
LONGEST_WORD_S = 30.0
"""An announcement that has not come to its end by then never will."""
QUIET_S = 6.0
"""Of silence end a message."""
LEAST_S = 1.0
"""What is shorter was a cough, or the line's own noise."""
_LOOK_S = 0.5
_LOUD = 400
"""The mean level of a tenth of a second of speech, at the least: 38 dB below the loudest sample."""
_RATE, _HEADER_BYTES, _FRAME_BYTES = 8000, 44, 4
_BLOCK = _RATE // 10
_MEANT_FOR = {Slot.AGENT: {Slot.CITIZEN: 0.0}}


class Caller(Protocol):
    """The call, as far as this needs it."""

    session: SessionId | None

    @property
    def is_over(self) -> bool:
        """The caller is gone."""
        ...

    @property
    def is_talking(self) -> bool:
        """Somebody has come on the line after all."""
        ...

    async def say(self, items: Sequence[Announcement]) -> None:
        """Let the caller hear announcements; returns at their end."""
        ...

    def hang_up(self, reason: LegEnd) -> None:
        """End the call."""
        ...

    def tell(self, event: Event, dedupe: str | None = None) -> None:
        """Bring an event to the core."""
        ...


class WayOut:
    """Of one call. `turn` is the lock under which its audio session is spoken to."""

    def __init__(
        self,
        caller: Caller,
        audio: AudioSession,
        turn: asyncio.Lock,
        taping: Taping,
        leg: LegId,
        path: Callable[[RecordingId], Path] | None,
    ) -> None:
        self._caller, self._audio, self._turn, self._taping = caller, audio, turn, taping
        self._leg, self._path = leg, path
        self._asked: RecordingId | None = None
        self._enough = asyncio.Event()
        self._taking: asyncio.Task[None] | None = None
        self._going: asyncio.Task[None] | None = None

    def let_go(self, items: Sequence[Announcement]) -> None:
        """Say that, and hang up."""
        if self._going is None:
            self._going = asyncio.create_task(self._guarded(self._go(items)))

    def take_message(self, recording: RecordingId, longest_s: float) -> None:
        """Ask for a message, and record it; once for each recording."""
        if self._asked == recording or self._caller.is_over:
            return
        self._asked = recording
        self._enough.clear()
        self._taking = asyncio.create_task(self._guarded(self._take(recording, longest_s)))

    @property
    def is_taking(self) -> bool:
        """A message is asked for, or being left."""
        return self._taking is not None and not self._taking.done()

    def pressed(self) -> None:
        """A key: what is asked has been heard, or all has been said."""
        self._enough.set()

    async def close(self) -> None:
        """The caller is gone: what they have said until now is told of."""
        self._enough.set()
        if self._taking is not None:
            await asyncio.gather(self._taking, return_exceptions=True)
        if self._going is not None:
            self._going.cancel()
            await asyncio.gather(self._going, return_exceptions=True)

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        try:
            await work
        except Exception:  # a task's top: the session's own deadline brings it on
            log.exception("a caller could not be shown out", extra={"leg": self._leg})

    async def _go(self, items: Sequence[Announcement]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WORD_S):
                await self._caller.say(items)
        if not self._caller.is_talking:
            # Not `CLOSED`: whether they come back is for the core to say.
            self._caller.hang_up(LegEnd.HANGUP)

    async def _ask(self) -> None:
        """To the end of the question, or until the caller has gone or cut it short."""
        said = asyncio.create_task(self._caller.say(PROMPT))
        enough = asyncio.create_task(self._enough.wait())
        try:
            await asyncio.wait((said, enough), timeout=LONGEST_WORD_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (said, enough):
                task.cancel()
            await asyncio.gather(said, enough, return_exceptions=True)

    async def _take(self, recording: RecordingId, longest_s: float) -> None:
        session, ear = self._caller.session, None
        if session is None:
            return
        try:
            await self._ask()
            if self._path is not None and not self._caller.is_over:
                self._enough.clear()
                await self._sound(self._audio.mix(_MEANT_FOR))
                await self._taping.begin(session, recording)
                ear = _Ear(self._path(recording))
                await self._listen(ear, longest_s)
        except (YihaoError, OSError):
            log.exception("a voice message could not be taken", extra={"leg": self._leg})
        await self._taping.finish()
        spoken_s = 0.0 if ear is None else await self._spoken_s(ear)
        if not self._caller.is_over:
            await self._sound(self._audio.part())
        left = VoiceMessageLeft(leg=self._leg, recording=recording, duration_s=round(spoken_s, 1))
        self._caller.tell(left, f"message:{recording}")

    async def _sound(self, change: Coroutine[None, None, None]) -> None:
        async with self._turn:
            await change

    async def _listen(self, ear: _Ear, longest_s: float) -> None:
        """Until they have said enough."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + longest_s
        while not self._enough.is_set() and loop.time() < ends_at and ear.quiet_s < QUIET_S:
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._enough.wait()
            except TimeoutError:
                await asyncio.to_thread(ear.listen)

    @staticmethod
    async def _spoken_s(ear: _Ear) -> float:
        """From the first word to the last, once the file is whole: its last second is written at its end."""
        with suppress(OSError):
            await asyncio.to_thread(ear.listen)
        return ear.spoken_s if ear.loud_s >= LEAST_S else 0.0


class _Ear:
    """Listens to a message in the file that is being written of it, whatever engine hears the caller."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._heard = 0
        self._blocks = 0
        self._loud = 0
        self._first: int | None = None
        self._last = 0

    @property
    def loud_s(self) -> float:
        """Of speech, without its pauses."""
        return self._loud / 10

    @property
    def spoken_s(self) -> float:
        """From the first word to the last."""
        return 0.0 if self._first is None else (self._last - self._first + 1) / 10

    @property
    def quiet_s(self) -> float:
        """Of silence at the end of what is written; before the first word too."""
        return (self._blocks - (self._last + 1 if self._first is not None else 0)) / 10

    def listen(self) -> None:
        """What was written since the last time, in whole tenths of a second. Blocks."""
        with self._path.open("rb") as file:
            file.seek(_HEADER_BYTES + self._heard * _FRAME_BYTES)
            new = file.read()
        frames = len(new) // _FRAME_BYTES // _BLOCK * _BLOCK
        citizen = array("h", new[: frames * _FRAME_BYTES])[::2]
        for at in range(0, frames, _BLOCK):
            if sum(map(abs, citizen[at : at + _BLOCK])) >= _LOUD * _BLOCK:
                self._loud += 1
                self._first = self._blocks if self._first is None else self._first
                self._last = self._blocks
            self._blocks += 1
        self._heard += frames
