"""Real SQL and real argon2id; the shared store by a clock that the test turns."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from accounts.agent import Agent
from accounts.logins import Logins
from accounts.passwords import Passwords
from accounts.roster import Roster
from session.ids import AssigneeId
from storage.database import Database, sqlite_url
from tests.accounts.shared_state import TurnedShared

PASSWORD = "correct horse battery"
WANG = Agent(AssigneeId("wang"), "王芳", extension="8001", queues=("general",))


@pytest.fixture(scope="session")
def passwords() -> Iterator[Passwords]:
    with Passwords() as made:
        yield made


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database.open(sqlite_url(tmp_path)) as opened:
        yield opened


@pytest.fixture
def roster(database: Database, passwords: Passwords) -> Roster:
    return Roster(database, passwords, realm="yihao")


@pytest.fixture
async def wang(roster: Roster) -> Agent:
    await roster.add(WANG, PASSWORD, "sip secret")
    return WANG


@pytest.fixture
def shared() -> TurnedShared:
    return TurnedShared()


@pytest.fixture
def logins(roster: Roster, shared: TurnedShared) -> Logins:
    return Logins(roster, shared, pepper=b"p" * 32, idle_s=1800, longest_s=43_200)
