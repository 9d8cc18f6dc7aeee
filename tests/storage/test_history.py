"""Exactly once into SQL, and the same row by any road."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from session import events as ev
from session.address import Address
from session.ids import SessionId
from session.machine import DEFAULT_RULES, replay
from session.ports import Entry
from session.state import CloseReason, Phase, Session
from storage.database import Database
from storage.errors import EarlierMissing, StaleCursor
from storage.history import BEGINNING, History
from storage.record import SessionRecord
from tests.session.script import CITIZEN, LI, VISITOR, WANG
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import entries_of


def story(name: str, session: str = "01A") -> list[Entry]:
    return entries_of(SessionId(session), stamped(STORIES[name]))


def all_stories() -> list[list[Entry]]:
    return [story(name, f"01{index:02}") for index, name in enumerate(STORIES)]


def folded(entries: Sequence[Entry]) -> SessionRecord:
    first = entries[0].event
    assert isinstance(first, ev.SessionOpened)
    record = SessionRecord.begin(entries[0].session, first, DEFAULT_RULES)
    for entry in entries[1:]:
        record = record.after(entry.event, DEFAULT_RULES)
    return record


async def test_what_is_archived_comes_back_as_it_was(history: History) -> None:
    stories = all_stories()
    everything = [entry for one in stories for entry in one]
    assert await history.archive(everything, since=BEGINNING, upto="1") == len(everything)
    for entries in stories:
        assert await history.timeline(entries[0].session) == entries
        assert await history.timeline(entries[0].session, after=2, limit=1) == entries[2:3]
        assert await history.session(entries[0].session) == folded(entries)


async def test_the_row_is_the_same_whatever_the_batches(history: History) -> None:
    stories = all_stories()
    longest = max(len(entries) for entries in stories)
    cursor = BEGINNING
    for step in range(longest):
        batch = [entries[step] for entries in stories if step < len(entries)]
        await history.archive(batch, since=cursor, upto=str(step + 1))
        cursor = str(step + 1)
    for entries in stories:
        assert await history.session(entries[0].session) == folded(entries)


async def test_the_row_stands_where_the_session_does_whatever_the_rules(database: Database) -> None:
    """Where we cannot call, a caller who left is owed nothing: else their row would wait for it for ever."""
    cannot_call = replace(DEFAULT_RULES, callback_pauses_s=())
    history = History(database, cannot_call)
    entries = entries_of(SessionId("01A"), stamped(STORIES["call abandoned"], every_s=70.0))
    await history.archive(entries, since=BEGINNING, upto="1")
    record = await history.session(SessionId("01A"))
    assert record is not None
    assert record.session == replay(SessionId("01A"), [entry.event for entry in entries], cannot_call)
    assert record.session.close_reason is CloseReason.ABANDONED
    assert replay(SessionId("01A"), [entry.event for entry in entries]).phase is Phase.CALLBACK_PENDING


async def test_the_row_says_what_people_ask_for(history: History) -> None:
    entries = story("call answered")
    await history.archive(entries, since=BEGINNING, upto="1")
    record = await history.session(SessionId("01A"))
    assert record is not None
    assert record.session.phase is Phase.CLOSED
    assert record.session.close_reason is CloseReason.COMPLETED
    assert (record.answered_at, record.offers) == (entries[4].event.at, 1)
    assert (record.contact_kind, record.rating, record.solved) == ("投诉", 5, None)
    assert record.session.accrued_wait_s == entries[4].event.at - entries[1].event.at


@pytest.mark.parametrize("again", [slice(None), slice(0, 1), slice(3, None), slice(0, 0)])
async def test_the_same_entries_again_change_nothing(history: History, again: slice) -> None:
    entries = story("call answered")
    await history.archive(entries, since=BEGINNING, upto="1")
    before = await history.session(SessionId("01A"))
    assert await history.archive(entries[again], since="1", upto="2") == 0
    assert await history.timeline(SessionId("01A")) == entries
    assert await history.session(SessionId("01A")) == before
    assert await history.cursor() == "2"


async def test_doubles_within_one_batch_are_one(history: History) -> None:
    entries = story("call abandoned")
    assert await history.archive([*entries, *entries], since=BEGINNING, upto="1") == len(entries)


async def test_a_cursor_that_has_moved_writes_nothing(history: History) -> None:
    entries = story("call answered")
    await history.archive(entries[:3], since=BEGINNING, upto="3")
    with pytest.raises(StaleCursor):
        await history.archive(entries, since=BEGINNING, upto="9")
    assert await history.timeline(SessionId("01A")) == entries[:3]
    assert await history.cursor() == "3"


async def test_entries_and_cursor_are_one_transaction(history: History, database: Database) -> None:
    """The failure comes after the rows are written: neither they nor the cursor may stay."""
    async with database.writing() as connection:
        await connection.execute(text("DROP TABLE sessions"))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever the driver raises
        await history.archive(story("call answered"), since=BEGINNING, upto="9")
    assert await history.cursor() == BEGINNING
    assert await history.timeline(SessionId("01A")) == []


async def test_entries_that_do_not_follow_are_refused_or_kept_by_consent(history: History) -> None:
    entries = story("call answered")
    await history.archive(entries[:2], since=BEGINNING, upto="2")
    with pytest.raises(EarlierMissing) as refused:
        await history.archive(entries[4:], since="2", upto="9")
    assert refused.value.after == {"01A": 2}
    assert await history.cursor() == "2"
    await history.archive(entries[4:], since="2", upto="9", holes=True)
    assert await history.timeline(SessionId("01A")) == entries[:2] + entries[4:]
    record = await history.session(SessionId("01A"))
    assert record is not None
    assert record.session.version == 2


async def test_a_session_whose_opening_is_lost_keeps_its_events(history: History) -> None:
    entries = story("call answered")[5:]
    await history.archive(entries, since=BEGINNING, upto="9", holes=True)
    assert await history.timeline(SessionId("01A")) == entries
    assert await history.session(SessionId("01A")) is None


def had_part(address: Address, session: Session) -> bool:
    return session.citizen == address or any(leg.address == address for leg in session.legs)


async def test_sessions_are_found_newest_first_page_by_page(history: History) -> None:
    await history.archive([entry for one in all_stories() for entry in one], since=BEGINNING, upto="1")
    ids = [f"01{index:02}" for index in range(len(STORIES))]
    first = await history.recent(limit=5)
    second = await history.recent(limit=len(ids), before=first[-1].session.id)
    assert [one.session.id for one in [*first, *second]] == ids[::-1]
    by_citizen = await history.sessions_of(CITIZEN)
    by_visitor = await history.sessions_of(VISITOR, limit=len(ids))
    assert all(had_part(CITIZEN, one.session) for one in by_citizen)
    assert {one.session.citizen for one in by_citizen} == {CITIZEN, VISITOR}, "also those that another address began"
    anybodys = await history.sessions_of(CITIZEN, VISITOR, limit=len(ids))
    assert [one.session.id for one in anybodys] == ids[::-1], "each once, however many of the addresses it had"
    assert {one.session.assignee for one in await history.recent(assignee=LI)} == {LI}
    assert WANG in {one.session.assignee for one in [*first, *second]}
    page = await history.sessions_of(VISITOR, limit=1, before=by_visitor[0].session.id)
    assert page == by_visitor[1:2]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
async def test_any_batches_with_any_repeats_give_each_entry_once(
    history: History, database: Database, data: st.DataObject
) -> None:
    async with database.writing() as connection:
        for table in ("events", "sessions"):
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(text("UPDATE cursors SET position = '0'"))
    stories = [story("chat cut and back", "01A"), story("call answered", "01B")]
    feed = [entry for pair in zip(*stories, strict=False) for entry in pair]
    sent = written = 0
    while sent < len(feed):
        back = data.draw(st.integers(0, sent))
        upto = data.draw(st.integers(sent + 1, len(feed)))
        written += await history.archive(feed[back:upto], since=str(sent), upto=str(upto))
        sent = upto
    assert written == len(feed)
    for entries in stories:
        whole = [entry for entry in entries if entry in feed]
        assert await history.timeline(entries[0].session) == whole
        assert await history.session(entries[0].session) == folded(whole)
