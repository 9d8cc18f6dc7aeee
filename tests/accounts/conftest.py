"""Real SQL and real argon2id, at its own cost where that is the matter; the shared store by a clock that tests turn."""

from collections.abc import AsyncIterator, Iterator

import pytest

from accounts.agent import Agent
from accounts.logins import Logins
from accounts.passwords import Passwords
from accounts.roster import Roster
from session.ids import AssigneeId
from storage.database import Database
from tests.accounts.shared_state import TurnedShared

PASSWORD = "correct horse battery"
WANG = Agent(AssigneeId("wang"), "王芳", extension="8001", queues=("general",))


@pytest.fixture(scope="session")
def costly() -> Iterator[Passwords]:
    """Hashes as the product makes them. A test that asks for them has them in its `roster` too."""
    with Passwords() as made:
        yield made


@pytest.fixture(scope="session")
def cheap() -> Iterator[Passwords]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("accounts.passwords._MEMORY_KIB", 64)
        patch.setattr("accounts.passwords._PASSES", 1)
        made = Passwords()
    with made:
        yield made


@pytest.fixture
def passwords(request: pytest.FixtureRequest, cheap: Passwords) -> Passwords:
    if "costly" not in request.fixturenames:
        return cheap
    costly: Passwords = request.getfixturevalue("costly")
    return costly


@pytest.fixture
async def database(sqlite_history: str) -> AsyncIterator[Database]:
    async with Database.open(sqlite_history) as opened:
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
