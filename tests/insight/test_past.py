"""Days past, hour by hour: the same sums as a recount of the events, on both databases."""

from insight.past import DAY_S, HOUR_S, Past, summed
from insight.recount import recount
from session.ids import SessionId
from storage.database import Database
from storage.history import BEGINNING, History
from tests.session.script import START
from tests.session.stories import STORIES, stamped
from tests.storage.live_log import entries_of

MIDNIGHT = START - 5 * HOUR_S - 60


async def _now() -> float:
    return START + DAY_S


async def test_a_day_is_what_a_recount_of_it_says(database: Database) -> None:
    history = History(database)
    for number, story in enumerate(STORIES.values(), 1):
        entries = entries_of(SessionId(f"01{number:03}"), stamped(story))
        await history.archive(entries, since=BEGINNING if number == 1 else str(number - 1), upto=str(number))
    hours = await Past(history, _now).day(MIDNIGHT)
    counted = await recount(history, MIDNIGHT, MIDNIGHT + DAY_S)
    assert len(hours) == 24
    assert summed(hours) == counted
    assert hours[5], "in the hour in which they came"
    assert [hour for hour in hours if hour] == [hours[5]]
    assert await recount(history, MIDNIGHT + 5 * HOUR_S, MIDNIGHT + 6 * HOUR_S) == hours[5]


async def test_a_settled_day_is_not_read_again(database: Database) -> None:
    now = START + 9 * DAY_S
    history = History(database)

    async def clock() -> float:
        return now

    past = Past(history, clock)
    assert summed(await past.day(MIDNIGHT)) == {}
    story = entries_of(SessionId("01"), stamped(next(iter(STORIES.values()))))
    await history.archive(story, since=BEGINNING, upto="1")
    assert summed(await past.day(MIDNIGHT)) == {}
    now += 2 * HOUR_S
    assert summed(await past.day(MIDNIGHT)) != {}, "looked at again after a while: a rating may have come"
