"""Proofs that citizens bring, brought to the identity book; each refusal has a reason of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from gateway.notices import Notices
from gateway.persons import Persons
from gateway.ulid import new_ulid
from gateway.verification import FULL, LINKED, STALE, Verification
from identity.ledger import Ledger
from identity.verification import Codes, Scans, Shown
from queueing.memory import MemoryStore
from session.address import Address
from session.identity import MOST_ADDRESSES, Proof
from session.ids import SessionId
from session.state import Session
from storage.database import Database
from tests.gateway.town import post_on

PEPPER = b"a pepper that only tests have"
PAGE = Address("web", "v1")
ONE, OTHER = Address("wechat", "o-1", "wx1"), Address("wechat", "o-2", "wx1")


@dataclass
class Bureau:
    """Who proves, and what it is kept in."""

    verification: Verification
    scans: Scans
    ledger: Ledger


@pytest.fixture
async def bureau(memory: MemoryStore, sqlite_history: str) -> AsyncIterator[Bureau]:
    inbox = post_on(memory, "n1").inbox
    async with Database.open(sqlite_history) as database:
        ledger = Ledger(database, pepper=PEPPER, new_id=new_ulid)
        persons = Persons(ledger, memory.kin, inbox, memory.shared.now)
        scans = Scans(memory.shared)
        verification = Verification(
            persons,
            Codes(memory.shared, pepper=PEPPER),
            scans,
            Notices({}, inbox),
            inbox,
            {},
            _nowhere,
            memory.log.open_session_of,
        )
        yield Bureau(verification, scans, ledger)


def _nowhere(_: SessionId) -> Session | None:
    return None


async def test_a_scan_says_what_became_of_it(bureau: Bureau) -> None:
    """Bound, too late, another's, or one address too many: which nobody could mend who is told that the code is old."""
    shown = await bureau.scans.show(Shown(PAGE))
    assert await bureau.verification.scanned(ONE, "poster-of-another") is None
    first = await bureau.verification.scanned(ONE, shown)
    assert first is not None
    assert first.answer == LINKED
    again = await bureau.verification.scanned(OTHER, shown)
    assert again is not None
    assert again.answer == STALE

    for number in range(MOST_ADDRESSES - 2):
        await bureau.ledger.bind(PAGE, Address("web", f"browser-{number}"), Proof.SMS_CODE, at=1.0)
    full = await bureau.verification.scanned(OTHER, await bureau.scans.show(Shown(PAGE)))
    assert full is not None
    assert (full.answer, full.goes_on) == (FULL, False)
    person = await bureau.ledger.person(PAGE)
    assert person is not None
    assert OTHER not in person.addresses
