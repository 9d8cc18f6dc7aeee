"""One call's sound in another process, as the gateway speaks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from media.errors import EngineLost
from session.audio import (
    Announcement,
    AudioEvent,
    AudioGone,
    AudioQuality,
    AudioStats,
    DigitHeard,
    Hearing,
    RecordingResult,
    Secrecy,
    Slot,
)

if TYPE_CHECKING:
    from media.pipe import Pipe

_MAX_EVENTS_WAITING = 256
_NOTHING = AudioStats(0, 0, 0, 0.0)


class RemoteCall:
    """A `session.audio.AudioSession`. Made by `Pipe.open` only; what each method does is said there.

    It begins there with the first thing that is asked of it, both by one question: a caller waits for the answer. So it
    is then that an engine which is full says so, and whoever asks again later may find room.
    """

    def __init__(self, number: int, key: str, pipe: Pipe) -> None:
        self._number, self._key, self._pipe = number, key, pipe
        self._is_asked = self._is_known = False
        """Something was asked of it; and something came of that, so that it has begun there."""
        self._is_recorded = self._is_closed = False
        self._events: asyncio.Queue[AudioEvent | None] = asyncio.Queue()

    # Offer and answer: who asks must have an answer, so a process that has died is an error

    async def answer(self, slot: Slot, offer: bytes, secrecy: Secrecy | None = None) -> bytes:
        """See the port."""
        answer: bytes = await self._ask("answer", slot, offer, secrecy)
        return answer

    async def offer(self, slot: Slot, secrecy: Secrecy | None = None) -> bytes:
        """See the port."""
        offer: bytes = await self._ask("offer", slot, secrecy)
        return offer

    async def accept(self, slot: Slot, answer: bytes) -> None:
        """See the port."""
        await self._ask("accept", slot, answer)

    async def move(self, source: Slot, target: Slot) -> None:
        """See the port."""
        await self._ask("move", source, target)

    async def record(self, path: Path) -> None:
        """See the port."""
        self._is_recorded = True
        await self._ask("record", path)

    # What is heard: once the process has died there is nobody to hear it, and `AudioGone` has said so

    async def drop(self, slot: Slot) -> None:
        """See the port."""
        await self._do("drop", slot)

    async def play(self, slot: Slot, items: Sequence[Announcement], *, loop: bool = False) -> None:
        """See the port."""
        await self._do("play", slot, tuple(items), loop=loop)

    async def stop(self, slot: Slot) -> None:
        """See the port."""
        await self._do("stop", slot)

    async def join(self) -> None:
        """See the port."""
        await self._do("join")

    async def mix(self, hearing: Hearing) -> None:
        """See the port."""
        await self._do("mix", {ear: dict(mouths) for ear, mouths in hearing.items()})

    async def part(self) -> None:
        """See the port."""
        await self._do("part")

    async def hold(self, slot: Slot, *, held: bool) -> None:
        """See the port."""
        await self._do("hold", slot, held=held)

    async def mute(self, slot: Slot, *, muted: bool) -> None:
        """See the port."""
        await self._do("mute", slot, muted=muted)

    async def send_digits(self, slot: Slot, digits: str) -> None:
        """See the port."""
        await self._do("send_digits", slot, digits)

    # What is known and what happens

    async def finish_recording(self) -> RecordingResult | None:
        """See the port. A recording whose process has died is mended by whoever keeps the files, and told by them."""
        result: RecordingResult | None = await self._do("finish_recording")
        self._is_recorded = False
        return result

    async def stats(self, slot: Slot) -> AudioStats:
        """See the port."""
        stats: AudioStats | None = await self._do("stats", slot)
        return stats or _NOTHING

    async def quality(self, *, lately: bool = False) -> Mapping[Slot, AudioQuality]:
        """See the port."""
        quality: Mapping[Slot, AudioQuality] | None = await self._do("quality", lately=lately)
        return quality or {}

    async def events(self) -> AsyncIterator[AudioEvent]:
        """See the port."""
        while (event := await self._events.get()) is not None:
            yield event

    async def close(self) -> None:
        """See the port. Only a recording that it completes is waited for."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._is_recorded:
                await self._do("close")
            elif self._is_asked:
                self._pipe.tell(self._number, "close")
        finally:
            self._pipe.calls.pop(self._number, None)
            self._events.put_nowait(None)

    def happened(self, event: AudioEvent) -> None:
        """The pipe's word. Who floods digits faster than they are read loses the newest."""
        if self._events.qsize() < _MAX_EVENTS_WAITING or not isinstance(event, DigitHeard):
            self._events.put_nowait(event)

    def lost(self) -> None:
        """The pipe's word."""
        self._events.put_nowait(AudioGone())

    async def _ask(self, name: str, *arguments: object, **named: object) -> Any:
        self._is_asked = True
        if self._is_known or self._is_closed:
            return await self._pipe.ask(self._number, name, *arguments, **named)
        came = await self._pipe.ask(self._number, "open", self._key, name, arguments, named)
        self._is_known = True
        return came

    async def _do(self, name: str, *arguments: object, **named: object) -> Any:
        with suppress(EngineLost):
            return await self._ask(name, *arguments, **named)
        return None
