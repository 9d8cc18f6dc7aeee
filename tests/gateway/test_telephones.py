"""What a registered telephone means to the queue."""

from collections.abc import AsyncIterator, Iterator

import pytest

from accounts.agent import Agent
from accounts.passwords import Passwords
from accounts.presence import PresenceLog
from accounts.roster import Roster
from gateway.parking import Parking, codes
from gateway.staff import Staff
from gateway.telephones import TelephonesReach
from queueing.contract import Presence, Routing
from queueing.memory import MemoryStore
from session.ids import AssigneeId
from session.rules import Rules
from session.state import Medium
from storage.database import Database
from tests.gateway.town import hire, open_post

AGENT = AssigneeId("8001")


@pytest.fixture
async def database(sqlite_history: str) -> AsyncIterator[Database]:
    async with Database.open(sqlite_history) as opened:
        yield opened


@pytest.fixture
def roster(database: Database) -> Iterator[Roster]:
    with Passwords() as passwords:
        yield Roster(database, passwords, realm="yihao")


@pytest.fixture
def staff(roster: Roster, database: Database, memory: MemoryStore) -> Staff:
    return Staff(roster, PresenceLog(database), memory)


@pytest.fixture
async def parking(memory: MemoryStore) -> AsyncIterator[Parking]:
    async with open_post(memory, "n1") as post:
        yield Parking(memory.shared, memory.log, memory.queue, post.inbox, Rules())


async def test_nobody_is_fetched_from_an_empty_place(memory: MemoryStore, staff: Staff, parking: Parking) -> None:
    await hire(memory, "8001", Medium.VOICE)
    reach = TelephonesReach(memory, staff, parking, ready_on_register=False, ttl_s=60.0)
    assert not await reach.choose(AGENT, codes("*5")["*501"])
    assert codes("") == {}


@pytest.mark.parametrize(
    ("ready_on_register", "first", "presence"),
    [
        (True, True, Presence.READY),
        (True, False, Presence.BREAK),
        (False, True, Presence.BREAK),
        (False, False, Presence.BREAK),
    ],
)
async def test_only_the_first_registration_makes_ready(
    memory: MemoryStore, staff: Staff, parking: Parking, ready_on_register: bool, first: bool, presence: Presence
) -> None:
    """A refresh never does, nor any where the setting does not say so."""
    await hire(memory, "8001", Medium.CHAT)
    await memory.queue.present(AGENT, Presence.BREAK, "lunch")
    reach = TelephonesReach(memory, staff, parking, ready_on_register=ready_on_register, ttl_s=60.0)
    await reach.registered(AGENT, first=first)
    view = await memory.queue.view(AGENT)
    assert view.presence is presence
    assert view.reachable == {Medium.CHAT, Medium.VOICE}


async def test_the_last_telephone_goes(memory: MemoryStore, staff: Staff, parking: Parking) -> None:
    await hire(memory, "8001", Medium.CHAT)
    reach = TelephonesReach(memory, staff, parking, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AGENT, first=True)
    await reach.unregistered(AGENT)
    view = await memory.queue.view(AGENT)
    assert view.reachable == {Medium.CHAT}
    assert view.routing is Routing.READY


async def test_an_account_that_was_taken_away_is_no_error(memory: MemoryStore, staff: Staff, parking: Parking) -> None:
    reach = TelephonesReach(memory, staff, parking, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AssigneeId("gone"), first=True)
    await reach.unregistered(AssigneeId("gone"))


async def test_an_account_younger_than_the_last_look_is_enlisted_by_its_registration(
    memory: MemoryStore, staff: Staff, parking: Parking, roster: Roster
) -> None:
    await roster.add(Agent(AGENT, "安娜", extension="8001", queues=("general",)), "a long password")
    reach = TelephonesReach(memory, staff, parking, ready_on_register=True, ttl_s=60.0)
    await reach.registered(AGENT, first=True)
    view = await memory.queue.view(AGENT)
    assert (view.presence, Medium.VOICE in view.reachable) == (Presence.READY, True)
