"""Recordings that a crash cut short, of the last gateway or of a process of this one: mended, and told of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from gateway.errands import until_taken
from queueing.contract import Log
from recordings.store import Recording, RecordingStore
from session.events import RecordingFinished
from session.ids import LegId
from session.ports import SessionGone


class Mending:
    """They are whole as far as they went."""

    def __init__(self, recordings: RecordingStore, log: Log) -> None:
        self._recordings, self._log = recordings, log
        self._died: asyncio.Queue[int] = asyncio.Queue()

    def mourn(self, pid: int) -> None:
        """A process that wrote recordings is no more."""
        self._died.put_nowait(pid)

    async def run(self) -> None:
        """Tell what the store has mended when it was opened, and from now on what each dead process leaves."""
        await self._tell(self._recordings.mended)
        while True:
            await self._tell(await self._recordings.mend(await self._died.get()))

    async def _tell(self, mended: Iterable[Recording]) -> None:
        for one in mended:
            event = RecordingFinished(
                leg=LegId(""),
                recording=one.id,
                duration_s=one.card.duration_s,
                size_bytes=one.card.size_bytes,
                sha256=one.card.sha256,
                whole=False,
            )
            with suppress(SessionGone):
                await until_taken(partial(self._log.append, one.session, event, dedupe=f"recorded:{one.id}"))
