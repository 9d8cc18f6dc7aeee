"""Codes and scans: good once, for a while, for whoever asked; and dull to whoever guesses."""

import asyncio

import pytest

from identity.errors import CodeSpent, CodeWrong, TooManyCodes
from identity.verification import BY_ASKER, BY_NUMBER, BY_ORIGIN, CODE_S, SCAN_S, TRIES, Codes, Scans, Shown
from session.address import Address
from session.ids import SessionId
from tests.accounts.shared_state import TurnedShared
from tests.identity.conftest import PEPPER

NUMBER = Address("tel", "+8613800138000")
PAGE, OTHER_PAGE = Address("web", "v1"), Address("web", "v2")
WECHAT, OTHER_WECHAT = Address("wechat", "o-1", "wx1"), Address("wechat", "o-2", "wx1")


@pytest.fixture
def codes(shared: TurnedShared) -> Codes:
    return Codes(shared, pepper=PEPPER)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def test_a_code_proves_the_number_once(codes: Codes) -> None:
    code = await codes.make(NUMBER, PAGE)
    assert len(code) == 6
    assert code.isdigit()
    assert await codes.prove(PAGE, code) == NUMBER
    with pytest.raises(CodeWrong):
        await codes.prove(PAGE, code)


async def test_a_code_is_good_for_whoever_asked_only(codes: Codes) -> None:
    code = await codes.make(NUMBER, PAGE)
    with pytest.raises(CodeWrong):
        await codes.prove(OTHER_PAGE, code)
    assert await codes.prove(PAGE, code) == NUMBER


async def test_a_code_is_good_for_five_minutes(codes: Codes, shared: TurnedShared) -> None:
    code = await codes.make(NUMBER, PAGE)
    shared.clock_s += CODE_S + 1
    with pytest.raises(CodeWrong):
        await codes.prove(PAGE, code)


async def test_a_code_is_void_after_five_tries(codes: Codes) -> None:
    code = await codes.make(NUMBER, PAGE)
    for _ in range(TRIES):
        with pytest.raises(CodeWrong):
            await codes.prove(PAGE, other_than(code))
    with pytest.raises(CodeSpent):
        await codes.prove(PAGE, code)
    with pytest.raises((CodeWrong, CodeSpent)):
        await codes.prove(PAGE, code)


async def test_a_later_code_voids_the_earlier(codes: Codes) -> None:
    first = await codes.make(NUMBER, PAGE)
    second = await codes.make(NUMBER, PAGE)
    if first != second:
        with pytest.raises(CodeWrong):
            await codes.prove(PAGE, first)
    assert await codes.prove(PAGE, second) == NUMBER


async def test_two_who_prove_at_once_are_one(codes: Codes) -> None:
    code = await codes.make(NUMBER, PAGE)
    outcomes = await asyncio.gather(*(codes.prove(PAGE, code) for _ in range(4)), return_exceptions=True)
    assert sum(one == NUMBER for one in outcomes) == 1


@pytest.mark.parametrize("digits", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "\ud800", "0" * 10_000])
async def test_what_is_no_code_is_wrong(codes: Codes, digits: str) -> None:
    await codes.make(NUMBER, PAGE)
    with pytest.raises(CodeWrong):
        await codes.prove(PAGE, digits)


async def test_nobodys_telephone_is_flooded(codes: Codes) -> None:
    for number in range(BY_NUMBER.burst):
        await codes.make(NUMBER, Address("web", f"v{number}"))
    with pytest.raises(TooManyCodes) as refused:
        await codes.make(NUMBER, PAGE)
    assert refused.value.scope == "number"


async def test_nobody_walks_through_numbers(codes: Codes) -> None:
    for number in range(BY_ASKER.burst):
        await codes.make(Address("tel", f"+861380013{number:04}"), PAGE)
    with pytest.raises(TooManyCodes) as refused:
        await codes.make(NUMBER, PAGE)
    assert refused.value.scope == "asker"


async def test_one_origin_has_not_all_the_askers(codes: Codes) -> None:
    for number in range(BY_ORIGIN.burst):
        await codes.make(Address("tel", f"+861380013{number:04}"), Address("web", f"v{number}"), origin="10.0.0.1")
    with pytest.raises(TooManyCodes) as refused:
        await codes.make(NUMBER, PAGE, origin="10.0.0.1")
    assert refused.value.scope == "origin"
    await codes.make(NUMBER, PAGE, origin="10.0.0.2")


async def test_neither_code_nor_number_is_in_a_key_or_the_code_in_a_value(codes: Codes, shared: TurnedShared) -> None:
    code = await codes.make(NUMBER, PAGE, origin="10.0.0.1")
    keys = " ".join(shared.names)
    assert "13800138000" not in keys
    assert "10.0.0.1" not in keys
    kept = [value for name in shared.names if (value := await shared.get(name)) is not None]
    assert kept
    assert not any(code.encode() in value for value in kept)


async def test_a_scan_leads_to_where_the_code_was_shown(shared: TurnedShared) -> None:
    scans = Scans(shared)
    shown = Shown(PAGE, SessionId("S1"))
    scene = await scans.show(shown)
    assert await scans.seen(scene, WECHAT) == shown
    assert await scans.seen(scene, WECHAT) == shown, "the same scan, told again"
    assert await scans.seen(scene, OTHER_WECHAT) is None, "a code is one citizen's"
    assert await scans.seen("guessed", WECHAT) is None
    shared.clock_s += SCAN_S + 1
    assert await scans.seen(scene, WECHAT) is None
