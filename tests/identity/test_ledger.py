"""The log of identity on both databases: what is written makes of addresses what the pure fold makes of events."""

import asyncio
import hashlib

import pytest
from sqlalchemy import text

from identity.errors import LinkUnknown
from identity.ledger import MOST_CLAIMS, Ledger
from session.address import Address
from session.identity import CHANGED_HANDS_S, MOST_ADDRESSES, IdentityRefused, Person, PersonFull, Proof
from session.ids import AssigneeId, LinkId
from storage.database import Database

NUMBER = Address("tel", "+8613800138000")
PAGE, PHONE_PAGE = Address("web", "v1"), Address("web", "v2")
WECHAT = Address("wechat", "o-1", "wx1")
WANG = AssigneeId("wang")
NOON = 1_700_000_000.0


async def whose(ledger: Ledger, address: Address) -> Person:
    person = await ledger.person(address)
    assert person is not None
    return person


async def test_nobody_is_known_before_they_are_met(ledger: Ledger) -> None:
    assert await ledger.person(NUMBER) is None
    await ledger.meet(NUMBER, NOON)
    first = await whose(ledger, NUMBER)
    await ledger.meet(NUMBER, NOON + 1)
    assert await whose(ledger, NUMBER) == first


async def test_addresses_that_are_bound_are_one_person(ledger: Ledger) -> None:
    await ledger.meet(NUMBER, NOON)
    first = await whose(ledger, NUMBER)
    code = await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    scan = await ledger.bind(WECHAT, PAGE, Proof.QR_SCAN, at=NOON + 1)
    person = await whose(ledger, WECHAT)
    assert (person.id, person.addresses) == (first.id, (NUMBER, PAGE, WECHAT))
    assert {link.link for link in person.links} == {code.link, scan.link}
    assert [link.proof for link in person.links_of(PAGE)] == [Proof.QR_SCAN, Proof.SMS_CODE]


async def test_a_wrong_merge_is_undone_entirely(ledger: Ledger) -> None:
    await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    await ledger.meet(WECHAT, NOON)
    before = await whose(ledger, NUMBER), await whose(ledger, WECHAT)
    wrong = await ledger.bind(WECHAT, PAGE, Proof.AGENT_WORD, at=NOON + 1, by=WANG)
    assert (await whose(ledger, WECHAT)).addresses == (NUMBER, PAGE, WECHAT)
    undone = await ledger.undo(wrong.link, at=NOON + 2, by=WANG, why="认错人")
    assert undone == wrong
    assert (await whose(ledger, NUMBER), await whose(ledger, WECHAT)) == before
    with pytest.raises(LinkUnknown):
        await ledger.undo(wrong.link, at=NOON + 3, by=WANG, why="")
    with pytest.raises(LinkUnknown):
        await ledger.undo(LinkId("never"), at=NOON + 3, by=WANG, why="")


async def test_claims_bind_nothing_and_are_bounded(ledger: Ledger) -> None:
    for number in range(MOST_CLAIMS + 5):
        await ledger.claim(PAGE, Address("tel", f"+86138001380{number:02}"), NOON)
    await ledger.claim(PAGE, Address("tel", "+8613800138000"), NOON + 1)
    page = await whose(ledger, PAGE)
    assert (page.addresses, len(page.claims)) == ((PAGE,), MOST_CLAIMS)


async def test_a_number_that_changed_hands_follows_the_newer_proof(ledger: Ledger) -> None:
    await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    await ledger.bind(NUMBER, PHONE_PAGE, Proof.SMS_CODE, at=NOON + CHANGED_HANDS_S + 1)
    assert (await whose(ledger, PAGE)).addresses == (PAGE,)
    assert (await whose(ledger, NUMBER)).addresses == (NUMBER, PHONE_PAGE)


async def test_a_merge_bomb_is_refused_and_leaves_nothing(ledger: Ledger) -> None:
    for number in range(MOST_ADDRESSES - 1):
        await ledger.bind(NUMBER, Address("web", f"bomb{number}"), Proof.SMS_CODE, at=NOON)
    with pytest.raises(PersonFull):
        await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    assert len((await whose(ledger, NUMBER)).addresses) == MOST_ADDRESSES
    assert await ledger.person(PAGE) is None


async def test_merges_at_the_same_time_see_each_other(ledger: Ledger) -> None:
    """Two halves of the largest person each grow by one: only one of them fits."""
    for number in range(MOST_ADDRESSES - 2):
        await ledger.bind(NUMBER, Address("web", f"v{number + 10}"), Proof.SMS_CODE, at=NOON)
    outcomes = await asyncio.gather(
        *(ledger.bind(NUMBER, one, Proof.SMS_CODE, at=NOON) for one in (PAGE, PHONE_PAGE, WECHAT)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, IdentityRefused) for one in outcomes) == 2, outcomes
    assert len((await whose(ledger, NUMBER)).addresses) == MOST_ADDRESSES


async def test_who_was_touched_is_told_in_order_and_from_any_place(ledger: Ledger) -> None:
    await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    first = await ledger.moved(0)
    assert [person.addresses for person in first.persons] == [(NUMBER, PAGE)]
    assert (await ledger.moved(first.seq)).persons == ()
    wrong = await ledger.bind(WECHAT, PAGE, Proof.AGENT_WORD, at=NOON, by=WANG)
    await ledger.undo(wrong.link, at=NOON, by=WANG, why="")
    second = await ledger.moved(first.seq)
    assert {person.addresses for person in second.persons} == {(NUMBER, PAGE), (WECHAT,)}
    assert second.seq > first.seq


async def test_a_number_is_found_by_a_keyed_index_only(ledger: Ledger, database: Database) -> None:
    await ledger.bind(NUMBER, PAGE, Proof.SMS_CODE, at=NOON)
    async with database.reading() as connection:
        rows = (await connection.execute(text("SELECT key, holder FROM links"))).all()
        lookups = (await connection.execute(text("SELECT lookup FROM addresses"))).all()
    for lookup in (rows[0].key, rows[0].holder, *(row.lookup for row in lookups)):
        assert len(lookup) == 64
        assert "13800138000" not in lookup
        assert hashlib.sha256(f"address:{NUMBER}".encode()).hexdigest() != lookup, "a bare hash is soon guessed"
