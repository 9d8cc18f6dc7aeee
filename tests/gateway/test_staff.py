"""The queue's roster follows the accounts, whoever changed them and whenever."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy.schema import DropTable

from accounts.agent import Agent
from accounts.passwords import Passwords
from accounts.presence import PresenceLog
from accounts.roster import Roster
from accounts.tables import PRESENCE
from gateway.staff import Staff, profile_of
from queueing.contract import Presence, Profile
from queueing.errors import UnknownAssignee
from queueing.memory import MemoryStore
from session.ids import AssigneeId
from session.ports import StoreUnavailable
from session.state import AssigneeKind, Medium, Skill
from storage.database import Database
from tests.conftest import Eventually

ANNA = Agent(AssigneeId("anna"), "安娜", extension="8009", queues=("general",), skills=(Skill("english", 5),))
BOT = Profile(AssigneeId("guide"), AssigneeKind.BOT, ("bots",), {Medium.CHAT: 100})


@pytest.fixture
async def database(sqlite_history: str) -> AsyncIterator[Database]:
    async with Database.open(sqlite_history) as opened:
        yield opened


@pytest.fixture
def roster(database: Database) -> Iterator[Roster]:
    with Passwords() as passwords:
        yield Roster(database, passwords, realm="yihao")


@pytest.fixture
def hire(roster: Roster, database: Database, memory: MemoryStore) -> Callable[[], Staff]:
    """Another process's staff, over the same accounts and the same queue."""
    return lambda: Staff(roster, PresenceLog(database), memory)


async def _enlisted(store: MemoryStore) -> dict[str, Profile]:
    return {one.profile.assignee: one.profile for one in await store.queue.roster()}


async def test_who_is_added_changed_and_disabled(
    roster: Roster, memory: MemoryStore, hire: Callable[[], Staff]
) -> None:
    staff = hire()
    await staff.look()
    assert await _enlisted(memory) == {}
    await roster.add(ANNA, "a long password")
    await staff.look()
    assert await _enlisted(memory) == {"anna": profile_of(ANNA)}
    assert await staff.account(ANNA.login) == (profile_of(ANNA), "8009")
    assert staff.badge(ANNA.login) == "8009"
    changed = replace(ANNA, queues=("general", "law"), capacity={Medium.CHAT: 1})
    await roster.change(changed)
    await staff.look()
    assert await _enlisted(memory) == {"anna": profile_of(changed)}
    await roster.change(replace(changed, disabled=True))
    await staff.look()
    assert await _enlisted(memory) == {}
    assert await staff.account(ANNA.login) is None
    assert await staff.account(AssigneeId("nobody")) is None
    await roster.change(changed)
    await staff.look()
    assert await _enlisted(memory) == {"anna": profile_of(changed)}


async def test_who_did_not_change_is_left_in_peace(
    roster: Roster, memory: MemoryStore, hire: Callable[[], Staff]
) -> None:
    """Presence survives, and a restart asks the queue for no write."""
    await roster.add(ANNA, "a long password")
    await hire().look()
    await memory.queue.present(ANNA.login, Presence.READY)
    enlist, written = memory.queue.enlist, []

    async def watched(profile: Profile) -> None:
        written.append(profile)
        await enlist(profile)

    memory.queue.enlist = watched  # type: ignore[method-assign]
    staff = hire()
    await staff.look()
    await staff.look()
    assert written == []
    assert (await memory.queue.view(ANNA.login)).presence is Presence.READY


async def test_who_was_disabled_while_nobody_ran_is_discharged(
    roster: Roster, memory: MemoryStore, hire: Callable[[], Staff]
) -> None:
    """A bot has no account, and stays."""
    await roster.add(ANNA, "a long password")
    await hire().look()
    await memory.queue.enlist(BOT)
    await roster.change(replace(ANNA, disabled=True))
    await hire().look()
    assert set(await _enlisted(memory)) == {"guide"}


async def test_looking_goes_on_after_a_failure(
    roster: Roster,
    memory: MemoryStore,
    hire: Callable[[], Staff],
    monkeypatch: pytest.MonkeyPatch,
    eventually: Eventually,
) -> None:
    monkeypatch.setattr("gateway.staff.LOOK_S", 0.01)
    failures, real = [StoreUnavailable("enlist")], memory.queue.enlist

    async def enlist(profile: Profile) -> None:
        if failures:
            raise failures.pop()
        await real(profile)

    memory.queue.enlist = enlist  # type: ignore[method-assign]
    await roster.add(ANNA, "a long password")
    staff = hire()
    looking = asyncio.create_task(staff.run())
    await eventually(lambda: _enlisted(memory))
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


async def test_what_an_agent_chooses_is_noted(
    roster: Roster, database: Database, memory: MemoryStore, hire: Callable[[], Staff]
) -> None:
    await roster.add(ANNA, "a long password")
    staff = hire()
    await staff.look()
    await staff.present(ANNA.login, Presence.READY)
    view = await staff.present(ANNA.login, Presence.BREAK, "lunch")
    assert view.presence is Presence.BREAK
    now = await memory.shared.now()
    notes = await PresenceLog(database).between(ANNA.login, 0.0, now + 1.0)
    assert [(note.presence, note.reason) for note in notes] == [("ready", ""), ("break", "lunch")]


async def test_who_is_unknown_chooses_nothing(
    database: Database, memory: MemoryStore, hire: Callable[[], Staff]
) -> None:
    with pytest.raises(UnknownAssignee):
        await hire().present(ANNA.login, Presence.READY)
    assert await PresenceLog(database).between(ANNA.login, 0.0, await memory.shared.now() + 1.0) == []


async def test_a_choice_that_cannot_be_noted_is_made_all_the_same(
    roster: Roster, memory: MemoryStore, database: Database, hire: Callable[[], Staff]
) -> None:
    """A database that is away keeps nobody from going to lunch."""
    await roster.add(ANNA, "a long password")
    staff = hire()
    await staff.look()
    async with database.writing() as connection:
        await connection.execute(DropTable(PRESENCE))
    assert (await staff.present(ANNA.login, Presence.READY)).presence is Presence.READY
