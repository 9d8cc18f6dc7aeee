"""The queue's roster follows the accounts, whoever changed them and whenever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.agent import Agent
from accounts.passwords import Passwords
from accounts.roster import Roster
from gateway.staff import Staff, profile_of
from queueing.contract import Presence, Profile
from queueing.memory import MemoryStore
from session.ids import AssigneeId
from session.ports import StoreUnavailable
from session.state import AssigneeKind, Medium, Skill
from storage.database import Database, sqlite_url
from tests.conftest import Eventually

ANNA = Agent(AssigneeId("anna"), "安娜", extension="8009", queues=("general",), skills=(Skill("english", 5),))
BOT = Profile(AssigneeId("guide"), AssigneeKind.BOT, ("bots",), {Medium.CHAT: 100})


@pytest.fixture
async def roster(tmp_path: Path) -> AsyncIterator[Roster]:
    with Passwords() as passwords:
        async with Database.open(sqlite_url(tmp_path)) as database:
            yield Roster(database, passwords, realm="yihao")


async def _enlisted(store: MemoryStore) -> dict[str, Profile]:
    return {one.profile.assignee: one.profile for one in await store.queue.roster()}


async def test_who_is_added_changed_and_disabled(roster: Roster, memory: MemoryStore) -> None:
    staff = Staff(roster, memory.queue)
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


async def test_who_did_not_change_is_left_in_peace(roster: Roster, memory: MemoryStore) -> None:
    """Presence survives, and a restart asks the queue for no write."""
    await roster.add(ANNA, "a long password")
    await Staff(roster, memory.queue).look()
    await memory.queue.present(ANNA.login, Presence.READY)
    enlist, written = memory.queue.enlist, []

    async def watched(profile: Profile) -> None:
        written.append(profile)
        await enlist(profile)

    memory.queue.enlist = watched  # type: ignore[method-assign]
    staff = Staff(roster, memory.queue)
    await staff.look()
    await staff.look()
    assert written == []
    assert (await memory.queue.view(ANNA.login)).presence is Presence.READY


async def test_who_was_disabled_while_nobody_ran_is_discharged(roster: Roster, memory: MemoryStore) -> None:
    """A bot has no account, and stays."""
    await roster.add(ANNA, "a long password")
    await Staff(roster, memory.queue).look()
    await memory.queue.enlist(BOT)
    await roster.change(replace(ANNA, disabled=True))
    await Staff(roster, memory.queue).look()
    assert set(await _enlisted(memory)) == {"guide"}


async def test_looking_goes_on_after_a_failure(
    roster: Roster, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("gateway.staff.LOOK_S", 0.01)
    failures, real = [StoreUnavailable("enlist")], memory.queue.enlist

    async def enlist(profile: Profile) -> None:
        if failures:
            raise failures.pop()
        await real(profile)

    memory.queue.enlist = enlist  # type: ignore[method-assign]
    await roster.add(ANNA, "a long password")
    staff = Staff(roster, memory.queue)
    looking = asyncio.create_task(staff.run())
    await eventually(lambda: _enlisted(memory))
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
