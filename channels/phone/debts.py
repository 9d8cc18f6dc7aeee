"""Calls that the store could not be told of: on disk from the moment they are kept until the core has them (law 12).

One journal a process, in a folder that several may share. Who is noted again stands as noted last; who is struck out
stands no more. A process that lives holds its journal, so that nobody settles a call which still waits; the journal
of a dead one is taken over, and whoever waited there is owed a call back. It holds telephone numbers, hence mode 600.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from channels.phone.journal import Journal
from session.address import Address, MalformedAddress
from session.ids import LegId

log = logging.getLogger(__name__)

_STRUCK = "struck"


class Fate(StrEnum):
    """What has become of a caller who could not be put into the line."""

    KEPT = "kept"
    """Still on the telephone."""
    GONE = "gone"
    """Hung up: nothing is owed but to be counted."""
    OWED = "owed"
    """Let go by us, or lost with their node: owed a call back."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One caller whom the core has not heard of. `arrived_at` is seconds since 1970, by their node's clock."""

    leg: LegId
    address: Address
    number: str
    asserted: bool
    arrived_at: float
    fate: Fate
    channel: str = ""
    """By which they came; empty is the telephone."""


@dataclass(eq=False)
class _Book:
    """A journal that we hold, and what stands in it. Our own has no file before there is something to note."""

    journal: Journal | None = None
    standing: dict[LegId, Debt] = field(default_factory=dict)
    unwritten: deque[bytes] = field(default_factory=deque)


class Debts:
    """Opened by `async with`. Memory knows at once; the disk follows in one thread, in order, many lines a sync.

    A disk that fails is logged: callers are still kept in memory, which is all that is left to do for them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = _Book()
        self._books = [self._own]
        self._thread = ThreadPoolExecutor(1, "debts")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._on_disk(self._close)
        self._thread.shutdown()

    def note(self, debt: Debt) -> Awaitable[None]:
        """Know it at once; what comes back is done when it is on disk."""
        self._own.standing[debt.leg] = debt
        self._own.unwritten.append(_line(debt))
        return self._on_disk(lambda: self._write(self._own))

    def strike(self, leg: LegId) -> Awaitable[None]:
        """The core has this one; as `note`."""
        for book in tuple(self._books):
            if book.standing.pop(leg, None) is not None:
                book.unwritten.append(json.dumps({"leg": leg, "fate": _STRUCK}).encode())
                return self._on_disk(lambda: self._write(book))  # noqa: B023 - the loop ends here
        return self._on_disk(lambda: None)

    def due(self) -> list[Debt]:
        """Callers to tell the core of, the earliest first: those who no longer wait at any living process."""
        standing = (debt for book in tuple(self._books) for debt in tuple(book.standing.values()))
        return sorted((debt for debt in standing if debt.fate is not Fate.KEPT), key=lambda debt: debt.arrived_at)

    async def adopt(self) -> None:
        """Take over what dead processes of this folder left."""
        await self._on_disk(self._adopt)

    def _on_disk(self, work: Callable[[], None]) -> asyncio.Future[None]:
        return asyncio.get_running_loop().run_in_executor(self._thread, _logged, work)

    # -- in the thread -----------------------------------------------------------------------------------------

    def _write(self, book: _Book) -> None:
        lines = [book.unwritten.popleft() for _ in range(len(book.unwritten))]
        if not lines:
            return
        if book.standing:
            book.journal = book.journal or Journal.create(self._folder)
            book.journal.append(lines)
        elif book is self._own:
            if book.journal is not None:
                book.journal.clear()
        elif book.journal is not None:
            self._books.remove(book)
            book.journal.remove()
            book.journal = None

    def _adopt(self) -> None:
        for journal in Journal.take_free(self._folder):
            standing = _standing(journal.lines())
            if standing:
                self._books.append(_Book(journal, standing))
            else:
                journal.remove()

    def _close(self) -> None:
        for book in self._books:
            if book.journal is not None:
                if book.standing:
                    book.journal.close()
                else:
                    book.journal.remove()


def _logged(work: Callable[[], None]) -> None:
    try:
        work()
    except OSError:
        log.exception("kept calls cannot be noted on disk")


def _line(debt: Debt) -> bytes:
    fields = {
        "leg": debt.leg,
        "address": str(debt.address),
        "number": debt.number,
        "asserted": debt.asserted,
        "arrived_at": debt.arrived_at,
        "fate": debt.fate,
        "channel": debt.channel,
    }
    return json.dumps(fields).encode()


def _standing(lines: Iterable[bytes]) -> dict[LegId, Debt]:
    """Who stands in a dead process's journal. Whoever was kept there is owed: they were cut off."""
    standing: dict[LegId, Debt] = {}
    for line in lines:
        try:
            fields = json.loads(line)
            if fields["fate"] == _STRUCK:
                standing.pop(LegId(fields["leg"]), None)
                continue
            debt = Debt(
                leg=LegId(fields["leg"]),
                address=Address.parse(fields["address"]),
                number=fields["number"],
                asserted=bool(fields["asserted"]),
                arrived_at=float(fields["arrived_at"]),
                fate=Fate(fields["fate"]),
                channel=str(fields.get("channel", "")),
            )
        except (ValueError, KeyError, TypeError, MalformedAddress):
            # Cut short by the crash: what was not on disk was not promised.
            continue
        standing[debt.leg] = replace(debt, fate=Fate.OWED) if debt.fate is Fate.KEPT else debt
    return standing
