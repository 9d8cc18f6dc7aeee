"""The documents in force: taken up when they change, kept when what comes next cannot be read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from rulebook.book import Rulebook
from rulebook.document import read, written
from rulebook.errors import DocumentMalformed, NoSuchVersion, UnknownKind
from rulebook.hours import BusinessHours
from rulebook.kinds import kinds
from rulebook.words import SensitiveWord, Words
from storage.database import Database
from storage.policies import Policies, Policy, PolicyMoved
from tests.conftest import Eventually

ALWAYS = ["mon-sun 00:00-24:00"]
NEVER = BusinessHours()


@pytest.fixture
async def database(sqlite_history: str) -> AsyncIterator[Database]:
    async with Database.open(sqlite_history) as opened:
        yield opened


def _book(database: Database) -> Rulebook:
    return Rulebook(Policies(database), kinds(ALWAYS))


async def _put(book: Rulebook, week: tuple[str, ...], expected: int) -> int:
    hours = BusinessHours(week=week)
    return await book.put("hours", hours, expected=expected, author="anna", at=1.0, why="because")


async def test_the_settings_hold_until_a_version_is_written(database: Database) -> None:
    book = _book(database)
    await book.look()
    assert (await book.now("hours")).version == 0
    assert book.hours.week == tuple(ALWAYS)
    assert book.routing.rules
    assert book.canned.replies
    assert await book.versions("hours") == []


async def test_who_writes_goes_by_it_at_once_and_others_when_they_look(database: Database) -> None:
    here, there = _book(database), _book(database)
    before = there.revision
    assert await _put(here, ("sat 09:00-12:00",), 0) == 1
    assert here.hours.week == ("sat 09:00-12:00",)
    assert there.hours.week == tuple(ALWAYS)
    await there.look()
    assert there.hours == here.hours
    assert there.revision == here.revision > before


async def test_of_two_who_change_the_same_version_one_is_told(database: Database) -> None:
    books = [_book(database) for _ in range(5)]
    outcomes = await asyncio.gather(*(_put(one, (), 0) for one in books), return_exceptions=True)
    assert outcomes.count(1) == 1
    assert [type(one) for one in outcomes if one != 1] == [PolicyMoved] * 4
    with pytest.raises(PolicyMoved):  # a gap would be a version that nobody ever saw
        await _put(books[0], (), 7)


async def test_every_version_stays_with_its_reason(database: Database) -> None:
    book = _book(database)
    await _put(book, ("mon 09:00-12:00",), 0)
    await _put(book, ("tue 09:00-12:00",), 1)
    assert [(one.version, one.author, one.why) for one in await book.versions("hours")] == [
        (2, "anna", "because"),
        (1, "anna", "because"),
    ]
    assert [one.version for one in await book.versions("hours", before=2)] == [1]
    assert await book.version("hours", 1) == BusinessHours(week=("mon 09:00-12:00",))
    assert await book.version("hours", 0) == BusinessHours(week=tuple(ALWAYS))
    with pytest.raises(NoSuchVersion):
        await book.version("hours", 3)
    with pytest.raises(UnknownKind):
        await book.versions("weather")


@pytest.mark.parametrize("bad", ["[[rule", '{"week": 3}', '{"week": [], "typo": 1}', '{"week": ["mon 25:00-26:00"]}'])
async def test_a_bad_version_keeps_the_old(
    database: Database,
    bad: str,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is said once, and looking goes on: the next good one is taken up."""
    monkeypatch.setattr("rulebook.book.LOOK_S", 0.01)
    book = _book(database)
    await Policies(database).write(Policy("hours", 1, bad, "by hand", 1.0, "slip"))
    looking = asyncio.create_task(book.run())
    await eventually(lambda: "policy not read" in caplog.text, 15)
    assert book.hours.week == tuple(ALWAYS)
    await Policies(database).write(Policy("hours", 2, written(NEVER), "by hand", 1.0, "mended"))
    await eventually(lambda: book.hours == NEVER, 15)
    assert caplog.text.count("policy not read") == 1
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_what_is_written_is_read_as_it_was() -> None:
    words = Words(words=(SensitiveWord(word="机密"),))
    assert read("words", Words, written(words)) == words
    with pytest.raises(DocumentMalformed):
        read("words", Words, " " * (1024 * 1024 + 1))
