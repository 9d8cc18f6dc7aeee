"""The recording of one citizen's call: begun when two are first joined, marked while it runs, completed at its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from channels.phone.outbox import Outbox
from session.audio import AudioSession
from session.errors import YihaoError
from session.events import RecordingFailed, RecordingFinished, RecordingMarked, RecordingStarted
from session.ids import LegId, RecordingId, SessionId
from session.state import Mark

log = logging.getLogger(__name__)


class Taping:
    """`turn` is the lock under which the audio session is spoken to. `path` of None records nothing."""

    def __init__(
        self,
        audio: AudioSession,
        turn: asyncio.Lock,
        outbox: Outbox,
        leg: LegId,
        path: Callable[[RecordingId], Path] | None,
    ) -> None:
        self._audio, self._turn, self._outbox, self._leg, self._path = audio, turn, outbox, leg, path
        self._running: tuple[SessionId, RecordingId] | None = None
        self._began_s = 0.0
        self._marks = 0

    async def begin(self, session: SessionId, recording: RecordingId) -> None:
        """A call that cannot be recorded is still a call: the agent and citizen talk on. One that runs, runs on."""
        if self._path is None:
            return
        if self._running is not None:
            self.mark(Mark.AGENT_JOINED)
            return
        try:
            async with self._turn:
                await self._audio.record(self._path(recording))
        except (YihaoError, OSError):
            log.exception("a recording could not begin", extra={"leg": self._leg})
            failed = RecordingFailed(leg=self._leg, recording=recording)
            self._outbox.put(session, failed, f"unrecorded:{recording}")
            return
        self._running, self._began_s, self._marks = (session, recording), _now_s(), 0
        self._outbox.put(session, RecordingStarted(leg=self._leg, recording=recording), f"recording:{recording}")

    def mark(self, mark: Mark) -> None:
        """Remember this moment; nothing where no recording runs."""
        if self._running is None:
            return
        session, recording = self._running
        self._marks += 1
        at_s = round(_now_s() - self._began_s, 3)
        event = RecordingMarked(leg=self._leg, recording=recording, at_s=at_s, mark=mark)
        self._outbox.put(session, event, f"mark:{recording}:{self._marks}")

    async def finish(self) -> None:
        """Complete it; nothing where none runs."""
        running, self._running = self._running, None
        if running is None:
            return
        session, recording = running
        async with self._turn:
            result = await self._audio.finish_recording()
        if result is not None:
            finished = RecordingFinished(
                leg=self._leg,
                recording=recording,
                duration_s=result.duration_s,
                size_bytes=result.size_bytes,
                sha256=result.sha256,
            )
            self._outbox.put(session, finished, f"recorded:{recording}")


def _now_s() -> float:
    return asyncio.get_running_loop().time()
