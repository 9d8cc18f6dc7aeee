"""The sessions that were asked for lately, kept up to date by the feed; and who waits for something to happen."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass, field

from channels.contract import Badge, Timeline
from channels.govapi.errors import SessionUnknown
from channels.govapi.matter import Matter
from session.ids import SessionId
from session.ports import Entry

_MOST = 1000
_SESSION = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}\Z")


@dataclass(slots=True)
class _Shelf:
    """One session, as each of the clients that asked sees it."""

    matters: dict[str, Matter] = field(default_factory=dict)
    posted: int = 0
    """The newest version that we know was written: an older view is read anew."""


@dataclass(slots=True)
class _Reading:
    """A session whose timeline is being read."""

    readers: int = 0
    heard: int = 0
    """The newest version that was heard of meanwhile."""


class Matters:
    """`hear` is given every event of the hotline; it costs one look into a table for those that nobody asked for."""

    def __init__(self, timeline: Timeline, channel: str, badge: Badge) -> None:
        self._timeline, self._channel, self._badge = timeline, channel, badge
        self._shelves: OrderedDict[SessionId, _Shelf] = OrderedDict()
        self._reading: dict[SessionId, _Reading] = {}
        self._waiting: dict[SessionId, asyncio.Event] = {}

    async def of(self, client: str, session: str) -> Matter:
        """The session as the client sees it now. Raises `SessionUnknown`, `StoreUnavailable`."""
        if not _SESSION.match(session):
            raise SessionUnknown
        known = SessionId(session)
        shelf = self._shelves.get(known)
        matter = shelf.matters.get(client) if shelf is not None else None
        if shelf is None or matter is None or matter.version < shelf.posted:
            matter = await self._read(client, known)
        if not matter.is_known:
            raise SessionUnknown
        return matter

    def hear(self, entry: Entry) -> None:
        """The next entry of any session."""
        if (reading := self._reading.get(entry.session)) is not None:
            reading.heard = max(reading.heard, entry.version)
        shelf = self._shelves.get(entry.session)
        for matter in list(shelf.matters.values()) if shelf is not None else ():
            if entry.version == matter.version + 1:
                matter.hear(entry)
        if shelf is not None:
            shelf.posted = max(shelf.posted, entry.version)
        self.wake(entry.session)

    def posted(self, session: SessionId, version: int) -> None:
        """We have written up to there: whoever asks next must see it, though the feed may be behind."""
        if (shelf := self._shelves.get(session)) is not None:
            shelf.posted = max(shelf.posted, version)

    async def moved(self, session: SessionId, within_s: float) -> None:
        """Return when something has happened to the session, or the time is over."""
        event = self._waiting.setdefault(session, asyncio.Event())
        try:
            async with asyncio.timeout(within_s):
                await event.wait()
        except TimeoutError:
            if self._waiting.get(session) is event and not event.is_set():
                del self._waiting[session]
                event.set()

    def wake(self, session: SessionId) -> None:
        """Whoever waits for the session looks again."""
        if (event := self._waiting.pop(session, None)) is not None:
            event.set()

    def wake_all(self) -> None:
        """Everybody looks again."""
        for session in list(self._waiting):
            self.wake(session)

    async def _read(self, client: str, session: SessionId) -> Matter:
        """From the beginning, until nothing that was heard meanwhile is missing."""
        reading = self._reading.setdefault(session, _Reading())
        reading.readers += 1
        try:
            while True:
                matter = Matter(session, self._channel, client, self._badge)
                for entry in await self._timeline(session):
                    matter.hear(entry)
                if matter.version >= reading.heard:
                    break
        finally:
            reading.readers -= 1
            if not reading.readers:
                del self._reading[session]
        if matter.is_known:
            self._keep(client, matter)
        return matter

    def _keep(self, client: str, matter: Matter) -> None:
        shelf = self._shelves.setdefault(matter.session_id, _Shelf())
        shelf.matters[client] = matter
        self._shelves.move_to_end(matter.session_id)
        while len(self._shelves) > _MOST:
            self._shelves.popitem(last=False)
