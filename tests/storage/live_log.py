"""A live log in memory whose every step a test decides: what it has forgotten, and when."""

from collections.abc import Sequence

from session.events import Event
from session.ids import SessionId
from session.ports import Entry
from storage.archiver import DrainedLog


class LiveLog(DrainedLog):
    """One feed of all sessions, and each session's own log, as `queueing.contract.Log` describes them."""

    def __init__(self, *, page: int = 100) -> None:
        self.feed: list[tuple[int, Entry]] = []
        self.logs: dict[SessionId, list[Entry]] = {}
        self.trimmed = "0"
        self._page, self._count = page, 0

    def add(self, *entries: Entry) -> None:
        for entry in entries:
            self._count += 1
            self.feed.append((self._count, entry))
            self.logs.setdefault(entry.session, []).append(entry)

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        return [entry for entry in self.logs.get(session, []) if entry.version > after][:limit]

    async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        found = [(number, entry) for number, entry in self.feed if number > int(after)][: self._page]
        return (str(found[-1][0]) if found else after), [entry for _, entry in found]

    async def trim(self, cursor: str) -> None:
        self.trimmed = cursor
        self.feed = [(number, entry) for number, entry in self.feed if number > int(cursor)]


def entries_of(session: SessionId, events: Sequence[Event], first: int = 1) -> list[Entry]:
    return [Entry(session, version, event) for version, event in enumerate(events, first)]
