"""Logging in, staying in, being put out."""

import asyncio
import statistics
import time
from dataclasses import replace

import pytest

from accounts.agent import Agent
from accounts.errors import NotLoggedIn, TooManyAttempts, WrongPassword
from accounts.logins import _BY_ADDRESS, _BY_LOGIN, TICKET_S, Logins
from accounts.passwords import Passwords
from accounts.roster import Roster
from tests.accounts.conftest import PASSWORD
from tests.accounts.shared_state import TurnedShared

HERE = "192.0.2.1"


async def enter(logins: Logins, address: str = HERE) -> str:
    token, _ = await logins.log_in("wang", PASSWORD, address=address)
    return token


async def test_the_right_password_opens(logins: Logins, wang: Agent) -> None:
    token, agent = await logins.log_in("  WANG ", PASSWORD, address=HERE)
    assert agent == wang
    assert await logins.agent(token) == wang
    assert len(token) >= 43


@pytest.mark.parametrize(
    ("login", "password"), [("wang", "wrong password"), ("nobody", PASSWORD), ("", ""), ("x" * 999, "y" * 9999)]
)
async def test_all_else_is_refused_alike(logins: Logins, wang: Agent, login: str, password: str) -> None:
    with pytest.raises(WrongPassword) as refused:
        await logins.log_in(login, password, address=HERE)
    assert str(refused.value) == "login or password is wrong"


async def test_unknown_logins_cost_the_same_work(costly: Passwords, roster: Roster, wang: Agent) -> None:
    await roster.verified("nobody", PASSWORD)  # makes the hash that nobody's password is checked against

    async def cost_s(login: str) -> float:
        begun = time.process_time()  # not what the clock on the wall says: other processes work too
        await roster.verified(login, "wrong password")
        return time.process_time() - begun

    known = statistics.median([await cost_s("wang") for _ in range(3)])
    unknown = statistics.median([await cost_s("nobody") for _ in range(3)])
    assert 0.5 < unknown / known < 2


async def test_one_login_may_be_tried_five_times_at_once(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    for _ in range(5):
        with pytest.raises(WrongPassword):
            await logins.log_in("wang", "wrong password", address=HERE)
    with pytest.raises(TooManyAttempts) as refused:
        await logins.log_in("wang", PASSWORD, address=HERE)
    assert refused.value.retryable
    assert refused.value.retry_after_s == 12.0
    assert await logins.log_in("wang", PASSWORD, address="192.0.2.2")  # another address is not locked out
    shared.clock_s += 12
    assert await enter(logins)


async def test_one_address_may_not_try_many_logins(logins: Logins, wang: Agent) -> None:
    for _ in range(30):
        await logins._limit(_BY_ADDRESS, HERE)
    with pytest.raises(TooManyAttempts):
        await logins.log_in("wang", PASSWORD, address=HERE)
    assert await enter(logins, "192.0.2.2")


async def test_many_addresses_may_not_try_one_login(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    for _ in range(60):
        await logins._limit(_BY_LOGIN, "wang")
    with pytest.raises(TooManyAttempts):
        await logins.log_in("wang", PASSWORD, address="203.0.113.9")


async def test_a_flood_of_checks_is_told_to_come_again(cheap: Passwords) -> None:
    """All have begun before the first one's thread can say that it is done."""
    await cheap.fits(None, "x")  # makes the hash that nobody's password is checked against
    raised = await asyncio.gather(*(cheap.fits(None, "x") for _ in range(19)), return_exceptions=True)
    assert {type(one) for one in raised} == {bool, TooManyAttempts}
    assert await cheap.fits(None, "x") is False


async def test_names_of_keys_and_values_give_nothing_away(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    token = await enter(logins)
    ticket = await logins.ticket(token)
    for key in shared.names:
        assert not any(secret in key for secret in ("wang", HERE, token, ticket))


async def test_a_login_ends_when_idle(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    token = await enter(logins)
    for _ in range(10):
        shared.clock_s += 1700
        await logins.agent(token)
    shared.clock_s += 1801
    with pytest.raises(NotLoggedIn):
        await logins.agent(token)


async def test_a_login_ends_after_twelve_hours_of_use(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    token = await enter(logins)
    for _ in range(43_200 // 600 - 1):
        shared.clock_s += 600
        await logins.agent(token)
    shared.clock_s += 601
    with pytest.raises(NotLoggedIn):
        await logins.agent(token)


async def test_use_is_not_written_down_at_each_request(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    token = await enter(logins)
    before = shared.writes
    for _ in range(100):
        shared.clock_s += 1
        await logins.agent(token)
    assert shared.writes == before


async def test_a_login_ends_by_hand_and_by_the_next_one(logins: Logins, wang: Agent) -> None:
    first = await enter(logins)
    second, _ = await logins.log_in("wang", PASSWORD, address=HERE, old_token=first)
    with pytest.raises(NotLoggedIn):
        await logins.agent(first)
    await logins.log_out(second)
    await logins.log_out(second)
    with pytest.raises(NotLoggedIn):
        await logins.agent(second)


async def test_a_wrong_password_does_not_end_the_login_that_runs(logins: Logins, wang: Agent) -> None:
    token = await enter(logins)
    with pytest.raises(WrongPassword):
        await logins.log_in("wang", "wrong password", address=HERE, old_token=token)
    assert await logins.agent(token) == wang


async def test_a_login_ends_with_the_standing_it_was_given_for(logins: Logins, wang: Agent, roster: Roster) -> None:
    token = await enter(logins)
    await roster.set_password(wang.login, "another password")
    with pytest.raises(NotLoggedIn):
        await logins.agent(token)
    token, _ = await logins.log_in("wang", "another password", address=HERE)
    await roster.change(replace(wang, disabled=True))
    with pytest.raises(NotLoggedIn):
        await logins.agent(token)


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "x" * 100_000])
async def test_made_up_tokens_are_nobodys(logins: Logins, wang: Agent, token: str) -> None:
    await enter(logins)
    for ask in (logins.agent, logins.redeem, logins.ticket):
        with pytest.raises(NotLoggedIn):
            await ask(token)


async def test_a_ticket_is_good_once(logins: Logins, wang: Agent) -> None:
    ticket = await logins.ticket(await enter(logins))
    assert await logins.redeem(ticket) == wang
    with pytest.raises(NotLoggedIn):
        await logins.redeem(ticket)


async def test_of_two_that_come_with_one_ticket_one_gets_in(logins: Logins, wang: Agent) -> None:
    ticket = await logins.ticket(await enter(logins))
    came = await asyncio.gather(*(logins.redeem(ticket) for _ in range(5)), return_exceptions=True)
    assert came.count(wang) == 1


async def test_a_ticket_ends_soon_and_with_its_login(logins: Logins, wang: Agent, shared: TurnedShared) -> None:
    token = await enter(logins)
    late, ended = await logins.ticket(token), await logins.ticket(token)
    shared.clock_s += TICKET_S - 1
    await logins.log_out(token)
    with pytest.raises(NotLoggedIn):
        await logins.redeem(ended)
    shared.clock_s += 2
    with pytest.raises(NotLoggedIn):
        await logins.redeem(late)


async def test_a_cookie_is_no_ticket_and_a_ticket_no_cookie(logins: Logins, wang: Agent) -> None:
    token = await enter(logins)
    ticket = await logins.ticket(token)
    with pytest.raises(NotLoggedIn):
        await logins.redeem(token)
    with pytest.raises(NotLoggedIn):
        await logins.agent(ticket)
