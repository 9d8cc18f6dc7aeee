"""Who is who: what links and undoings make, in whatever order they come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from session.address import Address
from session.identity import (
    CHANGED_HANDS_S,
    MOST_ADDRESSES,
    MOST_SIGNED,
    AddressClaimed,
    AddressesLinked,
    AddressMet,
    AlreadyOne,
    Identities,
    IdentityEvent,
    LinkUndone,
    Person,
    PersonFull,
    Proof,
    ProofTooWeak,
    fold,
)
from session.ids import AssigneeId, LinkId, PersonId

NUMBER = Address("tel", "+8613800138000")
PAGE, PHONE_PAGE = Address("web", "v1"), Address("web", "v2")
WECHAT = Address("wechat", "o-1", "wx1")
DAY_S = 24 * 3600.0
ADDRESSES = [Address("web", f"v{number}") for number in range(8)]


def met(*addresses: Address) -> list[IdentityEvent]:
    return [AddressMet(address=one, person=PersonId(f"P{index:02}"), at=0.0) for index, one in enumerate(addresses)]


def linked(name: str, key: Address, holder: Address, at: float = 0.0, proof: Proof = Proof.SMS_CODE) -> AddressesLinked:
    return AddressesLinked(link=LinkId(name), key=key, holder=holder, proof=proof, at=at)


def whose(state: Identities, address: Address) -> Person:
    person = state.person(address)
    assert person is not None
    return person


def persons(state: Identities, addresses: list[Address]) -> list[object]:
    return [state.person(one) for one in addresses]


def test_an_address_is_a_person_of_its_own_until_it_is_linked() -> None:
    state = fold(met(NUMBER, PAGE))
    one, other = whose(state, NUMBER), whose(state, PAGE)
    assert (one.id, one.addresses, other.id) == ("P00", (NUMBER,), "P01")
    assert state.person(WECHAT) is None


def test_linked_addresses_are_the_person_who_was_met_first() -> None:
    state = fold([*met(NUMBER, PAGE, WECHAT), linked("a", NUMBER, PAGE), linked("b", NUMBER, WECHAT)])
    person = whose(state, WECHAT)
    assert (person.id, person.addresses) == ("P00", (NUMBER, PAGE, WECHAT))
    assert state.person(NUMBER) == state.person(PAGE) == person


def test_undoing_one_link_leaves_the_others() -> None:
    undone = LinkUndone(link=LinkId("a"), at=1.0, by=AssigneeId("wang"), why="认错人")
    state = fold([*met(NUMBER, PAGE, WECHAT), linked("a", NUMBER, PAGE), linked("b", NUMBER, WECHAT), undone])
    page, number = whose(state, PAGE), whose(state, NUMBER)
    assert (page.id, page.addresses) == ("P01", (PAGE,))
    assert number.addresses == (NUMBER, WECHAT)


def test_what_is_claimed_is_shown_and_binds_nothing() -> None:
    claim = AddressClaimed(holder=PAGE, claimed=NUMBER, at=1.0)
    state = fold([*met(NUMBER, PAGE), claim])
    page = whose(state, PAGE)
    assert (page.addresses, page.claims) == ((PAGE,), (claim,))
    assert whose(state.after(linked("a", NUMBER, PAGE)), PAGE).claims == (), "it is no claim any more"


@pytest.mark.parametrize("proof", [one for one in Proof if not one.binds])
def test_a_weak_proof_links_nothing(proof: Proof) -> None:
    with pytest.raises(ProofTooWeak):
        fold(met(NUMBER, PAGE)).check(linked("a", NUMBER, PAGE, proof=proof))


def test_an_address_is_not_linked_to_itself() -> None:
    with pytest.raises(AlreadyOne):
        fold(met(NUMBER)).check(linked("a", NUMBER, NUMBER))


def test_nobody_gathers_more_addresses_than_anybody_has() -> None:
    pages = [Address("web", f"bomb{number}") for number in range(MOST_ADDRESSES)]
    state = fold([*met(NUMBER, *pages), *(linked(f"l{i:02}", NUMBER, page) for i, page in enumerate(pages[:-1]))])
    state.check(linked("again", NUMBER, pages[0]))
    with pytest.raises(PersonFull):
        state.check(linked("one more", NUMBER, pages[-1]))


def test_a_number_that_may_have_changed_hands_follows_the_newer_proof() -> None:
    old = linked("old", NUMBER, PAGE, at=0.0)
    state = fold([*met(NUMBER, PAGE, PHONE_PAGE), old])
    soon = linked("soon", NUMBER, PHONE_PAGE, at=CHANGED_HANDS_S - DAY_S)
    late = linked("late", NUMBER, PHONE_PAGE, at=CHANGED_HANDS_S + DAY_S)
    assert state.outlived(soon) == (), "a citizen has a computer and a telephone"
    assert state.outlived(late) == (old,)
    renewed = state.after(linked("renewed", NUMBER, PAGE, at=CHANGED_HANDS_S))
    assert renewed.outlived(late) == (), "it was proven anew by the first as well"


def test_only_a_code_says_in_whose_hand_a_number_is_today() -> None:
    state = fold([*met(NUMBER, PAGE, WECHAT), linked("old", NUMBER, PAGE, at=0.0)])
    late = linked("late", NUMBER, WECHAT, at=CHANGED_HANDS_S + DAY_S, proof=Proof.AGENT_WORD)
    assert state.outlived(late) == ()


def test_of_what_a_site_has_signed_the_newest_stand() -> None:
    """Browsers forget who they are: each time the same user comes by another address."""
    user, browsers = Address("site", "u", "portal"), [Address("web", f"b{number}") for number in range(MOST_SIGNED + 1)]
    signed = [linked(f"s{at}", user, one, float(at), Proof.SIGNED_WEB) for at, one in enumerate(browsers)]
    coded = linked("code", NUMBER, browsers[0])
    state = fold([*met(user, *browsers), coded, *signed[:-1]])
    assert state.outlived(signed[-1]) == (signed[0],), "and nothing that was proven otherwise"
    assert state.outlived(linked("again", user, browsers[0], 99.0, Proof.SIGNED_WEB)) == ()
    assert fold([*met(user, *browsers), *signed[:-2]]).outlived(signed[-2]) == ()


address = st.sampled_from(ADDRESSES)
name = st.sampled_from([LinkId(f"l{number}") for number in range(12)])
link = st.builds(
    AddressesLinked, link=name, key=address, holder=address, proof=st.just(Proof.QR_SCAN), at=st.floats(0, 1e9)
).filter(lambda one: one.key != one.holder)
history = st.lists(
    st.one_of(
        link,
        st.builds(LinkUndone, link=name, at=st.floats(0, 1e9), why=st.text(max_size=5)),
        st.builds(AddressClaimed, holder=address, claimed=address, at=st.floats(0, 1e9)),
    ),
    max_size=30,
    unique_by=lambda event: (type(event).__name__, getattr(event, "link", id(event))),
)


@given(history, link)
@settings(deadline=None, max_examples=60)
def test_a_merge_that_is_undone_leaves_nothing_behind(events: list[IdentityEvent], wrong: AddressesLinked) -> None:
    wrong = linked("wrong", wrong.key, wrong.holder)
    before = fold([*met(*ADDRESSES), *events])
    after = before.after(wrong).after(LinkUndone(link=wrong.link, at=1.0))
    assert persons(after, ADDRESSES) == persons(before, ADDRESSES)


@given(history, link, st.data())
@settings(deadline=None, max_examples=60)
def test_a_merge_is_undone_entirely_whatever_happened_since(
    events: list[IdentityEvent], wrong: AddressesLinked, data: st.DataObject
) -> None:
    wrong = linked("wrong", wrong.key, wrong.holder)
    place = data.draw(st.integers(0, len(events)))
    undone = LinkUndone(link=wrong.link, at=1.0)
    mixed = fold([*met(*ADDRESSES), *events[:place], wrong, *events[place:], undone])
    assert persons(mixed, ADDRESSES) == persons(fold([*met(*ADDRESSES), *events]), ADDRESSES)


@given(history, st.randoms())
@settings(deadline=None, max_examples=60)
def test_merges_of_several_nodes_give_the_same_in_any_order(events: list[IdentityEvent], chance: object) -> None:
    whole = [*met(*ADDRESSES), *events]
    shuffled = list(whole)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert persons(fold(shuffled), ADDRESSES) == persons(fold(whole), ADDRESSES)


@given(history)
@settings(deadline=None, max_examples=60)
def test_everybody_is_in_exactly_one_person(events: list[IdentityEvent]) -> None:
    state = fold([*met(*ADDRESSES), *events])
    for one in ADDRESSES:
        person = whose(state, one)
        assert one in person.addresses
        assert all(state.person(other) == person for other in person.addresses)
