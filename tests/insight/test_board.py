"""The board reads on from the history; a recount from the events gives the same, on both databases."""

import pytest

from insight.board import Board
from insight.recount import recount
from insight.tally import NONE
from session import events as ev
from session.ids import SessionId
from session.state import CloseReason, Phase
from storage.database import Database
from storage.history import BEGINNING, History
from tests.session.script import START
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import entries_of

NOW = START + 3600.0


async def _now() -> float:
    return NOW


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look looks."""
    monkeypatch.setattr("insight.board.FRESH_S", 0.0)


async def test_it_reads_on_from_where_it_was(database: Database, fresh: None) -> None:
    history, cursor = History(database), BEGINNING
    board = Board(history, _now)
    stories = [entries_of(SessionId(f"01{number:02}"), stamped(story)) for number, story in enumerate(STORIES.values())]
    for step in range(max(len(entries) for entries in stories)):
        batch = [entries[step] for entries in stories if step < len(entries)]
        await history.archive(batch, since=cursor, upto=str(step + 1))
        cursor = str(step + 1)
        window = await board.look()
        assert window.by_queue == await recount(history, 0.0, NOW)
        assert window.by_queue == (await Board(history, _now).look()).by_queue
    assert window.total.answered > 0
    assert window.total.lost > 0
    assert min(window.total.promises_kept, window.total.promises_broken) > 0
    kept_out = 0
    for entries in stories:
        record = await history.session(entries[0].session)
        assert record is not None
        assert (entries[0].session in window.live) == (record.session.phase is not Phase.CLOSED)
        kept_out += record.session.close_reason is CloseReason.UNSERVED or record.session.begun is not None
    assert kept_out > 0
    assert window.total.came == len(stories) - kept_out


async def test_a_late_rating_counts(database: Database, fresh: None) -> None:
    """It comes when the session has long closed, and is a commit of the archive like any other."""
    history, board = History(database), Board(History(database), _now)
    entries = entries_of(SessionId("01A"), stamped(STORIES["call abandoned"]))
    await history.archive(entries, since=BEGINNING, upto="1")
    before = (await board.look()).total
    rating = entries_of(SessionId("01A"), [ev.RatingGiven(at=NOW, score=5)], first=len(entries) + 1)
    await history.archive(rating, since="1", upto="2")
    after = (await board.look()).total
    assert (after.rated - before.rated, after.pleased - before.pleased) == (1, 1)


async def test_who_has_not_looked_for_long_begins_anew(
    database: Database, fresh: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended meanwhile is older than what is still told: it must not stay live for ever."""
    history, times = History(database), [START + 10.0]

    async def clock() -> float:
        return times[-1]

    board = Board(history, clock)
    entries = entries_of(SessionId("01A"), stamped(STORIES["call abandoned"]))
    await history.archive(entries[:2], since=BEGINNING, upto="1")
    assert list((await board.look()).live) == ["01A"]
    await history.archive(entries[2:], since="1", upto="2")
    times.append(START + 50 * 3600.0)
    window = await board.look()
    assert (list(window.live), window.total) == ([], NONE)


async def test_one_look_serves_all_who_ask_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    history, asked = History(database), list[object]()
    changed = history.changed

    async def counting(*args: object, **named: object) -> object:
        asked.append(args)
        return await changed(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(history, "changed", counting)
    board = Board(history, _now)
    for _ in range(5):
        await board.look()
    assert len(asked) == 1
