"""One session as a bot has it in mind: a fold over the session's entries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bots.contract import Memory, Part
from session import events as ev
from session.ids import AssigneeId
from session.machine import advance, begin
from session.ports import Entry
from session.state import AssigneeKind, LegState, Medium, Party, Phase, Session

_WAITING = (Phase.QUEUED, Phase.OFFERED)


@dataclass(frozen=True, slots=True)
class Watch:
    """The session, and what one bot recalls of it."""

    bot: AssigneeId
    session: Session
    memory: Memory

    @classmethod
    def begin(cls, bot: AssigneeId, entries: Sequence[Entry]) -> Watch | None:
        """From a log that begins with its opening; None for one that does not."""
        first = entries[0].event if entries else None
        if not isinstance(first, ev.SessionOpened):
            return None
        watch = cls(bot, begin(entries[0].session, first), Memory(first.language))
        for entry in entries:
            watch = watch.after(entry)
        return watch

    def after(self, entry: Entry) -> Watch:
        """After one more entry."""
        event = entry.event
        session, _ = advance(self.session, event)
        grown = Watch(self.bot, session, self.memory)
        if grown.part is not self.part:
            return replace(grown, memory=Memory(self.memory.language))
        match event:
            case ev.TextSent(by=self.bot):
                memory = replace(self.memory, spoke_at=event.at, words=self.memory.words + 1)
                return replace(grown, memory=memory)
            case ev.PlaceAnnounced():
                return replace(grown, memory=replace(self.memory, told=event))
        return grown

    @property
    def part(self) -> Part | None:
        """What the bot is to the session now; None where it has no business in it: a human has it, or it is a call."""
        session = self.session
        if session.phase is Phase.BOT and session.assignee == self.bot:
            return Part.DRIVER
        before_bot = session.offer is not None and session.offer.kind is AssigneeKind.BOT
        if session.phase in _WAITING and not before_bot and self._reads():
            return Part.COMPANION
        return None

    def _reads(self) -> bool:
        """Somebody is there to read, and is not on the telephone."""
        legs = self.session.live_legs(Party.CITIZEN)
        live = any(leg.medium is Medium.CHAT and leg.state is LegState.LIVE for leg in legs)
        return live and self.session.voice_leg(Party.CITIZEN) is None
