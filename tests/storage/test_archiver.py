"""Draining the log: exactly once, whoever dies when, and nothing trimmed that is not safe."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from session import events as ev
from session.ids import SessionId
from session.ports import Entry, StoreUnavailable
from storage.archiver import Archiver
from storage.database import Database, sqlite_url
from storage.errors import StorageUnavailable
from storage.history import BEGINNING, History
from tests.accounts.shared_state import TurnedShared
from tests.conftest import Eventually
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import LiveLog, entries_of

A, B = SessionId("01A"), SessionId("01B")


def feed() -> list[Entry]:
    """Two sessions, one event of each in turn."""
    first = entries_of(A, stamped(STORIES["call answered"]))
    second = entries_of(B, stamped(STORIES["chat cut and back"]))
    return [entry for pair in zip(first, second, strict=False) for entry in pair]


def of(session: SessionId, entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.session == session]


def archiver(log: LiveLog, history: History, shared: TurnedShared | None = None, name: str = "n1") -> Archiver:
    return Archiver(log, shared or TurnedShared(), history, holder=name)


async def test_all_is_archived_page_by_page_and_trimmed_after(history: History) -> None:
    log = LiveLog(page=3)
    log.add(*feed())
    one = archiver(log, history)
    written = 0
    while drained := await one.drain():
        written += drained
        assert log.trimmed == await history.cursor()
    assert written == len(feed())
    assert log.feed == []
    for session in (A, B):
        assert await history.timeline(session) == of(session, feed())
    assert await one.drain() == 0


class Dies(Exception):
    """The process ends here."""


class MortalLog(LiveLog):
    """Dies at the n-th step of the archiver's that reaches it."""

    lives = 0

    async def trim(self, cursor: str) -> None:
        self.step()
        await super().trim(cursor)
        self.step()

    def step(self) -> None:
        self.lives -= 1
        if self.lives == 0:
            raise Dies


class MortalHistory(History):
    """Dies around the commit."""

    def __init__(self, database: Database, log: MortalLog) -> None:
        super().__init__(database)
        self._log = log

    async def archive(self, *args: object, **kwargs: object) -> int:
        self._log.step()
        written = await super().archive(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        self._log.step()
        return written


@pytest.mark.parametrize("lives", range(1, 9))
async def test_a_death_at_any_step_loses_and_doubles_nothing(database: Database, lives: int) -> None:
    log = MortalLog(page=4)
    log.add(*feed())
    history = MortalHistory(database, log)
    log.lives = lives
    for _ in range(3 + len(feed())):
        with suppress(Dies):
            await archiver(log, history).drain()
    for session in (A, B):
        assert await history.timeline(session) == of(session, feed())
        record = await history.session(session)
        assert record is not None
        assert record.session.version == len(of(session, feed()))


async def test_two_archivers_at_once_write_each_entry_once(history: History) -> None:
    """Two nodes that both believe to hold the lease."""
    log = LiveLog(page=2)
    log.add(*feed())

    async def drain_all(name: str) -> None:
        one = archiver(log, history, name=name)
        while log.feed:
            with suppress(Exception):
                await one.drain()

    await asyncio.gather(drain_all("n1"), drain_all("n2"))
    for session in (A, B):
        assert await history.timeline(session) == of(session, feed())


async def test_a_new_database_gets_what_the_feed_no_longer_has(history: History) -> None:
    """The feed was trimmed for an older database; each session's own log is still whole."""
    log = LiveLog()
    log.add(*feed())
    await log.trim("9")
    await archiver(log, history).drain()
    for session in (A, B):
        assert await history.timeline(session) == of(session, feed())
        assert await history.session(session) is not None


async def test_what_nobody_has_any_more_does_not_stop_the_archive(history: History) -> None:
    log = LiveLog()
    log.add(*feed())
    await log.trim("9")
    for entries in log.logs.values():
        del entries[:4]
    assert await archiver(log, history).drain() > 0
    assert await history.cursor() != BEGINNING
    assert (await history.timeline(A))[0].version == 5


async def test_it_works_only_where_it_holds_the_lease(history: History, eventually: Eventually) -> None:
    log, shared = LiveLog(), TurnedShared()
    await shared.lease("archiver", "other", ttl_s=60)
    log.add(*feed())
    task = asyncio.create_task(archiver(log, history, shared).run())
    await eventually(lambda: "archiver" in shared.names)
    assert await history.cursor() == BEGINNING
    shared.clock_s += 61
    await eventually(lambda: not log.feed)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_goes_on_after_store_and_database_were_away(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.archiver.RETRY_S", 0.01)
    for error in (StoreUnavailable, StorageUnavailable):
        monkeypatch.setattr(error, "retry_after_s", 0.01)

    class Shaky(LiveLog):
        def __init__(self) -> None:
            super().__init__()
            self.failures: list[Exception] = [StoreUnavailable("follow"), StorageUnavailable("locked"), OSError()]

        async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
            if self.failures:
                raise self.failures.pop()
            await asyncio.sleep(0)
            return await super().follow(after, block_s=block_s)

    async with Database.open(sqlite_url(tmp_path)) as database:
        log, history = Shaky(), History(database)
        log.add(*feed())
        task = asyncio.create_task(archiver(log, history).run())
        await eventually(lambda: not log.feed)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await history.timeline(A) == of(A, feed())


async def test_a_defect_of_the_machine_does_not_stop_history(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(session: object, event: ev.Event, rules: object) -> None:
        from session.machine import BrokenLaw
        from session.state import Phase

        raise BrokenLaw(Phase.NEW, event, Phase.CLOSED)

    monkeypatch.setattr("storage.record.advance", broken)
    log = LiveLog()
    log.add(*feed())
    await archiver(log, history).drain()
    assert await history.timeline(A) == of(A, feed())
