"""Tells waiting visitors their place in line (排队位置) when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from channels.webchat.conversation import Conversation
from channels.webchat.settings import WebChatSettings
from realtime.citizen import QueuePlace
from session import events as ev
from session.ports import Lines, StoreUnavailable

_AT_ONCE = 16
"""Questions to the store under way together."""

MOVES = frozenset(
    {
        ev.LegOpened,
        ev.LegClosed,
        ev.OfferMade,
        ev.OfferDeclined,
        ev.OfferExpired,
        ev.OfferRescinded,
        ev.OfferCancelled,
        ev.HumanRequested,
        ev.SessionResumed,
        ev.TimerFired,
    }
)
"""Events after which somebody in some line may stand elsewhere."""


@dataclass(slots=True)
class Places:
    """Asks for all who wait and look, at most once a second, and only where something moved or the estimate is old."""

    settings: WebChatSettings
    lines: Lines
    conversations: Callable[[], Iterable[Conversation]]
    has_moved: bool = True
    """One of `MOVES` has happened since all were asked for."""

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        asked_at = float("-inf")
        while True:
            await asyncio.sleep(self.settings.place_every_s)
            if self.has_moved or loop.time() - asked_at >= self.settings.place_refresh_s:
                self.has_moved, asked_at = False, loop.time()
                await self._tell_all()

    async def _tell_all(self) -> None:
        waiting = [one for one in self.conversations() if one.is_waiting]
        for start in range(0, len(waiting), _AT_ONCE):
            await asyncio.gather(*(self._tell(one) for one in waiting[start : start + _AT_ONCE]))

    async def _tell(self, conversation: Conversation) -> None:
        transcript = conversation.transcript
        if transcript is None:
            return
        try:
            place = await self.lines.place(transcript.session_id)
        except StoreUnavailable:
            self.has_moved = True
            return
        if place is None:
            self.has_moved = True  # it is put into its line after the event that says so: ask again
            return
        frame = QueuePlace(position=place.position, waiting=place.waiting, estimate_s=place.estimate_s)
        if frame != conversation.place and conversation.is_waiting:
            conversation.place = frame
            conversation.mention(frame)
