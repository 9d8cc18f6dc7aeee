"""The one function that joins the live log with the stored history: everything that anyone is shown is read from it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Protocol

from session.ids import SessionId
from session.ports import Entry
from storage.errors import TimelineGap

PAGE = 1000


class LiveLog(Protocol):
    """The part of `queueing`'s log that a timeline is read from."""

    async def read(self, session: SessionId, after: int = 0, limit: int = PAGE) -> list[Entry]:
        """The live entries after a version, in order."""
        ...


class StoredHistory(Protocol):
    """The part of `storage.history.History` that a timeline is read from."""

    async def timeline(self, session: SessionId, after: int = 0, limit: int = PAGE) -> list[Entry]:
        """The archived entries after a version, in order."""
        ...


async def read_timeline(log: LiveLog, history: StoredHistory, session: SessionId, after: int = 0) -> list[Entry]:
    """A session's entries after a version: without gaps, without doubles, in order.

    While it reads, the archiver may carry entries from the log into the history and the store may forget them. So the
    end is believed only where the log itself shows the next entries, or where a look at the history that came after
    an empty look at the log finds nothing more. Raises `TimelineGap` where neither has what lies between.
    """
    whole: list[Entry] = []
    log_was_empty = stuck = False
    while True:
        last = whole[-1].version if whole else after
        stored = await history.timeline(session, last, PAGE)
        kept = _next(stored, last)
        if log_was_empty and not stored:
            return whole
        whole += kept
        last = whole[-1].version if whole else after
        live = await log.read(session, last, PAGE)
        fresh = _next(live, last)
        whole += fresh
        if fresh and len(fresh) == len(live) < PAGE:
            return whole
        if kept or fresh:
            stuck = False
        elif stored or live:
            if stuck:
                raise TimelineGap(session, last + 1)
            stuck = True
        log_was_empty = not live


def merged(timelines: Iterable[Sequence[Entry]]) -> list[Entry]:
    """Several sessions' timelines as one, by time; each keeps its own order whatever its times are."""
    return list(heapq.merge(*timelines, key=lambda entry: (entry.event.at, entry.session)))


def _next(entries: list[Entry], last: int) -> list[Entry]:
    """Those that follow upon `last` without a gap."""
    following = []
    for entry in entries:
        if entry.version != last + 1:
            break
        following.append(entry)
        last = entry.version
    return following
