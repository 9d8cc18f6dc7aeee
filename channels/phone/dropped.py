"""An agent whose citizen's call has broken off hears why it is quiet, until they hang up or are needed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from session.audio import CITIZEN_DROPPED, AudioSession, Slot
from session.errors import YihaoError

_LONGEST_S = 8.0


class Dropped:
    """One call's. `turn` is the lock under which the audio session is spoken to."""

    def __init__(self, audio: AudioSession, turn: asyncio.Lock) -> None:
        self._audio, self._turn = audio, turn
        self._telling: asyncio.Event | None = None

    @property
    def is_told(self) -> bool:
        """The agent is being told, or has been."""
        return self._telling is not None

    async def tell(self) -> None:
        """Until they have heard it, or `enough`."""
        self._telling = asyncio.Event()
        with suppress(YihaoError, TimeoutError):
            async with self._turn:
                await self._audio.part()
                await self._audio.play(Slot.AGENT, (CITIZEN_DROPPED,))
            async with asyncio.timeout(_LONGEST_S):
                await self._telling.wait()

    def enough(self) -> None:
        """They have heard it, or are gone."""
        if self._telling is not None:
            self._telling.set()
